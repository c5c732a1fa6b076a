"""The paper's tables as Markdown and Parquet. Table 2: each formula verified numerically before it is printed; Tables 3
and 4: the layers, read from the models."""

import pyarrow as pa
import torch

from ..claims.theory import gradient_errors, objective_errors
from ..errors import UserError
from ..files import write_text
from ..models.registry import builder
from ..records import parquet as records
from ..records.identity import with_beside
from .markdown import table
from .registry import Table

TOLERANCE = 1e-12
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
_FORMULAS = ("training", "general loss", "cross-entropy", "cross-entropy at k*", "gradient by f_ik (Appendix E)")
_ERRORS = ("error of the value", "error of the gradient")
LOSSES = pa.schema([(name, pa.string()) for name in _FORMULAS] + [(name, pa.float64()) for name in _ERRORS])
LAYERS = pa.schema([(name, pa.string()) for name in ("layer", "settings", "output")] + [("parameters", pa.int64())])


def losses(settings, entry: Table, output: str, parquet: str) -> None:
    """Table 2: the loss functions and their gradients, with the largest error of each over `cases` random examples.

    Checked: the last two rows of the paper's table against each other, and the gradients against autograd, in float64.
    Errors: UserError where a formula is off by more than 1e-12.
    """
    random = torch.Generator().manual_seed(settings.seed)
    learners, classes = 5, 7
    scores = 2 * torch.randn(settings.cases, learners, classes, dtype=torch.float64, generator=random)
    labels = torch.randint(0, classes, (settings.cases,), generator=random)
    values, slopes = objective_errors(scores, labels), gradient_errors(scores, labels)
    if max(*values.values(), *slopes.values()) > TOLERANCE:
        raise UserError(
            f"A formula of Table 2 is off by more than {TOLERANCE:g}: correct theory.py before printing it."
        )
    rows = [
        dict(zip((*_FORMULAS, *_ERRORS), (*text, values[name], slopes[name]), strict=True))
        for name, text in _OBJECTIVES.items()
    ]
    explained = (
        f"φ is the softmax, f_j the scores of learner j, k* the true class. Errors: the largest over {settings.cases} random "
        "examples in float64, of the two forms of the cross-entropy against each other, and of the gradient against autograd."
    )
    shown = [row | {name: f"{row[name]:.1e}" for name in _ERRORS} for row in rows]
    write_text(output, f"# {entry.title}\n\n{_note(settings)}{explained}\n\n{table(shown)}")
    made = with_beside(settings.origin, output)
    _write(parquet, rows, LOSSES, {"cases": settings.cases, "provenance": records.provenance("torch")}, made)


def layers(settings, entry: Table, output: str, parquet: str) -> None:
    """Tables 3 and 4: the layers of the base learner `settings.model`, read from the module that is trained, for 10 classes
    and images of 3 x 32 x 32. `settings.options`: width, and what else the model takes."""
    module = builder(settings.model)(10, **settings.options).eval()
    rows = []

    def record(layer, _, result):
        parameters = sum(p.numel() for p in layer.parameters())
        shape = " x ".join(map(str, result.shape[1:]))
        rows.append(dict(zip(LAYERS.names, (type(layer).__name__, layer.extra_repr(), shape, parameters), strict=True)))

    for part in module.modules():
        if not list(part.children()):
            part.register_forward_hook(record)
    with torch.no_grad():
        module(torch.zeros(2, 3, 32, 32))
    total = sum(row["parameters"] for row in rows)
    chosen = ", ".join(f"{key} {value}" for key, value in settings.options.items())
    count = f"{total:,} parameters for 10 classes, read from the module itself{f' ({chosen})' if chosen else ''}."
    remark = f"\n{entry.remark}\n" if entry.remark else ""
    write_text(output, f"# {entry.title}\n\n{_note(settings)}{count}\n\n{table(rows)}{remark}")
    made = with_beside(settings.origin, output)
    _write(parquet, rows, LAYERS, {"options": settings.options, "provenance": records.provenance("torch")}, made)


def _note(settings) -> str:
    return f"**{settings.note}**\n\n" if settings.note else ""


def _write(path: str, rows: list[dict], schema: pa.Schema, metadata: dict, made) -> None:
    records.write(path, {name: [row[name] for row in rows] for name in schema.names}, schema, metadata, made)
