"""The judged claims as Markdown and Parquet: each part of the paper, all parts together, and an overview for the
terminal."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..claims.catalogue import PARTS
from ..claims.verdict import FAILS, HOLDS, UNDECIDED
from ..errors import UserError
from ..files import write_text
from ..records import parquet
from ..records.claims import CLAIMS
from .markdown import table

_LEGEND = (
    "\nIntervals are percentile bootstrap intervals over paired runs, 95 % unless a fidelity line says otherwise. "
    "*holds*: all of the interval lies on the claim's side of the threshold; *does not hold*: all of it lies on the "
    "other side; *undecided*: it covers the threshold. *reported*: the claim has no threshold for this data set; "
    "*left out*: it cannot be judged, for the reason given.\n"
)


class Overview(NamedTuple):
    """The claims of one part of the paper, as a terminal shows them."""

    part: str
    title: str
    note: str  # marks reduced fidelity; empty at the paper's settings
    counts: dict[str, int]  # by verdict; holds, does not hold and undecided come first and may be 0
    rows: pd.DataFrame  # id, claim, data, statistic, value, interval, threshold, verdict, note; all text


def write(
    rows: pd.DataFrame, part: str, note: str, titles: dict[str, str], markdown: str | Path, path: str | Path
) -> None:
    """Write the claims of one part to `markdown`, and as Parquet to `path`.

    `rows` has the columns of `records.claims`; `note` marks reduced fidelity; `titles` names the data sets.
    """
    metadata = {"part": part, "fidelity": note, "titles": titles, "provenance": parquet.provenance()}
    parquet.write(path, rows, CLAIMS, metadata)
    write_text(markdown, f"# Claims: {PARTS[part]}\n\n{_section(_overview(rows, metadata))}{_LEGEND}")


def combine(parts: Iterable[str | Path], markdown: str | Path, path: str | Path) -> None:
    """Put the Parquet files of several parts together. UserError where there are none, or one is damaged."""
    parts = list(parts)
    if not parts:
        raise UserError("There are no claims to put together: judge those of a part first.")
    found = [_overview(parquet.read(part, CLAIMS), parquet.read_metadata(part)) for part in parts]
    text = "# Claims\n\n" + "".join(f"## {one.title}\n\n{_section(one)}\n" for one in found)
    missing = [title for part, title in PARTS.items() if part not in {one.part for one in found}]
    if missing:
        text += f"Not judged, as their experiments have not run: {'; '.join(missing)}.\n\n"
    parquet.concatenate(parts, path, CLAIMS)
    write_text(markdown, text + _LEGEND)


def overview(path: str | Path) -> list[Overview]:
    """The parts in `results/claims.parquet` or in the file of one part, in their order. UserError where it is
    damaged."""
    rows, metadata = parquet.read(path, CLAIMS), parquet.read_metadata(path)
    parts = (
        [metadata]
        if "part" in metadata
        else sorted(metadata.values(), key=lambda known: list(PARTS).index(known["part"]))
    )
    return [_overview(rows[rows["part"] == known["part"]], known) for known in parts]


def sentence(counts: dict[str, int]) -> str:
    """The counts in words, such as "26 hold, 0 do not hold, 1 undecided, 3 reported"."""
    words = {HOLDS: "hold", FAILS: "do not hold"}
    return ", ".join(f"{count} {words.get(verdict, verdict)}" for verdict, count in counts.items())


def counts(rows: pd.DataFrame) -> dict[str, int]:
    """How many rows have each verdict: holds, does not hold, undecided, and others where there are any."""
    return {HOLDS: 0, FAILS: 0, UNDECIDED: 0} | dict(sorted(rows["verdict"].value_counts().items()))


def _overview(rows: pd.DataFrame, metadata: dict) -> Overview:
    part, titles = metadata["part"], metadata["titles"]
    shown = pd.DataFrame([_cells(row, titles) for row in rows.to_dict("records")], dtype=str)
    return Overview(part, PARTS[part], metadata["fidelity"], counts(rows), shown)


def _cells(row: dict, titles: dict[str, str]) -> dict[str, str]:
    return {
        "id": row["id"],
        "claim": row["claim"],
        "data": titles.get(row["dataset"], row["dataset"]),
        "statistic": row["statistic"],
        "value": f"{row['value']:.3g}" if np.isfinite(row["value"]) else "-",
        "interval": f"{row['low']:.3g} to {row['high']:.3g}" if np.isfinite(row["low"]) else "-",
        "threshold": row["threshold"] or "-",
        "verdict": row["verdict"],
        "note": row["note"] or "",
    }


def _section(part: Overview) -> str:
    text = f"**{part.note}**\n\n" if part.note else ""
    lines = [
        {key: value for key, value in row.items() if key != "note"} | {"verdict": _verdict(row["verdict"], row["note"])}
        for row in part.rows.to_dict("records")
    ]
    return f"{text}{sentence(part.counts)}.\n\n{table(lines)}"


def _verdict(verdict: str, note: str) -> str:
    mark = f"**{verdict}**" if verdict == FAILS else verdict
    return f"{mark} ({note})" if note else mark
