"""The judge of the tabular claims (Section 6.1): C1 to C5.

A statistic is a function of (claim, records, settings) that returns the claim's rows, as most are measured on each
data set, and some over all of them. Metrics and betas are options of the claim; where the records lack a beta the
nearest one is taken, and the row says which.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from ..records import tabular
from .catalogue import Claim
from .verdict import (
    FAILS,
    HOLDS,
    METRICS,
    UNDECIDED,
    Measurement,
    as_frame,
    decide,
    for_data_set,
    interval,
    named,
    row,
)

_ALL = "all data sets"


def judge(records: pd.DataFrame, metadata: dict, settings) -> pd.DataFrame:
    """The claims of `settings` on the tabular records; `settings` has claims, bootstrap, confidence and seed.

    Returns a row per claim and data set, with the columns of `records.claims`; `metadata` are not needed.
    """
    found = (named(claim, STATISTICS)(claim, records, settings) for claim in settings.claims)
    return as_frame([one for rows in found for one in rows])


def ratio(claim: Claim, records: pd.DataFrame, settings) -> list[dict]:
    """On each data set, the mean of `first` over the mean of `second`."""
    return _on_each(claim, records, settings, "/", _ratio_of_means)


def difference(claim: Claim, records: pd.DataFrame, settings) -> list[dict]:
    """On each data set, the mean of `first` minus the mean of `second`."""
    return _on_each(claim, records, settings, "-", _difference_of_means)


def ratio_on_many(claim: Claim, records: pd.DataFrame, settings) -> list[dict]:
    """The number of data sets on which `ratio` lies above `above`, which has to be at least `share` of them."""
    verdicts = [one["verdict"] for one in ratio(claim, records, settings)]
    if not verdicts:
        return []
    holds, possible = verdicts.count(HOLDS), len(verdicts) - verdicts.count(FAILS)
    needed = claim.options["share"] * len(verdicts)
    found = HOLDS if holds >= needed else FAILS if possible < needed else UNDECIDED
    first, second = (_caption(records, *claim.options[side]) for side in ("first", "second"))
    caption = f"data sets with {first} / {second} > {claim.above:g}"
    return [row(claim, _ALL, caption, holds, verdict=found, threshold=f">= {needed:g} of {len(verdicts)}")]


def mean_of_data_sets(claim: Claim, records: pd.DataFrame, settings) -> list[dict]:
    """The mean of `first` over all data sets and the runs that they share."""
    first = claim.options["first"]
    values = [_at(records, dataset, *first) for dataset in sorted(_datasets(records))]
    if not values:
        return []
    runs = pd.concat(values, axis=1, join="inner").sort_index()
    measured = Measurement(f"mean {_caption(records, *first)}", runs, lambda r: r.mean((1, 2)))
    return [decide(claim, _ALL, measured, settings)]


def increase_ratio(claim: Claim, records: pd.DataFrame, settings) -> list[dict]:
    """On each data set, the increase of ERR when the smallest share of learners is dropped: at the first of `betas`
    over the second."""
    rates, rows = tabular.drop_rates(records), []
    for dataset in _datasets(records) if rates else []:
        sides = [(f"increase_{rates[0]:g}", beta) for beta in claim.options["betas"]]
        runs = _pair(records, dataset, *sides)
        at, against = (f"increase({tabular.nearest_beta(records, beta):g})" for _, beta in sides)
        dropped, judged, note = f"{rates[0]:.0%} dropped", for_data_set(claim, dataset), ""
        measured = Measurement(f"{at} / {against}, {dropped}", runs, _ratio_of_means)
        _, lowest, _ = interval(Measurement(against, runs, lambda r: r.mean(1)[:, 1]), settings)
        # a ratio to what may be no increase at all means nothing: then the difference, with the same threshold
        if judged.above is not None and not lowest > 0:
            factor = judged.above
            measured = Measurement(f"{at} - {factor:g} |{against}|, {dropped}", runs, _excess_over(factor))
            judged, note = replace(judged, above=0), f"judged as a difference: {against} itself may be 0"
        rows.append(decide(judged, dataset, measured, settings, note))
    return rows


def smallest_step(claim: Claim, records: pd.DataFrame, settings) -> list[dict]:
    """On each data set, the smallest growth of the increase of ERR from one drop rate to the next, at `beta`."""
    rates, rows = tabular.drop_rates(records), []
    for dataset in _datasets(records) if len(rates) > 1 else []:
        increases = [_at(records, dataset, f"increase_{rate:g}", claim.options["beta"]) for rate in rates]
        runs = pd.concat(increases, axis=1, join="inner").sort_index()
        measured = Measurement("smallest step between drop rates", runs, lambda r: np.diff(r.mean(1), axis=1).min(1))
        rows.append(decide(for_data_set(claim, dataset), dataset, measured, settings))
    return rows


STATISTICS = {
    function.__name__: function
    for function in (ratio, difference, ratio_on_many, mean_of_data_sets, increase_ratio, smallest_step)
}


def _on_each(claim: Claim, records: pd.DataFrame, settings, sign: str, statistic: Callable) -> list[dict]:
    sides = [claim.options[side] for side in ("first", "second")]
    captions = [_caption(records, *side) for side in sides]
    rows = []
    for dataset in _datasets(records):
        runs, lacking = _pair(records, dataset, *sides), "no complete run"
        if captions[0] == captions[1]:
            runs, lacking = runs[:0], f"no beta near {sides[0][1]:g} was trained"
        measured = Measurement(f" {sign} ".join(captions), runs, statistic, lacking)
        rows.append(decide(for_data_set(claim, dataset), dataset, measured, settings))
    return rows


def _datasets(records: pd.DataFrame) -> list[str]:
    """The data sets of the records, in their order."""
    return list(records["dataset"].unique())


def _caption(records: pd.DataFrame, metric: str, beta: float) -> str:
    return f"{METRICS.get(metric, metric)}({tabular.nearest_beta(records, beta):g})"


def _pair(records: pd.DataFrame, dataset: str, first: tuple, second: tuple) -> pd.DataFrame:
    """Two columns, each a metric at a beta; a row per run that has both."""
    return pd.concat([_at(records, dataset, *side) for side in (first, second)], axis=1, join="inner").sort_index()


def _at(records: pd.DataFrame, dataset: str, metric: str, beta: float) -> pd.Series:
    """One metric at the beta that is closest to `beta`, by run."""
    return tabular.by_beta(records, dataset, metric)[tabular.nearest_beta(records, beta)]


def _ratio_of_means(runs: np.ndarray) -> np.ndarray:
    means = runs.mean(1)
    return means[:, 0] / means[:, 1]


def _difference_of_means(runs: np.ndarray) -> np.ndarray:
    means = runs.mean(1)
    return means[:, 0] - means[:, 1]


def _excess_over(factor: float) -> Callable[[np.ndarray], np.ndarray]:
    """The first mean minus `factor` times the size of the second."""

    def statistic(runs: np.ndarray) -> np.ndarray:
        means = runs.mean(1)
        return means[:, 0] - factor * np.abs(means[:, 1])

    return statistic
