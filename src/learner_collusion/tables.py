"""The paper's tables as Markdown and Parquet. Table 2: each formula verified numerically before it is printed; Tables 3
and 4: the layers, read off the models."""

import pyarrow as pa
import torch

from . import records
from .errors import UserError
from .files import write_text
from .theory_checks import gradient_errors, objective_errors

_OBJECTIVES = {
    "independent": (
        "independent (both)",
        "1/M Σ_j L(φ(f_j), y)",
        "-1/M Σ_k Σ_j y_k log φ(f_j)_k",
        "-1/M Σ_j log φ(f_j)_k*",
        "(φ(f_i)_k - [k = k*]) / M",
    ),
    "probability": (
        "joint, probability averaging",
        "L(1/M Σ_j φ(f_j), y)",
        "-Σ_k y_k log(1/M Σ_j φ(f_j)_k)",
        "-log(1/M Σ_j φ(f_j)_k*)",
        "-φ(f_i)_k* (1 - φ(f_i)_k*) / Σ_j φ(f_j)_k* at k*; φ(f_i)_k φ(f_i)_k* / Σ_j φ(f_j)_k* elsewhere",
    ),
    "score": (
        "joint, score averaging",
        "L(φ(1/M Σ_j f_j), y)",
        "-Σ_k y_k log φ(1/M Σ_j f_j)_k",
        "-log φ(1/M Σ_j f_j)_k*",
        "(φ(f)_k - [k = k*]) / M, the same for every learner",
    ),
}
_COLUMNS = ("training", "general loss", "cross-entropy", "cross-entropy at k*", "gradient by f_ik (Appendix E)")
TOLERANCE = 1e-12


def losses(cases: int, seed: int, note: str, markdown: str, parquet: str) -> None:
    """Table 2: the loss functions and their gradients, with the largest error of each over `cases` random examples.

    Checked: the last two rows of the paper's table against each other, and the gradients against autograd, in float64.
    Errors: UserError where a formula is off by more than 1e-12.
    """
    random = torch.Generator().manual_seed(seed)
    learners, classes = 5, 7
    scores = 2 * torch.randn(cases, learners, classes, dtype=torch.float64, generator=random)
    labels = torch.randint(0, classes, (cases,), generator=random)
    values, slopes = objective_errors(scores, labels), gradient_errors(scores, labels)
    if max(*values.values(), *slopes.values()) > TOLERANCE:
        raise UserError(f"A formula of Table 2 is off by more than {TOLERANCE:g}: mend theory.py before printing it.")
    rows = [
        dict(zip(_COLUMNS, text, strict=True))
        | {"error of the value": values[name], "error of the gradient": slopes[name]}
        for name, text in _OBJECTIVES.items()
    ]
    table = pa.Table.from_pylist(rows)
    records.write(parquet, table, table.schema, {"cases": cases, "provenance": records.provenance("torch")})
    text = "# Table 2: ensemble loss functions\n\n"
    if note:
        text += f"**{note}**\n\n"
    text += (
        f"φ is the softmax, f_j the scores of learner j, k* the true class. Errors: the largest over {cases} random "
    )
    text += "examples in float64, of the two forms of the cross-entropy against each other, and of the gradient against autograd.\n\n"
    names = list(rows[0])
    text += "| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|\n"
    for row in rows:
        text += "| " + " | ".join(f"{v:.1e}" if isinstance(v, float) else v for v in row.values()) + " |\n"
    write_text(markdown, text)


_SLIPS = {
    "cnn": "The paper's Table 3 has kernel 5, stride 2, padding 1 and 500 inputs of the first linear layer, which do not fit: "
    "padding 1 gives 980. `pool`, the official code's form, and `stride`, stride 2 without padding, both give 500.",
    "vgg": "The paper's Table 4 has max-pools of kernel 2 and padding 2, which is no valid pool (at most half of the kernel); "
    "stride 2 is what gives the table's 512 inputs of the first linear layer.",
}


def layers(model: str, options: dict, markdown: str, parquet: str) -> None:
    """Tables 3 (cnn) and 4 (vgg): the layers of the base learner, read off the module that is trained, for 10 classes."""
    from .ensembles import learner

    module = learner(model, 10, **options).eval()
    rows = []

    def note(layer, _, output):
        kind = type(layer).__name__
        shape = " x ".join(map(str, output.shape[1:]))
        parameters = sum(p.numel() for p in layer.parameters())
        rows.append({"layer": kind, "settings": layer.extra_repr(), "output": shape, "parameters": parameters})

    for part in module.modules():
        if not list(part.children()):
            part.register_forward_hook(note)
    with torch.no_grad():
        module(torch.zeros(2, 3, 32, 32))
    table = pa.Table.from_pylist(rows)
    records.write(parquet, table, table.schema, {"options": options, "provenance": records.provenance("torch")})
    total = sum(row["parameters"] for row in rows)
    number, title = {"cnn": (3, "the convolutional network"), "vgg": (4, "the VGG")}[model]
    text = f"# Table {number}: {title}\n\n{total:,} parameters for 10 classes, read off the module itself"
    text += f" ({', '.join(f'{key} {value}' for key, value in options.items())}).\n\n" if options else ".\n\n"
    names = list(rows[0])
    text += "| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|\n"
    text += "".join("| " + " | ".join(str(value) for value in row.values()) + " |\n" for row in rows)
    write_text(markdown, f"{text}\n{_SLIPS[model]}\n")
