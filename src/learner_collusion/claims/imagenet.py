"""The judge of the ImageNet claims (Section 3, Table 1; Figure 6, right): C10 and C11.

A statistic is a function of (claim, cells, settings) that returns the claim's rows: of each architecture, of all of them
together, or of one.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ..records import imagenet, images
from .catalogue import Claim
from .verdict import LEFT_OUT, Measurement, as_frame, decide, for_data_set, named, paired, row, verdict

_NAMES = {"accuracy": "top-1", "top5": "top-5"}
_LACKING = "the data set is not available"


class Cells(NamedTuple):
    """The cells of one architecture: how many runs and learners there should be, and the records of all."""

    model: str
    dataset: str
    learners: int
    runs: range
    records: pd.DataFrame
    available: bool

    def at_best(self, metric: str) -> tuple[pd.DataFrame, dict[int, str]]:
        """The metric at beta 0 and 1, a row per run that has both; why the others do not count."""
        known = imagenet.at_best(self.records, metric, [0.0, 1.0], model=self.model, dataset=self.dataset)
        runs, left_out = paired({f"{_NAMES[metric]} at beta {beta:g}": known[beta] for beta in known}, self.runs)
        return runs.set_axis([0.0, 1.0], axis=1), left_out


def judge(records: pd.DataFrame, metadata: dict, settings) -> pd.DataFrame:
    """The claims of `settings` on the ImageNet records, whose metadata list the data sets that are `missing`.

    `settings` has claims, experiments (by model its data set, learners, betas and runs), titles, confidence and paper (under
    "imagenet" the data sets that are the paper's). Returns a row per claim and what it is measured on, with the columns of
    `records.claims`.
    """
    missing = metadata.get("missing", {})
    cells = [
        Cells(model, e["dataset"], e["learners"], range(e["runs"]), records, e["dataset"] not in missing)
        for model, e in settings.experiments.items()
    ]
    found = (named(claim, STATISTICS)(claim, cells, settings) for claim in settings.claims)
    return as_frame([one for rows in found for one in rows], settings.confidence)


def loss_from_zero_to_one(claim: Claim, cells: list[Cells], settings) -> list[dict]:
    """Of each architecture: what `metric` falls by from beta = 0 to beta = 1."""

    def measured(one: Cells) -> Measurement:
        runs, left_out = one.at_best(claim.options["metric"])
        effect = ""
        if len(runs):
            first, second = runs.mean()
            effect = f"{100 * first:.2f} % against {100 * second:.2f} %"
        name = _NAMES[claim.options["metric"]]
        values = (runs[0.0] - runs[1.0]).to_numpy()
        return Measurement(f"{name}(0) - {name}(1)", values, left_out, effect=effect, note=_diverged(one))

    return [_decided(claim, one, measured, settings) for one in cells]


def signs(claim: Claim, cells: list[Cells], settings) -> list[dict]:
    """Of all architectures: the share whose `metric` is higher at beta = 0 than at 1, mean over the runs, with the interval of
    Clopper and Pearson and the exact p-value of a sign test."""
    name, dataset = _NAMES[claim.options["metric"]], cells[0].dataset
    label = f"{settings.titles.get(dataset, dataset)}, {len(cells)} architectures"
    judged = for_data_set(claim, dataset, dataset in settings.paper["imagenet"])
    caption = f"share of architectures with {name}(0) > {name}(1)"
    found = {one.model: one.at_best(claim.options["metric"])[0] for one in cells if one.available}
    means = {model: (runs[0.0] - runs[1.0]).mean() for model, runs in found.items() if len(runs)}
    votes = [model for model, mean in means.items() if mean != 0]
    agree = sum(means[model] > 0 for model in votes)
    equal, lacking = len(means) - len(votes), len(cells) - len(means)
    counts = [f"{equal} with equal accuracies"] * bool(equal) + [f"{lacking} without both cells"] * bool(lacking)
    note = "; ".join([f"sign test, {len(votes)} architectures", *counts])
    if not votes:
        why = _LACKING if not any(one.available for one in cells) else note
        return [row(judged, label, caption, verdict=LEFT_OUT, note=why)]
    test = stats.binomtest(agree, len(votes), judged.above)
    low, high = test.proportion_ci(settings.confidence, "exact")
    # as one half is the threshold, the exact p-value is the smallest 1 - confidence at which this interval decides
    others = {"runs": len(votes), "on_its_side": agree, "p": float(test.pvalue)}
    found = verdict(low, high, above=judged.above)
    return [row(judged, label, caption, agree / len(votes), low, high, found, note, **others)]


def lead_over_training(claim: Claim, cells: list[Cells], settings) -> list[dict]:
    """Of one architecture: validation accuracy `of` the ensemble, of the learners, their mean, or of "learners minus ensemble", at
    beta = 0 minus that at 1, over training: the lowest but a `share` of the evaluations that both have."""

    def measured(one: Cells) -> Measurement:
        where = {"model": one.model, "dataset": one.dataset}
        first, second = (_curve(claim, one, beta, where) for beta in (0.0, 1.0))
        runs = [run for run in one.runs if run in first.index and run in second.index]
        left_out = {run: "no accuracy over training" for run in one.runs if run not in runs}
        caption = (
            f"accuracy(0) - accuracy(1), {claim.options['of']}: lowest but {claim.options['share']:.0%} of evaluations"
        )
        leads = [(first.loc[run] - second.loc[run]).dropna().sort_values().to_numpy() for run in runs]
        values = np.array([lead[int(claim.options["share"] * len(lead))] for lead in leads])
        effect = ""
        if leads:
            ahead, count = sum((lead > 0).sum() for lead in leads), sum(map(len, leads))
            mean = np.mean([lead.mean() for lead in leads])
            effect = f"ahead at {ahead} of {count} evaluations, {100 * mean:+.1f} points on average"
        return Measurement(caption, values, left_out, effect=effect, note=_diverged(one))

    return [_decided(claim, one, measured, settings) for one in cells if one.model == claim.options["model"]]


STATISTICS = {function.__name__: function for function in (loss_from_zero_to_one, signs, lead_over_training)}


def _curve(claim: Claim, one: Cells, beta: float, where: dict) -> pd.DataFrame:
    of = claim.options["of"]
    if of == "learners":
        return imagenet.learner_curve(one.records, beta, one.learners, **where)
    ensemble = imagenet.curve(one.records, "accuracy", beta, **where)
    return ensemble if of == "ensemble" else imagenet.learner_curve(one.records, beta, one.learners, **where) - ensemble


def _decided(claim: Claim, one: Cells, measure, settings) -> dict:
    """The row of one architecture."""
    dataset, model = (settings.titles.get(name, name) for name in (one.dataset, one.model))
    measured = measure(one)
    if not one.available:
        measured = measured._replace(lacking=_LACKING)
    judged = for_data_set(claim, one.dataset, one.dataset in settings.paper["imagenet"])
    return decide(judged, f"{dataset}, {model}, M = {one.learners}", measured, settings.confidence)


def _diverged(one: Cells) -> str:
    """A note on the runs whose training diverged: they count with their best evaluation before."""
    found = images.diverged(one.records, model=one.model, dataset=one.dataset)
    named_runs = ", ".join(f"run {run} at beta {beta:g}" for run, beta, _ in found)
    return f"diverged, so the best evaluation before counts: {named_runs}" if named_runs else ""
