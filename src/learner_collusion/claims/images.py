"""The judge of the image claims (Sections 6.2 and 6.3, Appendix G): C6 to C10 and C12 to C14.

A statistic is a function of (claim, records, panel) that returns what it measures in the cells of one panel of the
claim's experiment. A data set that is not available is left out, and named.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..records import images
from .catalogue import Claim
from .verdict import METRICS, Measurement, as_frame, decide, for_data_set, named


class Panel(NamedTuple):
    """One panel of an experiment: `cell` names its cells up to drop rate, beta and run; the lists ascend."""

    cell: dict
    betas: list[float]
    drop_rates: list[float]


def judge(records: pd.DataFrame, metadata: dict, settings) -> pd.DataFrame:
    """The claims of `settings` on the image records, whose metadata list the data sets that are `missing`.

    `settings` has claims, experiments (those enabled, by name), titles, bootstrap, confidence and seed. Returns a row
    per claim and panel of its experiment, with the columns of `records.claims`.
    """
    rows = []
    for claim in settings.claims:
        statistic, experiment = named(claim, STATISTICS), settings.experiments.get(claim.experiment)
        for panel in _panels(experiment) if experiment else ():
            measured, cell = statistic(claim, records, panel), panel.cell
            if cell["dataset"] in metadata.get("missing", {}):
                measured = measured._replace(runs=measured.runs[:0], lacking="the data set is not available")
            dataset, model = (settings.titles.get(name, name) for name in (cell["dataset"], cell["model"]))
            label = f"{dataset}, {model}, M = {cell['learners']}"
            rows.append(decide(for_data_set(claim, cell["dataset"]), label, measured, settings))
    return as_frame(rows)


def last_gap(claim: Claim, records: pd.DataFrame, panel: Panel) -> Measurement:
    """How much larger the generalisation gap, test ERR minus training ERR, is at beta = 1 at the end of training."""
    test, train = (_joint_minus_independent(records, panel, split, "err") for split in ("test", "train"))
    return Measurement("gap(1) - gap(0) at the end of training", _last(test - train), _mean)


def last_difference(claim: Claim, records: pd.DataFrame, panel: Panel) -> Measurement:
    """`metric` on `split`: beta = 1 minus beta = 0 at the end of training."""
    difference = _joint_minus_independent(records, panel, **claim.options)
    return Measurement(f"{_difference_caption(**claim.options)} at the end of training", _last(difference), _mean)


def mean_difference(claim: Claim, records: pd.DataFrame, panel: Panel) -> Measurement:
    """`metric` on `split`: beta = 1 minus beta = 0, mean over all of training."""
    difference = _joint_minus_independent(records, panel, **claim.options).mean(axis=1, skipna=False)
    return Measurement(f"{_difference_caption(**claim.options)}, mean over training", difference, _mean)


def peak(claim: Claim, records: pd.DataFrame, panel: Panel) -> Measurement:
    """When in training `metric` on `split` is largest at `beta`: 1 is the end."""
    options = claim.options
    curve = _curve(records, panel, options["split"], options["metric"], options["beta"]).dropna(how="all")
    when = curve.idxmax(axis=1) / curve.columns.max() if len(curve) else pd.Series(dtype=float)
    return Measurement(f"time of the largest {_name(options['metric'])}, as a share of training", when, _mean)


def worst_at_one(claim: Claim, records: pd.DataFrame, panel: Panel) -> Measurement:
    """Margin by which beta = 1 is worse than every other beta in `metric`, accuracy or a loss."""
    metric = claim.options["metric"]
    sign, name = (1, "accuracy") if metric == "accuracy" else (-1, _name(metric))
    margin = f"lowest {name}(beta < 1) - {name}(1)" if sign == 1 else f"{name}(1) - highest {name}(beta < 1)"
    others = [beta for beta in panel.betas if beta != 1]
    runs = _by_beta(records, panel, metric)[[*others, 1.0]]

    def statistic(resampled: np.ndarray) -> np.ndarray:
        means = sign * resampled.mean(1)
        return means[:, :-1].min(1) - means[:, -1]

    return _unless(not others, "there is no other beta", Measurement(margin, runs, statistic))


def learner_loss(claim: Claim, records: pd.DataFrame, panel: Panel) -> Measurement:
    """The accuracy that learners lose from beta = 0 to 1, mean over the learners."""
    learners = _by_beta(records, panel, "accuracy", of_learners=True)
    return Measurement("mean learner accuracy(0) - accuracy(1)", learners[0.0] - learners[1.0], _mean)


def learner_loss_beyond_ensemble(claim: Claim, records: pd.DataFrame, panel: Panel) -> Measurement:
    """The same, minus what their ensemble loses."""
    learners = _by_beta(records, panel, "accuracy", of_learners=True)
    ensemble = _by_beta(records, panel, "accuracy")
    more = (learners[0.0] - learners[1.0]) - (ensemble[0.0] - ensemble[1.0])
    return Measurement("mean learner accuracy(0) - accuracy(1), minus the ensemble's", more.dropna(), _mean)


def best_between(claim: Claim, records: pd.DataFrame, panel: Panel) -> Measurement:
    """How far the lowest loss at a beta between 0 and 1 lies below that of beta 0 and of beta 1."""
    name, between = _name(claim.options["metric"]), [beta for beta in panel.betas if 0 < beta < 1]
    runs = _by_beta(records, panel, claim.options["metric"])[[0.0, 1.0, *between]]

    def statistic(resampled: np.ndarray) -> np.ndarray:
        means = resampled.mean(1)
        return means[:, :2].min(1) - means[:, 2:].min(1)

    measured = Measurement(f"lower {name} of beta 0 and 1 - lowest {name} between", runs, statistic)
    return _unless(not between, "there is no beta between 0 and 1", measured)


def fall_when_dropped(claim: Claim, records: pd.DataFrame, panel: Panel) -> Measurement:
    """How far `metric` falls at beta = 1 from no dropped learners to the largest drop rate."""
    name, most = _name(claim.options["metric"]), panel.drop_rates[-1]
    caption = f"{name} without dropping - at drop rate {most:g}"
    return _by_drop_rate(claim, records, panel, caption, lambda means: means[:, 0] - means[:, -1])


def rise_when_dropped(claim: Claim, records: pd.DataFrame, panel: Panel) -> Measurement:
    """How far `metric` rises at beta = 1 from no dropped learners to the largest drop rate."""
    name, most = _name(claim.options["metric"]), panel.drop_rates[-1]
    caption = f"{name} at drop rate {most:g} - without dropping"
    return _by_drop_rate(claim, records, panel, caption, lambda means: means[:, -1] - means[:, 0])


def no_gain_when_dropped(claim: Claim, records: pd.DataFrame, panel: Panel) -> Measurement:
    """How far `metric` at beta = 1 with the best drop rate lies below that without dropping."""
    name = _name(claim.options["metric"])
    caption = f"{name} without dropping - highest with dropping"
    return _by_drop_rate(claim, records, panel, caption, lambda means: means[:, 0] - means[:, 1:].max(1))


STATISTICS = {
    function.__name__: function
    for function in (
        last_gap, last_difference, mean_difference, peak, worst_at_one, learner_loss, learner_loss_beyond_ensemble,
        best_between, fall_when_dropped, rise_when_dropped, no_gain_when_dropped,
    )
}  # fmt: skip


def _panels(experiment: dict) -> Iterator[Panel]:
    shared = {"protocol": experiment["protocol"], "averaging": experiment["averaging"]}
    betas, drop_rates = (sorted(map(float, experiment[key])) for key in ("betas", "drop_rates"))
    for dataset, model, learners in itertools.product(*(experiment[key] for key in ("datasets", "models", "learners"))):
        yield Panel({**shared, "dataset": dataset, "model": model, "learners": learners}, betas, drop_rates)


def _curve(records: pd.DataFrame, panel: Panel, split: str, metric: str, beta: float) -> pd.DataFrame:
    return images.curve(records, split, metric, beta=float(beta), drop_rate=0.0, **panel.cell)


def _joint_minus_independent(records: pd.DataFrame, panel: Panel, split: str, metric: str) -> pd.DataFrame:
    """A metric over training, beta = 1 minus beta = 0: a row per run that has both, NaN after an early stop."""
    joint, independent = (_curve(records, panel, split, metric, beta) for beta in (1, 0))
    both = joint.index.intersection(independent.index).sort_values()
    return joint.loc[both] - independent.loc[both]


def _difference_caption(split: str, metric: str) -> str:
    return f"{split} {_name(metric)}(1) - {_name(metric)}(0)"


def _last(curves: pd.DataFrame) -> pd.Series:
    return curves.iloc[:, -1:].sum(axis=1, skipna=False)


def _by_beta(records: pd.DataFrame, panel: Panel, metric: str, of_learners: bool = False) -> pd.DataFrame:
    return images.at_best(records, metric, "beta", of_learners, levels=panel.betas, drop_rate=0.0, **panel.cell)


def _by_drop_rate(claim: Claim, records: pd.DataFrame, panel: Panel, caption: str, change) -> Measurement:
    metric = claim.options["metric"]
    runs = images.at_best(records, metric, "drop_rate", levels=panel.drop_rates, beta=1.0, **panel.cell)
    measured = Measurement(caption, runs, lambda resampled: change(resampled.mean(1)))
    return _unless(len(panel.drop_rates) < 2, "there is one drop rate alone", measured)


def _unless(impossible: bool, why: str, measured: Measurement) -> Measurement:
    """The measurement, without its runs where the panel has too little to compare."""
    return measured._replace(runs=measured.runs[:0], lacking=why) if impossible else measured


def _name(metric: str) -> str:
    return METRICS.get(metric, metric)


def _mean(runs: np.ndarray) -> np.ndarray:
    return runs.mean(1)
