"""The judged claims as Markdown and Parquet: each part of the paper, all parts together, and an overview for the
terminal."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..claims.catalogue import OWN_STUDY, PARTS
from ..claims.verdict import FAILS, HOLDS, NO_VERDICT, UNDECIDED
from ..errors import UserError
from ..files import write_text
from ..records import parquet
from ..records.claims import CLAIMS
from ..records.identity import Made, with_beside
from .markdown import table

_LEGEND = (
    "\n*holds*: all of the interval lies on the claim's side of the threshold; *does not hold*: all of it lies on the other "
    "side; *undecided*: it covers the threshold; *no verdict*: there are fewer than three runs. *runs*: how many "
    "count, and how many of them lie on the claim's side by themselves (of two runs both do in a quarter of cases by chance). "
    "*reported*: the claim has no "
    "threshold for this data set; *left out*: it cannot be judged, for the reason given. Ratios are geometric means. How "
    "intervals are made, and how often they are right: docs/statistics.md of the repository.\n"
)
SURVIVES = "‡"


class Overview(NamedTuple):
    """The claims of one part of the paper, as a terminal shows them."""

    part: str
    title: str
    note: str  # marks reduced fidelity; empty at the paper's settings
    counts: dict[str, int]  # by verdict; holds, does not hold and undecided come first and may be 0
    rows: (
        pd.DataFrame
    )  # id, claim, data, statistic, value, interval, runs, threshold, effect, verdict, mark, note; text
    intervals: str  # what the intervals of this part cover, and how many wrong verdicts to expect; empty without any
    measures: list[tuple[str, str, str]]  # id, claim and what its statistic measures, one each


def write(
    rows: pd.DataFrame,
    part: str,
    note: str,
    titles: dict[str, str],
    markdown: str | Path,
    path: str | Path,
    confidence: float = 0.95,
    remark: str = "",
    made: Made | None = None,
) -> None:
    """Write the claims of one part to `markdown`, and as Parquet to `path`.

    `rows` has the columns of `records.claims`; `note` marks reduced fidelity; `titles` names the data sets; `confidence` is
    that of the intervals; `remark` is printed beside the verdicts. The Parquet file says who `made` both.
    """
    metadata = {
        "part": part, "fidelity": note, "titles": titles, "confidence": confidence, "remark": remark,
        "provenance": parquet.provenance("scipy"),
    }  # fmt: skip
    write_text(markdown, page(_overview(rows, metadata)))
    parquet.write(path, rows, CLAIMS, metadata, with_beside(made, markdown))


def combine(parts: Iterable[str | Path], markdown: str | Path, path: str | Path, made: Made | None = None) -> None:
    """Put the Parquet files of several parts together. UserError where there are none, or one is damaged."""
    parts = list(parts)
    if not parts:
        raise UserError("There are no claims to put together: judge those of a part first.")
    write_text(markdown, pages([_overview(parquet.read(part, CLAIMS), parquet.read_metadata(part)) for part in parts]))
    parquet.concatenate(parts, path, CLAIMS, with_beside(made, markdown))


def page(part: Overview) -> str:
    """The Markdown of one part."""
    return f"# Claims: {part.title}\n\n{_section(part, '##')}{_LEGEND}"


def pages(parts: list[Overview]) -> str:
    """The Markdown of several parts together, and which there are besides."""
    text = "# Claims\n\n" + "".join(f"## {one.title}\n\n{_section(one, '###')}\n" for one in parts)
    if not any(one.note.startswith(OWN_STUDY) for one in parts):
        text += _not_judged([part for part in PARTS if part not in {one.part for one in parts}])
    return text + _LEGEND


def overview(path: str | Path) -> list[Overview]:
    """The parts in `results/claims.parquet` or in the file of one part, in their order. UserError where it is
    damaged."""
    rows, metadata = parquet.read(path, CLAIMS, published=True), parquet.read_metadata(path, published=True)
    parts = (
        [metadata]
        if "part" in metadata
        else sorted(metadata.values(), key=lambda known: list(PARTS).index(known["part"]))
    )
    return [_overview(rows[rows["part"] == known["part"]], known) for known in parts]


def sentence(counts: dict[str, int]) -> str:
    """The counts in words, such as "26 hold, 1 does not hold, 1 undecided, 3 reported"."""
    several = {HOLDS: "hold", FAILS: "do not hold"}
    return ", ".join(
        f"{count} {verdict if count == 1 else several.get(verdict, verdict)}" for verdict, count in counts.items()
    )


def counts(rows: pd.DataFrame) -> dict[str, int]:
    """How many rows have each verdict: holds, does not hold, undecided, and others where there are any."""
    return {HOLDS: 0, FAILS: 0, UNDECIDED: 0} | dict(sorted(rows["verdict"].value_counts().items()))


def _not_judged(parts: list[str]) -> str:
    """The parts without results."""
    if not parts:
        return ""
    return f"Not judged, as their experiments have not run: {'; '.join(PARTS[part] for part in parts)}.\n"


def _overview(rows: pd.DataFrame, metadata: dict) -> Overview:
    part, titles = metadata["part"], metadata["titles"]
    shown = pd.DataFrame([_cells(row, titles) for row in rows.to_dict("records")], dtype=str)
    note = "\n\n".join(filter(None, [metadata["fidelity"], metadata["remark"]]))
    explained = rows[["id", "claim", "measures"]][rows["measures"] != ""].drop_duplicates()
    measures = list(explained.itertuples(index=False, name=None))
    intervals = _intervals(rows, part, metadata["confidence"]) + _pairs(rows)
    title = PARTS[part]
    if note.startswith(OWN_STUDY):  # which has none of the paper's sections and figures
        title = title.partition(" (")[0]
    return Overview(part, title, note, counts(rows), shown, intervals, measures)


def _intervals(rows: pd.DataFrame, part: str, confidence: float) -> str:
    """What the intervals cover, and how many wrong verdicts so many rows let expect."""
    judged = int(np.isfinite(rows["p"]).sum())
    if not np.isfinite(rows["low"]).any():
        return ""
    text = (_over_architectures if part == "imagenet" else _over_runs)(part, f"{100 * confidence:g} %")
    if judged:
        rate = 1 - confidence
        text += (
            f". Where each of {judged} verdicts is wrong {rate:.0%} of the time, {judged * rate:.2g} wrong ones are to be "
            f"expected; the {int(rows['survives'].sum())} marked {SURVIVES} survive Holm's correction for all of them"
        )
    return f"{text}."


def _over_runs(part: str, confidence: str) -> str:
    text = (
        f"Intervals are {confidence} Student t intervals over paired runs. They cover what changes from run to run "
        f"({_VARIES.get(part, 'seeds')}), not the choice of data set"
    )
    if part == "images":
        text += (
            ", of training images where a preset takes some of them (one draw for all runs), or of test images, which all runs "
            "share: of n of them the standard error of an accuracy a is sqrt(a (1 - a) / n), at most 50 / sqrt(n) points: 1.6 "
            "where they are 1,000, 0.5 where they are 10,000"
        )
    return text


def _over_architectures(part: str, confidence: str) -> str:
    return (
        f"Intervals of sign tests are {confidence} intervals of Clopper and Pearson, with architectures in place of runs: they say how "
        "often one way of training wins among such architectures on this data set. All share their pictures, so the two tests, and "
        "the votes within one, are not independent of the choice of pictures; and one run says nothing of what other seeds would "
        "give. Where there are three runs or more, the intervals of single architectures are Student's over the runs"
    )


def _pairs(rows: pd.DataFrame) -> str:
    """How many rows of two runs have both on the claim's side."""
    pairs = rows[(rows["verdict"] == NO_VERDICT) & (rows["runs"] == 2)]
    if pairs.empty:
        return ""
    return (
        f" Of {len(pairs)} rows with two runs, {int((pairs['on_its_side'] == 2).sum())} have both on the claim's side, and "
        f"{int((pairs['on_its_side'] == 0).sum())} have none; by chance each would be a quarter."
    )


def _terms(part: Overview) -> str:
    """What a reader of the table has to know of its numbers: how much a loss is, and what two words in it stand for."""
    if part.part != "images" or part.rows.empty:
        return ""
    text = f"A uniform guess among K classes has an ERR of ln K: {math.log(10):.2f} of ten, {math.log(100):.2f} of a hundred."
    if part.rows["statistic"].str.contains("at the end").any():
        text += (
            " *At the end*: mean of the last tenth of the evaluations. *On average*: of the mean of the runs' curves, from "
            "which single runs can differ."
        )
    return f"{text}\n\n"


_VARIES = {
    "tabular": "split, hyper-parameters, initial weights, batches",
    "images": "initial weights, batches, validation images",
}


def _cells(row: dict, titles: dict[str, str]) -> dict[str, str]:
    return {
        "id": row["id"],
        "claim": row["claim"],
        "data": titles.get(row["dataset"], row["dataset"]),
        "statistic": row["statistic"],
        "value": f"{row['value']:.3g}" if np.isfinite(row["value"]) else "-",
        "interval": f"{row['low']:.3g} to {row['high']:.3g}" if np.isfinite(row["low"]) else "-",
        "runs": _runs(row),
        "threshold": row["threshold"] or "-",
        "effect": _titled(row["effect"], titles) or "-",
        "verdict": row["verdict"],
        "mark": SURVIVES * bool(row["survives"]),
        "note": row["note"] or "",
    }


def _runs(row: dict) -> str:
    judged = row["threshold"] and row["runs"]
    return f"{row['on_its_side']} of {row['runs']}" if judged else str(row["runs"] or "-")


def _titled(effect: str, titles: dict[str, str]) -> str:
    """Data sets by their titles where an effect names them in brackets."""
    for name, title in titles.items():
        effect = effect.replace(f"({name})", f"({title})")
    return effect


def _section(part: Overview, heading: str) -> str:
    text = "".join(f"**{line}**\n\n" for line in part.note.split("\n\n") if line)
    lines = [
        {key: value for key, value in row.items() if key not in ("mark", "note")}
        | {"verdict": _verdict(f"{row['verdict']} {row['mark']}".strip(), row["note"])}
        for row in part.rows.to_dict("records")
    ]
    text += f"{sentence(part.counts)}.\n\n" + f"{part.intervals.strip()}\n\n" * bool(part.intervals)
    text += _terms(part) + table(lines)
    if part.measures:
        text += f"\n{heading} What is measured\n\n"
        text += "".join(f"- **{id}** {claim}. {measures}\n" for id, claim, measures in part.measures)
    return text


def _verdict(verdict: str, note: str) -> str:
    mark = f"**{verdict}**" if verdict.startswith(FAILS) else verdict
    return f"{mark} ({note})" if note else mark
