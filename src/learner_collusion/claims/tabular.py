"""The judge of the tabular claims (Section 6.1): C1 to C5.

A statistic is a function of (claim, tables, settings) that returns the claim's rows, as most are measured on each data
set, and some over several. Metrics and betas are options of the claim. Beta 0 and 1 are exact; in place of a beta between
that the records lack, the nearest one between 0 and 1 is taken, and the row says which.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..measures import count_dropped, expected_increase
from ..records import tabular
from . import verdict
from .catalogue import Claim
from .exact import exp, log
from .verdict import METRICS, Measurement, as_frame, decide, for_data_set, named, paired, row

ALL = "all data sets"


class Table(NamedTuple):
    """The records of one data set. `runs`: those that there should be; `of_the_paper`: whether its claims are the paper's."""

    name: str
    records: pd.DataFrame
    runs: range
    of_the_paper: bool


Side = tuple[str, float]  # a metric at a beta


def judge(records: pd.DataFrame, metadata: dict, settings) -> pd.DataFrame:
    """The claims of `settings` on the tabular records.

    `settings` has claims, confidence, runs (how many each data set should have) and paper (under "tabular" the names of the
    data sets that are the paper's). Returns a row per claim and data set, with the columns of `records.claims`; `metadata`
    are not needed.
    """
    tables = [
        Table(name, known, range(settings.runs), name in settings.paper["tabular"])
        for name, known in records.groupby("dataset", sort=False)
    ]
    found = (named(claim, STATISTICS)(claim, tables, settings) for claim in settings.claims)
    return as_frame([one for rows in found for one in rows], settings.confidence)


def ratio(claim: Claim, tables: list[Table], settings) -> list[dict]:
    """On each data set, `first` over `second`: geometric mean of the runs."""

    def measured(table: Table) -> Measurement:
        return _ratio(table, claim.options["first"], claim.options["second"])

    return _on_each(claim, tables, settings, measured)


def difference(claim: Claim, tables: list[Table], settings) -> list[dict]:
    """On each data set, `first` minus `second`; the effect shows both means, and of what is no share their difference in
    percent."""

    def measured(table: Table) -> Measurement:
        sides = _sides(table, claim.options["first"], claim.options["second"])
        runs, left_out = _runs(table, sides)
        values = (runs.iloc[:, 0] - runs.iloc[:, 1]).to_numpy()
        effect = ""
        if len(runs):
            first, second = runs.mean()
            effect = f"{first:.3g} against {second:.3g}"
            if second > 0 and claim.options["first"][0] != "bias_share":  # percent of a share say nothing
                effect += f" ({first / second - 1:+.1%})"
        return Measurement(
            " - ".join(_caption(*side) for side in sides), values, left_out, effect=effect, note=_diverged(table, sides)
        )

    return _on_each(claim, tables, settings, measured)


def ratio_at_most_betas(claim: Claim, tables: list[Table], settings) -> list[dict]:
    """On each data set, `metric` at a beta between 0 and 1 over that at 0, at the beta that more than half of those trained
    do not exceed: the order statistic of the ratios."""

    def measured(table: Table) -> Measurement:
        metric = claim.options["metric"]
        between = [beta for beta in sorted(table.records["beta"].unique()) if 0 < beta < 1]
        rank = len(between) // 2 + 1
        name = METRICS.get(metric, metric)
        caption = f"{name}(beta) / {name}(0): smallest but {rank - 1} of {len(between)} betas"
        if not between:
            return Measurement(caption, np.empty(0), lacking=_NONE_BETWEEN)
        sides = [(metric, 0), *((metric, beta) for beta in between)]
        runs, left_out = _runs(table, sides, positive=True)
        ratios = runs.iloc[:, 1:].to_numpy() / runs.iloc[:, :1].to_numpy()
        means = exp(log(ratios).mean(0)) if len(ratios) else np.full(len(between), np.nan)
        beyond = [beta for beta, mean in zip(between, means, strict=True) if claim.below and mean >= claim.below]
        from_where = f", beyond {claim.below:g} from beta {beyond[0]:g}" if beyond else ""
        effect = f"{means[-1]:.2g} at beta {between[-1]:g}{from_where}" if len(ratios) else ""
        note = _diverged(table, sides)
        return Measurement(caption, ratios[:, :, None], left_out, rank, ratio=True, effect=effect, note=note)

    return _on_each(claim, tables, settings, measured)


def ratio_on_many(claim: Claim, tables: list[Table], settings) -> list[dict]:
    """The number of data sets on which `ratio` lies above `above`, which has to be at least `share` of them."""

    def tally(name: str, group: list[Table]) -> dict:
        verdicts = [one["verdict"] for one in ratio(claim, group, settings)]
        holds, possible = verdicts.count(verdict.HOLDS), len(verdicts) - verdicts.count(verdict.FAILS)
        needed = claim.options["share"] * len(verdicts)
        found = verdict.HOLDS if holds >= needed else verdict.FAILS if possible < needed else verdict.UNDECIDED
        note = "counts the verdicts on the single data sets"
        if verdict.NO_VERDICT in verdicts and found == verdict.UNDECIDED:
            found, note = verdict.NO_VERDICT, "too few runs for a verdict on the single data sets"
        first, second = (_caption(*claim.options[side]) for side in ("first", "second"))
        caption, threshold = f"data sets with {first} / {second} > {claim.above:g}", f">= {needed:g} of {len(verdicts)}"
        judged = for_data_set(claim, name, group[0].of_the_paper)
        return row(judged, name, caption, holds, verdict=found, threshold=threshold, note=note)

    return [tally(name, group) for name, group in _groups(tables)]


def mean_of_data_sets(claim: Claim, tables: list[Table], settings) -> list[dict]:
    """The mean of `first` over several data sets and the runs that they share."""
    metric, beta = claim.options["first"]

    def mean(name: str, group: list[Table]) -> dict:
        columns = {table.name: _at(table, metric, beta) for table in group}
        runs, left_out = paired(columns, range(settings.runs))
        each = runs.mean().sort_values(kind="stable")
        effect = f"{each.iloc[0]:.2g} ({each.index[0]}) to {each.iloc[-1]:.2g} ({each.index[-1]})" if len(runs) else ""
        caption = f"mean {_caption(metric, beta)} of {len(group)} data sets"
        measured = Measurement(caption, runs.mean(axis=1).to_numpy(), left_out, effect=effect)
        return decide(for_data_set(claim, name, group[0].of_the_paper), name, measured, settings.confidence)

    return [mean(name, group) for name, group in _groups(tables)]


def value(claim: Claim, tables: list[Table], settings) -> list[dict]:
    """On each data set, `first` itself."""

    def measured(table: Table) -> Measurement:
        side = tuple(claim.options["first"])
        runs, left_out = _runs(table, [side])
        return Measurement(_caption(*side), runs.iloc[:, 0].to_numpy(), left_out, note=_diverged(table, [side]))

    return _on_each(claim, tables, settings, measured)


def excess_increase(claim: Claim, tables: list[Table], settings) -> list[dict]:
    """On each data set, the increase of ERR when the smallest share of learners is dropped: at the first of `betas` minus
    `factor` times that at the second. The effect is the increase at the first over ERR there."""

    def measured(table: Table) -> Measurement:
        rate, factor = _smallest_rate(table), claim.options["factor"]
        first, second = _sides(table, *((f"increase_{rate:g}", beta) for beta in claim.options["betas"]))
        runs, left_out = _runs(table, [first, second, ("err", first[1])])
        values = (runs.iloc[:, 0] - factor * runs.iloc[:, 1]).to_numpy()
        effect = (
            f"ERR({first[1]:g}) grows by {runs.iloc[:, 0].mean() / runs.iloc[:, 2].mean():.1%}" if len(runs) else ""
        )
        caption = f"increase({first[1]:g}) - {factor:g} increase({second[1]:g}), {rate:.0%} dropped"
        return Measurement(caption, values, left_out, effect=effect, note=_diverged(table, [first, second]))

    return _on_each(claim, _with_rates(tables, 1), settings, measured)


def smallest_step(claim: Claim, tables: list[Table], settings) -> list[dict]:
    """On each data set, the smallest growth of the increase of ERR from one drop rate to the next, at `beta`."""

    def measured(table: Table) -> Measurement:
        rates, beta = tabular.drop_rates(table.records), claim.options["beta"]
        runs, left_out = _runs(table, [*((f"increase_{rate:g}", beta) for rate in rates), ("err", beta)])
        increases = runs.to_numpy()[:, :-1]
        shares = increases.mean(0) / runs.iloc[:, -1].mean() if len(runs) else []
        effect = ", ".join(f"{share:.1%} of ERR at {rate:.0%}" for share, rate in zip(shares, rates, strict=False))
        caption, note = "smallest step between drop rates", _diverged(table, [("err", beta)])
        return Measurement(caption, np.diff(increases)[:, None], left_out, effect=effect, note=note)

    return _on_each(claim, _with_rates(tables, 2), settings, measured)


def increase_over_prediction(claim: Claim, tables: list[Table], settings) -> list[dict]:
    """On each data set, the measured increase of ERR when the largest share of learners is dropped, over what DIV alone
    makes of it: DIV (M - k) / (k (M - 1)) in the mean over all choices of the k learners kept."""

    def measured(table: Table) -> Measurement:
        rate, beta = tabular.drop_rates(table.records)[-1], claim.options["beta"]
        runs, left_out = _runs(table, [(f"increase_{rate:g}", beta), ("div", beta), ("learners", beta)], positive=True)
        increase, div, learners = runs.to_numpy().T
        kept = learners - [count_dropped(one, rate) for one in learners]
        caption = f"increase({beta:g}), {rate:.0%} dropped / DIV({beta:g}) (M - k) / (k (M - 1))"
        return Measurement(caption, increase / expected_increase(div, learners, kept), left_out, ratio=True)

    return _on_each(claim, _with_rates(tables, 1), settings, measured)


STATISTICS = {
    function.__name__: function
    for function in (
        ratio, difference, ratio_at_most_betas, ratio_on_many, mean_of_data_sets, value, excess_increase, smallest_step,
        increase_over_prediction,
    )
}  # fmt: skip

_NONE_BETWEEN = "no beta between 0 and 1 was trained: add some to tabular.betas"


class _NotTrained(Exception):
    """The records lack a beta that the claim needs: the caption of the row, and why it is left out."""


def _on_each(claim: Claim, tables: list[Table], settings, measure: Callable[[Table], Measurement]) -> list[dict]:
    rows = []
    for table in tables:
        try:
            measured = measure(table)
        except _NotTrained as error:
            caption, why = error.args
            measured = Measurement(caption, np.empty(0), lacking=why)
        judged = for_data_set(claim, table.name, table.of_the_paper)
        rows.append(decide(judged, table.name, measured, settings.confidence))
    return rows


def _groups(tables: list[Table]) -> list[tuple[str, list[Table]]]:
    """The data sets that are the paper's, and the others, with a name for each; of one data set there is no mean or count."""
    paper, others = ([table for table in tables if table.of_the_paper is ours] for ours in (True, False))
    names = (("the paper's data sets", paper), ("other data sets", others))
    both = bool(paper and others)
    return [(name if both else ALL, group) for name, group in names if len(group) > 1]


def _with_rates(tables: list[Table], least: int) -> list[Table]:
    """The data sets of which at least so many drop rates were evaluated."""
    return [table for table in tables if len(tabular.drop_rates(table.records)) >= least]


def _smallest_rate(table: Table) -> float:
    return tabular.drop_rates(table.records)[0]


def _ratio(table: Table, *sides: Side) -> Measurement:
    sides = _sides(table, *sides)
    runs, left_out = _runs(table, sides, positive=True)
    values = (runs.iloc[:, 0] / runs.iloc[:, 1]).to_numpy()
    caption, note = " / ".join(_caption(*side) for side in sides), _diverged(table, sides)
    return Measurement(caption, values, left_out, ratio=True, note=note)


def _sides(table: Table, *sides: Side) -> list[Side]:
    """The sides with the betas that the records have."""
    found = [(metric, tabular.nearest_beta(table.records, beta)) for metric, beta in sides]
    for (_, wanted), (_, beta) in zip(sides, found, strict=True):
        if beta is None:
            why = _NONE_BETWEEN if 0 < wanted < 1 else f"beta {wanted:g} was not trained"
            raise _NotTrained(", ".join(_caption(*side) for side in sides), why)
    return found


def _diverged(table: Table, sides: Sequence[Side]) -> str:
    """A note on the runs whose training diverged at one of the betas compared, where their best epoch counts."""
    betas = sorted({beta for _, beta in sides})
    counts = {beta: _at(table, "err", beta).dropna().index for beta in betas}
    found = [f"{run} at beta {beta:g}" for beta in betas for run in _epochs(table, beta) if run in counts[beta]]
    return f"diverged, so the best epoch before counts: run {', run '.join(found)}" if found else ""


def _epochs(table: Table, beta: float) -> dict[int, int]:
    """The epoch in which training at `beta` diverged, of the runs in which it did."""
    known = _at(table, "diverged", beta)
    return known[(known > 0) & np.isfinite(known)].astype(int).to_dict()


def _runs(table: Table, sides: Sequence[Side], positive: bool = False) -> tuple[pd.DataFrame, dict[int, str]]:
    """A column per side and a row per run that has them all; why the others do not count. `positive`
    leaves out what no ratio can be formed of."""
    columns = {f"{metric} at beta {beta:g}": _at(table, metric, beta) for metric, beta in sides}
    if positive:
        columns = {f"positive {name}": column.where(column > 0) for name, column in columns.items()}
    runs, left_out = paired(columns, table.runs)
    for beta in sorted({beta for _, beta in sides}):
        lost = set(_epochs(table, beta)) & set(left_out) - set(_at(table, "err", beta).dropna().index)
        left_out |= {run: f"diverged at beta {beta:g}, epoch {_epochs(table, beta)[run]}" for run in lost}
    return runs, left_out


def _at(table: Table, metric: str, beta: float) -> pd.Series:
    """One metric at one beta, by run."""
    known = tabular.by_beta(table.records, table.name, metric)
    return known[beta] if beta in known else pd.Series(dtype=float)


def _caption(metric: str, beta: float) -> str:
    return f"{METRICS.get(metric, metric)}({beta:g})"
