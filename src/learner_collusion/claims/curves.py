"""Statistics of curves over training (Section 6.2, Appendix G.1).

A run counts where each of its curves has a finite number at every evaluation: one that diverged or stopped early is left out
by name. "End" is the mean of the last tenth of the evaluations, since a single one varies from the next.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from .catalogue import Claim
from .panel import Panel
from .verdict import METRICS, Measurement

Key = tuple[str, str, float]  # split, metric, beta


def end_of_gap(claim: Claim, panel: Panel) -> Measurement:
    """How much larger the generalisation gap, test ERR minus training ERR, is at beta = 1 at the end."""

    def measure(joint: np.ndarray, independent: np.ndarray) -> tuple[np.ndarray, str]:
        return _end(joint) - _end(independent), _ends_and_since(joint, independent)

    return _gaps(panel, "gap(1) - gap(0) at the end", measure)


def growth_of_gap(claim: Claim, panel: Panel) -> Measurement:
    """Growth of the gap at `beta` over the last fifth of training, minus `share` of the gap at the end."""
    beta, share = claim.options["beta"], claim.options["share"]

    def measure(gap: np.ndarray) -> tuple[np.ndarray, str]:
        end, evaluations, tenth = _end(gap), gap.shape[1], _tenth(gap)
        before = gap[:, max(0, evaluations - 3 * tenth) : max(1, evaluations - 2 * tenth)].mean(1)
        return end - before - share * end, f"from {before.mean():.3g} to {end.mean():.3g}"

    return _gaps(panel, f"growth of gap({beta:g}) over the last fifth - {share:g} gap({beta:g})", measure, (beta,))


def gap_over_gap(claim: Claim, panel: Panel) -> Measurement:
    """The gap at beta = 1 minus `factor` times that at 0, at the end."""
    factor = claim.options["factor"]

    def measure(joint: np.ndarray, independent: np.ndarray) -> tuple[np.ndarray, str]:
        return _end(joint) - factor * _end(independent), _ends(joint, independent)

    return _gaps(panel, f"gap(1) - {factor:g} gap(0) at the end", measure)


def end_difference(claim: Claim, panel: Panel) -> Measurement:
    """`metric` on `split`: beta = 1 minus beta = 0 at the end."""

    def measure(joint: np.ndarray, independent: np.ndarray) -> tuple[np.ndarray, str]:
        return _end(joint) - _end(independent), _ends_and_since(joint, independent)

    return _difference(claim, panel, "at the end", measure)


def mean_difference(claim: Claim, panel: Panel) -> Measurement:
    """`metric` on `split`: beta = 1 minus beta = 0, mean over all of training."""

    def measure(joint: np.ndarray, independent: np.ndarray) -> tuple[np.ndarray, str]:
        return (joint - independent).mean(1), _since(joint - independent)

    return _difference(claim, panel, "mean over training", measure)


def later_at_common_level(claim: Claim, panel: Panel) -> Measurement:
    """When `metric` on `split` first reaches the higher one of its two ends: beta = 1 minus beta = 0, as a share of training."""

    def measure(joint: np.ndarray, independent: np.ndarray) -> tuple[np.ndarray, str]:
        level = np.maximum(_end(joint), _end(independent))[:, None]
        times = [1 + (curve <= level).argmax(1) for curve in (joint, independent)]
        return (times[0] - times[1]) / joint.shape[1], _since(joint - independent)

    name = _name(claim.options["metric"])
    caption = f"time to reach a {claim.options['split']} {name} that both reach: beta 1 - beta 0"
    return _measured(
        panel, caption, [(claim.options["split"], claim.options["metric"], beta) for beta in (1, 0)], measure
    )


def peak(claim: Claim, panel: Panel) -> Measurement:
    """When in training `metric` on `split` is largest at `beta`: 1 is the end."""
    options = claim.options

    def measure(curve: np.ndarray) -> tuple[np.ndarray, str]:
        when = 1 + curve.argmax(1)
        return when / curve.shape[1], f"evaluation {_several(when)} of {curve.shape[1]}"

    caption = f"time of the largest {_name(options['metric'])}, as a share of training"
    return _measured(panel, caption, [(options["split"], options["metric"], options["beta"])], measure)


def above_midpoint_at_peak(claim: Claim, panel: Panel) -> Measurement:
    """ERR-bar on `split` at `beta` when DIV is largest, minus the middle between its highest value and its end."""
    split, beta = claim.options["split"], claim.options["beta"]

    def measure(div: np.ndarray, err_bar: np.ndarray) -> tuple[np.ndarray, str]:
        at_peak = np.take_along_axis(err_bar, div.argmax(1)[:, None], 1)[:, 0]
        highest, end = err_bar.max(1), _end(err_bar)
        effect = f"{at_peak.mean():.3g} then, {highest.mean():.3g} at its highest, {end.mean():.3g} at the end"
        return at_peak - (highest + end) / 2, effect

    caption = f"{split} ERR-bar({beta:g}) at DIV's peak - middle of its highest and its end"
    return _measured(panel, caption, [(split, "div", beta), (split, "err_bar", beta)], measure)


def time_of_lowest(claim: Claim, panel: Panel) -> Measurement:
    """When in training `metric` on `split` is lowest, the later one of beta 0 and 1: 1 is the end."""
    split, metric = claim.options["split"], claim.options["metric"]

    def measure(independent: np.ndarray, joint: np.ndarray) -> tuple[np.ndarray, str]:
        when = [1 + curve.argmin(1) for curve in (independent, joint)]
        effect = f"evaluation {_several(when[0])} at beta 0, {_several(when[1])} at beta 1, of {joint.shape[1]}"
        return np.stack(when, 1)[:, :, None] / joint.shape[1], effect

    caption = f"time of the lowest {split} {_name(metric)}, as a share of training, later one of beta 0 and 1"
    return _measured(panel, caption, [(split, metric, 0), (split, metric, 1)], measure, rank=2)


STATISTICS = {
    function.__name__: function
    for function in (
        end_of_gap, growth_of_gap, gap_over_gap, end_difference, mean_difference, later_at_common_level, peak,
        above_midpoint_at_peak, time_of_lowest,
    )
}  # fmt: skip

Measure = Callable[
    ..., tuple[np.ndarray, str]
]  # of complete curves (runs, evaluations): values by run, and their effect


def _measured(panel: Panel, caption: str, keys: list[Key], measure: Measure, rank: int = 1) -> Measurement:
    curves = {key: panel.curve(*key) for key in keys}
    evaluations = range(1, max((int(curve.columns.max()) for curve in curves.values() if curve.size), default=0) + 1)
    stopped = {(run, beta): f"diverged at beta {beta:g}, evaluation {when}" for run, beta, when in panel.diverged()}
    complete, left_out = [], {}
    for run in panel.runs:
        for key, curve in curves.items():
            if (
                not np.isfinite(curve.reindex(index=[run], columns=evaluations).to_numpy(float)).all()
                or not evaluations
            ):
                split, metric, beta = key
                incomplete = f"no complete {split} {_name(metric)} at beta {beta:g}"
                left_out[run] = stopped.get((run, beta), incomplete)
                break
        else:
            complete.append(run)
    arrays = [curve.reindex(index=complete, columns=evaluations).to_numpy(float) for curve in curves.values()]
    values, effect = measure(*arrays) if complete else (np.empty(0), "")
    return Measurement(caption, values, left_out, rank, effect=effect)


def _difference(claim: Claim, panel: Panel, when: str, measure: Measure) -> Measurement:
    split, metric = claim.options["split"], claim.options["metric"]
    name = _name(metric)
    return _measured(
        panel, f"{split} {name}(1) - {name}(0), {when}", [(split, metric, beta) for beta in (1, 0)], measure
    )


def _gaps(panel: Panel, caption: str, measure: Measure, betas: tuple[float, ...] = (1, 0)) -> Measurement:
    keys = [(split, "err", beta) for beta in betas for split in ("test", "train")]

    def of_gaps(*arrays: np.ndarray) -> tuple[np.ndarray, str]:
        return measure(*(test - train for test, train in zip(arrays[::2], arrays[1::2], strict=True)))

    return _measured(panel, caption, keys, of_gaps)


def _name(metric: str) -> str:
    return METRICS.get(metric, metric)


def _tenth(curves: np.ndarray) -> int:
    return max(1, round(curves.shape[1] / 10))


def _end(curves: np.ndarray) -> np.ndarray:
    """The mean of each run's last tenth, by the length of the whole curve."""
    return curves[:, -_tenth(curves) :].mean(1)


def _ends(joint: np.ndarray, independent: np.ndarray) -> str:
    """Both ends, each a mean over the runs."""
    return f"{_end(joint).mean():.3g} against {_end(independent).mean():.3g}"


def _ends_and_since(joint: np.ndarray, independent: np.ndarray) -> str:
    return f"{_ends(joint, independent)}; {_since(joint - independent)}"


def _since(difference: np.ndarray) -> str:
    """From which evaluation on the mean curve of the differences stays above 0. Single runs may cross later, or again."""
    mean = pd.Series(difference.mean(0), index=range(1, difference.shape[1] + 1))
    below = mean.index[mean <= 0]
    if not len(below):
        return "on average larger throughout"
    if below[-1] == len(mean):
        found = f"larger in {len(mean) - len(below)} of {len(mean)}"
        return f"on average not the larger one in the last evaluation; {found}"
    return f"on average larger from evaluation {below[-1] + 1} of {len(mean)} on"


def _several(numbers: np.ndarray) -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return f"{low}" if low == high else f"{low} to {high}"
