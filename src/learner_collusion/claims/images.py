"""The judge of the image claims (Sections 6.2 and 6.3, Appendix G): C6 to C10, C12 to C14 and C16 to C20.

A statistic is a function of (claim, panel) that returns what it measures in the cells of one panel of the claim's
experiment: of its curves over training in `curves`, of its best evaluations here. A data set that is not available is left
out, and named.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd

from . import curves
from .catalogue import Claim
from .panel import Panel
from .verdict import METRICS, Measurement, as_frame, decide, for_data_set, named, paired


def judge(records: pd.DataFrame, metadata: dict, settings) -> pd.DataFrame:
    """The claims of `settings` on the image records, whose metadata list the data sets that are `missing`.

    `settings` has claims, experiments (those enabled, by name), titles, confidence and paper (by experiment the pairs
    "<data set>/<model>" that are the paper's). Returns a row per claim and panel of its experiment, with the columns of
    `records.claims`.
    """
    rows = []
    for claim, panel, measured in measurements(settings.claims, settings.experiments, records):
        cell = panel.cell
        if cell["dataset"] in metadata.get("missing", {}):
            measured = measured._replace(lacking="the data set is not available")
        dataset, model = (settings.titles.get(name, name) for name in (cell["dataset"], cell["model"]))
        label = f"{dataset}, {model}, M = {cell['learners']}"
        of_the_paper = f"{cell['dataset']}/{cell['model']}" in settings.paper.get(claim.experiment, [])
        judged = for_data_set(claim, cell["dataset"], of_the_paper)
        rows.append(decide(judged, label, measured, settings.confidence))
    return as_frame(rows, settings.confidence)


def measurements(
    claims: Iterable[Claim], experiments: dict, records: pd.DataFrame
) -> Iterator[tuple[Claim, Panel, Measurement]]:
    """What each claim measures in each panel of its experiment, of those `experiments` (by name) that are enabled."""
    for claim in claims:
        statistic, experiment = named(claim, STATISTICS), experiments.get(claim.experiment)
        for panel in _panels(experiment, records, experiments) if experiment else ():
            yield claim, panel, statistic(claim, panel)


def worst_at_one(claim: Claim, panel: Panel) -> Measurement:
    """Margin by which beta = 1 is worse than every other beta in `metric`, accuracy or a loss."""
    metric = claim.options["metric"]
    sign, name = (1, "accuracy") if metric == "accuracy" else (-1, _name(metric))
    caption = f"lowest {name}(beta < 1) - {name}(1)" if sign == 1 else f"{name}(1) - highest {name}(beta < 1)"
    others = [beta for beta in panel.betas if beta != 1]
    if not others:
        return Measurement(caption, np.empty(0), lacking="there is no other beta")
    runs, left_out = _at_best(panel, metric, [*others, 1.0])
    margins = sign * (runs[others].to_numpy() - runs[[1.0]].to_numpy())
    effect = ""
    if len(runs):
        means = sign * runs.mean()
        effect = f"worst at beta {means.idxmin():g}, best at {means.idxmax():g}"
    return Measurement(caption, margins[:, None, :], left_out, effect=effect, note=_diverged(panel))


def loss_from_zero_to_one(claim: Claim, panel: Panel) -> Measurement:
    """What `metric` falls by from beta = 0 to beta = 1."""
    runs, left_out = _at_best(panel, claim.options["metric"], [0.0, 1.0])
    name, values = _name(claim.options["metric"]), (runs[0.0] - runs[1.0]).to_numpy()
    return Measurement(f"{name}(0) - {name}(1)", values, left_out, note=_diverged(panel))


def learner_loss(claim: Claim, panel: Panel) -> Measurement:
    """The accuracy that learners lose from beta = 0 to 1, mean over the learners."""
    runs, left_out = _at_best(panel, "accuracy", [0.0, 1.0], of_learners=True)
    values = (runs[0.0] - runs[1.0]).to_numpy()
    return Measurement("mean learner accuracy(0) - accuracy(1)", values, left_out, note=_diverged(panel))


def learner_loss_beyond_ensemble(claim: Claim, panel: Panel) -> Measurement:
    """The same, minus what their ensemble loses."""
    learners, ensemble = (panel.at_best("accuracy", of_learners=which)[[0.0, 1.0]] for which in (True, False))
    columns = {f"accuracy of the learners at beta {b:g}": learners[b] for b in learners}
    columns |= {f"accuracy at beta {b:g}": ensemble[b] for b in ensemble}
    runs, left_out = paired(columns, panel.runs)
    left_out = panel.name_diverged(left_out)
    of_learners, of_ensemble = (runs.iloc[:, i] - runs.iloc[:, i + 1] for i in (0, 2))
    values, caption = (
        (of_learners - of_ensemble).to_numpy(),
        "mean learner accuracy(0) - accuracy(1), minus the ensemble's",
    )
    return Measurement(caption, values, left_out, note=_diverged(panel))


def best_between(claim: Claim, panel: Panel) -> Measurement:
    """How far the lowest loss at a beta between 0 and 1 lies below that of beta 0 and of beta 1."""
    name, between = _name(claim.options["metric"]), [beta for beta in panel.betas if 0 < beta < 1]
    caption = f"lower {name} of beta 0 and 1 - lowest {name} between"
    if not between:
        return Measurement(caption, np.empty(0), lacking="there is no beta between 0 and 1")
    runs, left_out = _at_best(panel, claim.options["metric"], [0.0, 1.0, *between])
    margins = runs[[0.0, 1.0]].to_numpy()[:, None, :] - runs[between].to_numpy()[:, :, None]
    effect = f"lowest at beta {runs.mean().idxmin():g}" if len(runs) else ""
    return Measurement(caption, margins, left_out, rank=len(between), effect=effect, note=_diverged(panel))


def mean_over_other_experiment(claim: Claim, panel: Panel) -> Measurement:
    """`metric` minus that of the experiment `other` on the same data set and model, mean over the betas of both."""
    metric, other = claim.options["metric"], claim.options["other"]
    caption = f"{_name(metric)} - that of {other}, mean over betas"
    against = panel.other(other)
    if isinstance(against, str):
        return Measurement(caption, np.empty(0), lacking=against)
    betas = [beta for beta in panel.betas if beta in against.betas]
    sides = [side.at_best(metric)[betas] for side in (panel, against)]
    columns = {f"{_name(metric)} at beta {b:g}": sides[0][b] for b in betas}
    columns |= {f"{_name(metric)} of {other} at beta {b:g}": sides[1][b] for b in betas}
    runs, left_out = paired(columns, range(min(len(panel.runs), len(against.runs))))
    differences = runs.to_numpy()[:, : len(betas)] - runs.to_numpy()[:, len(betas) :]
    means = differences.mean(0) if len(runs) else []
    effect = ", ".join(f"{mean:+.3f} at beta {beta:g}" for mean, beta in zip(means, betas, strict=False))
    return Measurement(caption, differences.mean(1), left_out, effect=effect)


def fall_when_dropped(claim: Claim, panel: Panel) -> Measurement:
    """How far `metric` falls at beta = 1 from no dropped learners to the largest drop rate."""
    most = panel.drop_rates[-1]
    return _when_dropped(
        claim, panel, f"without dropping - at drop rate {most:g}", lambda runs: runs[:, 0] - runs[:, -1]
    )


def rise_when_dropped(claim: Claim, panel: Panel) -> Measurement:
    """How far `metric` rises at beta = 1 from no dropped learners to the largest drop rate."""
    most = panel.drop_rates[-1]
    return _when_dropped(
        claim, panel, f"at drop rate {most:g} - without dropping", lambda runs: runs[:, -1] - runs[:, 0]
    )


def no_gain_when_dropped(claim: Claim, panel: Panel) -> Measurement:
    """How far `metric` at beta = 1 with the best drop rate lies below that without dropping."""
    caption = "without dropping - highest with dropping"
    return _when_dropped(claim, panel, caption, lambda runs: (runs[:, :1] - runs[:, 1:])[:, None, :])


STATISTICS = curves.STATISTICS | {
    function.__name__: function
    for function in (
        worst_at_one, loss_from_zero_to_one, learner_loss, learner_loss_beyond_ensemble, best_between,
        mean_over_other_experiment, fall_when_dropped, rise_when_dropped, no_gain_when_dropped,
    )
}  # fmt: skip


def _panels(experiment: dict, records: pd.DataFrame, experiments: dict) -> Iterator[Panel]:
    shared = {"protocol": experiment["protocol"], "averaging": experiment["averaging"]}
    betas, drop_rates = (sorted(map(float, experiment[key])) for key in ("betas", "drop_rates"))
    for dataset, model, learners in itertools.product(*(experiment[key] for key in ("datasets", "models", "learners"))):
        cell = {**shared, "dataset": dataset, "model": model, "learners": learners}
        yield Panel(cell, betas, drop_rates, range(experiment["runs"]), records, experiments)


def _at_best(
    panel: Panel, metric: str, betas: list[float], of_learners: bool = False
) -> tuple[pd.DataFrame, dict[int, str]]:
    """A column per beta and a row per run that has them all; why the others do not count."""
    known = panel.at_best(metric, of_learners=of_learners)
    what = f"{_name(metric)}{' of all learners' * of_learners}"
    runs, left_out = paired({f"{what} at beta {beta:g}": known[beta] for beta in betas}, panel.runs)
    return runs.set_axis(betas, axis=1), panel.name_diverged(left_out)


def _when_dropped(claim: Claim, panel: Panel, caption: str, change: Callable[[np.ndarray], np.ndarray]) -> Measurement:
    name, rates = _name(claim.options["metric"]), panel.drop_rates
    if len(rates) < 2:
        return Measurement(f"{name} {caption}", np.empty(0), lacking="there is one drop rate alone")
    known = panel.at_best(claim.options["metric"], by="drop_rate")
    runs, left_out = paired({f"{name} at drop rate {rate:g}": known[rate] for rate in rates}, panel.runs)
    left_out = panel.name_diverged(left_out, "drop_rate")
    means = (
        ", ".join(f"{mean:.3g} at {rate:g}" for mean, rate in zip(runs.mean(), rates, strict=True)) if len(runs) else ""
    )
    return Measurement(f"{name} {caption}", change(runs.to_numpy()), left_out, effect=means)


def _diverged(panel: Panel) -> str:
    """A note on the runs whose training diverged: they count with their best evaluation before."""
    known = panel.at_best("accuracy")
    has = [
        (run, beta)
        for run, beta, _ in panel.diverged()
        if run in known.index and known.loc[run, beta] == known.loc[run, beta]
    ]
    found = [f"{run} at beta {beta:g}" for run, beta in has]
    return f"diverged, so the best evaluation before counts: run {', run '.join(found)}" if found else ""


def _name(metric: str) -> str:
    return METRICS.get(metric, metric)
