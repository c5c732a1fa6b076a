"""What a terminal shows when a run has finished: verdicts on the claims, the results in two sentences, where to look."""

import re
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console, RenderableType
from rich.table import Column, Table
from rich.text import Text

from ..claims.catalogue import OWN_STUDY
from ..claims.verdict import FAILS, HOLDS, UNDECIDED
from ..records import parquet
from ..records.claims import CLAIMS
from ..records.tabular import RECORDS, by_beta, drop_rates
from .claims import Overview, overview, sentence

_WIDTH = 80
_COLOURS = {HOLDS: "green", FAILS: "bold red", UNDECIDED: "yellow"}
# To be opened first where there is no page: the first of them that was made.
_FIRST = ("fig2_diversity", "fig6_practical", "fig15_cnn", "fig18_learner_dropout")


def show(results: str | Path, console: Console | None = None) -> None:
    """Print the end page of the results in a folder such as results/, at most 80 columns wide.

    Errors: UserError where the claims are missing or damaged.
    """
    results, console = Path(results), console or Console()
    width = min(_WIDTH, console.width)
    for part in overview(results / "claims.parquet"):
        for shown in _part(part):
            console.print(shown, width=width)
    tabular = results / "records/tabular.parquet"
    if tabular.exists():
        claims = parquet.read(results / "claims.parquet", CLAIMS)
        console.print(Text("\n" + " ".join(findings(parquet.read(tabular, RECORDS), claims))), width=width)
    for line in _where(results):
        console.print(line, width=width)


def findings(records: pd.DataFrame, claims: pd.DataFrame | None = None) -> list[str]:
    """Two sentences on the tabular records: how diversity and codependence at beta = 1 compare with independent training,
    and what becomes of the test error.

    `claims` are the judged ones, with the columns of `records.claims`. A sentence says where its claim does not hold, and a
    change whose interval covers 0 is called none; without claims the sentences tell of these runs alone.
    """
    growth, increases, changes = [], [], []
    rates = drop_rates(records)
    complete = [name for name in records["dataset"].unique() if len(_ends(records, name, "err"))]
    if not complete:
        return [
            "No run has numbers at beta = 0 and 1: training diverged. Lower the learning rates in tabular.tuning.grid."
        ]
    for dataset in complete:
        means = {metric: _ends(records, dataset, metric).mean() for metric in ("div", "err")}
        runs = np.log(_ends(records, dataset, "div"))
        growth.append(np.exp((runs[1.0] - runs[0.0]).mean()))  # the geometric mean, as the claims have it
        changes.append(_Change(*means["err"][[1.0, 0.0]], *_interval(claims, dataset)))
        if rates:
            lost = _ends(records, dataset, f"increase_{rates[0]:g}").mean()
            increases.append([100 * lost[beta] / means["err"][beta] for beta in (0.0, 1.0)])
    count = len(complete)
    where = f" over {count} data sets" if count > 1 else ""
    first = f"At beta = 1, joint training, diversity is {_range(growth)} times that of independent training{where}"
    first += _doubt(claims, "C1a", complete, "whether it is more than ten times that")
    if rates:
        independent, joint = zip(*increases, strict=True)
        doubt = _doubt(claims, "C5a", complete, "whether it costs more than five times as much as between 0 and 1")
        raises = "in these runs raised" if doubt else "raises"
        first += (
            f", and dropping {rates[0]:.0%} of the learners {raises} the test error by {_range(joint)}%, "
            f"against {_range(independent)}% at beta = 0{doubt}"
        )
    return [f"{first}.", _of_error(changes)]


class _Change(NamedTuple):
    """The mean test error of a data set at beta 1 and 0, and the interval of their difference, NaN where there is none."""

    joint: float
    independent: float
    low: float
    high: float

    def percent(self, difference: float) -> float:
        return 100 * difference / self.independent


def _of_error(changes: list[_Change]) -> str:
    """What becomes of the test error, and whether that is more than what the runs vary by."""
    error, ends = "The test error of the full ensemble itself", "from beta = 0 to beta = 1"
    by = _range([one.percent(one.joint - one.independent) for one in changes], sign=True)
    if not all(np.isfinite(one.low) for one in changes):
        return (
            f"{error} changes by {by}% {ends}, in so few runs that no interval says whether that is more than chance."
        )
    beyond = [one for one in changes if one.low > 0 or one.high < 0]
    if len(changes) == 1:
        low, high = (_number(changes[0].percent(end), sign=True) for end in changes[0][2:])
        if beyond:
            return f"{error} changes by {by}% {ends} (interval {low}% to {high}%)."
        return f"{error} does not change beyond what the runs vary {ends} ({by}%, interval {low}% to {high}%)."
    if not beyond:
        return f"{error} does not change beyond what the runs vary {ends} on any data set ({by}%)."
    return f"{error} changes by {by}% {ends}, beyond what the runs vary on {len(beyond)} of {len(changes)} data sets."


def _interval(claims: pd.DataFrame | None, dataset: str) -> tuple[float, float]:
    """Of the difference of the test errors at beta 1 and 0, as the claim on it has it."""
    mine = [] if claims is None else claims[(claims["id"] == "C3") & (claims["dataset"] == dataset)]
    return (float(mine["low"].iloc[0]), float(mine["high"].iloc[0])) if len(mine) else (np.nan, np.nan)


def _doubt(claims: pd.DataFrame | None, id: str, datasets: list[str], asked: str) -> str:
    """In brackets what a claim's rows on these data sets leave undecided or deny; nothing where all hold."""
    if claims is None:
        return ""
    verdicts = list(claims[(claims["id"] == id) & claims["dataset"].isin(datasets)]["verdict"])
    if verdicts and set(verdicts) == {HOLDS}:
        return ""
    if len(datasets) > 1:
        return f" ({asked}: it does on {verdicts.count(HOLDS)} of {len(datasets)} data sets)"
    found = "no" if verdicts == [FAILS] else "undecided" if verdicts == [UNDECIDED] else "no verdict"
    return f" ({asked}: {found})"


def _ends(records: pd.DataFrame, dataset: str, metric: str) -> pd.DataFrame:
    """The metric at beta 0 and 1 of the runs that have both."""
    return by_beta(records, dataset, metric)[[0.0, 1.0]].dropna()


def _range(values, sign: bool = False) -> str:
    """The values in words, "21" or "45 to 117"."""
    low, high = (_number(value, sign) for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _number(value: float, sign: bool) -> str:
    digits = 0 if abs(value) >= 10 else 1 if abs(value) >= 1 else 2
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    return "0" if not float(text) else text


def _part(part: Overview) -> Iterator[RenderableType]:
    """What is shown of one part of the paper: each claim on tables, of another part only how many hold."""
    style = "" if part.note.startswith(OWN_STUDY) else "red"
    note = [Text(textwrap.shorten(part.note, 2 * _WIDTH, placeholder=" ..."), style=style)] if part.note else []
    if part.part != "tabular":
        total = sum(part.counts.values())
        line = f"{part.counts[HOLDS]} of {total} identities hold" if part.part == "theory" else sentence(part.counts)
        yield from [Text(f"\n{part.title}: {line}."), *note]
        return
    yield from [Text(f"\n{part.title}: {sentence(part.counts)}.", style="bold"), *note]
    yield _lines([("data", "value", "interval", "verdict")], "dim")
    for _, rows in part.rows.groupby(["id", "claim", "statistic"], sort=False):
        first = rows.iloc[0]
        words = re.sub(r" \([^()]*\)$", "", first["claim"])  # without the place in the paper
        claim = Table.grid(Column(width=5), Column())
        claim.add_row(Text(first["id"]), Text(f"{words}: ").append(first["statistic"], style="dim"))
        yield claim
        yield _lines(rows[["data", "value", "interval", "verdict"]].itertuples(index=False))


def _lines(rows: Iterable[tuple[str, str, str, str]], style: str = "") -> Table:
    """A line per data, value, interval and verdict, in the same columns for every claim."""
    lines = Table.grid(
        Column(width=5), Column(width=25, overflow="fold"), Column(width=10, justify="right", no_wrap=True),
        Column(width=23, justify="right", no_wrap=True), Column(width=2), Column(width=13, no_wrap=True),
    )  # fmt: skip
    for *cells, verdict in rows:
        found = Text(verdict, style=style or _COLOURS.get(verdict, "dim"))
        lines.add_row("", *(Text(cell, style=style) for cell in cells), "", found)
    return lines


def _where(results: Path) -> Iterator[Text]:
    yield Text()
    made = [results / "report.html", *(results / f"figures/{name}.png" for name in _FIRST)]
    if first := next((path for path in made if path.exists()), None):
        yield Text(f"Open first: {first}", style="bold")
    yield Text(f"Figures:    {results / 'figures'} (PDF, PNG, and their numbers as CSV)")
    yield Text(f"Claims:     {results / 'claims.md'}")
    if (results / "tables").exists():
        yield Text(f"Tables:     {results / 'tables'}")
