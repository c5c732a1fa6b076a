"""The sensitivity analysis as Markdown and Parquet: which findings stay, which hang on a choice, and every variant."""

import pandas as pd
import pyarrow as pa

from ..claims.sensitivity import FALLS, RISES, SIGNED, UNCLEAR, findings, stability
from ..claims.verdict import FAILS, HOLDS, LEFT_OUT, NO_VERDICT, UNDECIDED
from ..files import write_text
from ..records import parquet as files
from ..records.identity import with_beside
from ..records.sensitivity import CHOSEN, SENSITIVITY
from .markdown import table
from .registry import Table

STABILITY = pa.schema(
    [(name, pa.string()) for name in ("id", "claim", "dataset", "statistic", "threshold", "finding")]
    + [("signed", pa.bool_())]
    + [(name, pa.float64()) for name in ("value", "lowest", "highest")]
    + [(name, pa.int32()) for name in ("single", "single_differ", "joint", "joint_differ", "opposite")]
    + [("hangs_on", pa.string())]
)
_NONE = (NO_VERDICT, LEFT_OUT)


def verdicts(settings, entry: Table, output: str, parquet: str, records: str) -> None:
    """The table of the stable and the unstable findings, and of the variants. Errors: UserError for damaged records."""
    found = findings(files.read(records, SENSITIVITY, published=True))
    rows = stability(found)
    note = f"**{settings.note}**\n\n" if settings.note else ""
    text = f"# {entry.title}\n\n{note}{_sentences(found, rows)}\n\n{_LEGEND}\n\n"
    text += "## What hangs on a choice\n\n" + (table(_row(r, settings.titles) for r in _unstable(rows)) or "Nothing.\n")
    text += "\n## What is stable\n\n" + (table(_row(r, settings.titles) for r in _stable(rows)) or "Nothing.\n")
    if none := rows[rows["finding"].isin(_NONE)].to_dict("records"):
        text += f"\n## Without a verdict as chosen\n\n{table(_row(r, settings.titles) for r in none)}"
    text += f"\n## The variants\n\n{table(_variants(found, settings.titles))}"
    write_text(output, text)
    made = with_beside(settings.origin, output)
    files.write(parquet, rows[STABILITY.names], STABILITY, {"fidelity": settings.note}, made)


_LEGEND = (
    "*one at a time*, *jointly*: of the variants that change a number of the row, those with the same finding as chosen. A joint "
    "variant changes each choice with probability one half, unless it has changed the same key already. *opposite*: variants of either "
    "kind in which *holds* becomes *does not hold* (or *rises* becomes *falls*); the other differences are between a verdict and *undecided*. *range*: the lowest and "
    f"highest value. {SIGNED}, sign: where the interval of ERR(1) - ERR(0) lies against 0, whatever the claim's threshold: the error "
    f"*{RISES}*, *{FALLS}*, or the interval *{UNCLEAR}*. The variant with another seed is no choice: it tells how much ten "
    "other runs change."
)


def _sentences(found: pd.DataFrame, rows: pd.DataFrame) -> str:
    variants = found[found["variant"] != CHOSEN].drop_duplicates("variant")
    joint = int(variants["joint"].sum())
    stays, alone = len(_stable(rows)), len(_unstable(rows))
    only_joint = sum(row["single_differ"] == 0 for row in _unstable(rows))
    return (
        f"{stays + alone} findings in {len(variants) - joint} variants that change one choice and {joint} that change several. "
        f"**{stays} findings are the same in all of them**; {only_joint} more change with joint variants alone, and "
        f"{alone - only_joint} with a single choice. In {int((rows['opposite'] > 0).sum())} a variant finds the opposite."
    )


def _stable(rows: pd.DataFrame) -> list[dict]:
    known = rows[~rows["finding"].isin(_NONE)]
    return known[(known["single_differ"] == 0) & (known["joint_differ"] == 0)].to_dict("records")


def _unstable(rows: pd.DataFrame) -> list[dict]:
    known = rows[~rows["finding"].isin(_NONE)]
    return known[(known["single_differ"] > 0) | (known["joint_differ"] > 0)].to_dict("records")


def stays(row: dict) -> str:
    """One line of `stability` in words: in how many variants the finding is the same, and with which single change it is not."""
    count, differ = row["single"] + row["joint"], row["single_differ"] + row["joint_differ"]
    text = (
        f"sign: {row['finding']} in {count - differ} of {count}"
        if row["signed"]
        else f"same in {count - differ} of {count}"
    )
    return f"{text}; not: {row['hangs_on']}" if row["hangs_on"] else text


def _row(row: dict, titles: dict[str, str]) -> dict[str, str]:
    return {
        "claim": f"{row['id']}, sign" if row["signed"] else f"{row['id']}: {row['claim']}",
        "data": titles.get(row["dataset"], row["dataset"]),
        "statistic": f"{row['statistic']} {row['threshold']}".strip() if not row["signed"] else row["statistic"],
        "as chosen": row["finding"],
        "value": f"{row['value']:.3g}",
        "range": f"{row['lowest']:.3g} to {row['highest']:.3g}",
        "one at a time": f"{row['single'] - row['single_differ']} of {row['single']}",
        "jointly": f"{row['joint'] - row['joint_differ']} of {row['joint']}",
        "opposite": str(row["opposite"]),
        "other finding with": row["hangs_on"] or ("joint changes alone" if row["joint_differ"] else "-"),
    }


def _variants(found: pd.DataFrame, titles: dict[str, str]) -> list[dict[str, str]]:
    lines = []
    for name, mine in found.groupby("variant", sort=False):
        judged = mine[~mine["signed"]]
        other = mine[mine["differs"]]
        differing = (
            f"{row['id']}{', sign' * row['signed']} {titles.get(row['dataset'], row['dataset'])} ({row['finding']})"
            for row in other.to_dict("records")
        )
        lines.append(
            {"variant": name, "changes": mine["shows"].iloc[0]}
            | {verdict: str(int((judged["finding"] == verdict).sum())) for verdict in (HOLDS, UNDECIDED, FAILS)}
            | {"findings that differ": "; ".join(differing) or "-"}
        )
    return lines
