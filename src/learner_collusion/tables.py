"""The paper's tables as Markdown and Parquet. Table 2: each formula verified numerically before it is printed."""

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
