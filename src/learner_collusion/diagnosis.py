"""Does an ensemble collude? Signs that independently trained learners do not show, each with an interval.

The limits are this project's, not the paper's: benchmarks/diagnosis.py fits them and says how often they are wrong
(docs/diagnosis.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from textwrap import fill
from typing import NamedTuple

import torch
from torch import Tensor

from .bootstrap import Estimate, estimate, resample
from .compared import are_probabilities, mean_target, outputs_of, rows_of, targets_of
from .decomposition import learner_losses, parts_of
from .inputs import Array, Inputs, Loss, prepare, without_ignored

# A sign is present where its whole interval lies beyond its limit; docs/diagnosis.md has the calibration.
BIAS_OF_OUTPUTS, BIAS_OF_PROBABILITIES = 0.027, 0.0097  # of the ensemble's error
DIVERSITY = 2.0  # times the reference's
CHANCE = 0.15  # of the ensemble's covariance with the targets
MINIMUM_ROWS = 30  # of which a bootstrap can say something
Progress = Callable[[int, int], None]


class Sign(NamedTuple):
    """One sign of collusion: `present` is True where the whole interval is above `limit` (below it, where `below` is True),
    False where none of it is, and None between."""

    name: str
    meaning: str
    estimate: Estimate
    limit: float
    below: bool = False

    @property
    def present(self) -> bool | None:
        low, high = self.estimate.low, self.estimate.high
        beyond = (high < self.limit, low < self.limit) if self.below else (low > self.limit, high > self.limit)
        return None if beyond[0] != beyond[1] else beyond[0]


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found; print it.

    `collusive` is True where one of `signs` is present, False where all are absent, and None where the rows do not decide.
    `learner_err` and `at_chance` number the learners from 0. `bias` is the part of ERR-bar that constant shifts of the learners
    would save without changing the ensemble, and `pairwise` the mean product of two learners' errors, both over the ensemble's
    squared error; NaN where a callable loss leaves no squared error to compare with.
    """

    rows: int
    learners: int
    err: Estimate
    err_bar: Estimate
    div: Estimate
    learner_err: tuple[Estimate, ...]
    bias: Estimate
    pairwise: Estimate
    at_chance: tuple[int, ...]
    signs: tuple[Sign, ...]
    collusive: bool | None
    reason: str

    def __str__(self) -> str:
        def line(name, value, meaning):
            return f"  {name:<9} {value.value:<9.4g} {f'[{value.low:.3g}, {value.high:.3g}]':<20} {meaning}"

        worst = max(range(self.learners), key=lambda j: self.learner_err[j].value)
        best = min(range(self.learners), key=lambda j: self.learner_err[j].value)
        lines = [
            f"Ensemble of {self.learners} learners on {self.rows} rows, with 95 % intervals",
            line("ERR", self.err, "error of the ensemble"),
            line("ERR-bar", self.err_bar, "mean error of the learners"),
            line("DIV", self.div, "diversity, ERR-bar - ERR"),
            line("best", self.learner_err[best], f"error of learner {best}"),
            line("worst", self.learner_err[worst], f"error of learner {worst}"),
            "signs",
        ]
        word = {True: "yes", False: "no", None: "undecided"}
        for sign in self.signs:
            side = "below" if sign.below else "above"
            lines.append(line(sign.name, sign.estimate, f"{word[sign.present]} ({side} {sign.limit:.3g}?)"))
            lines.append(f"  {'':9} {sign.meaning}")
        return "\n".join([*lines, fill(f"collusion: {word[self.collusive]}. {self.reason}", 80)])


@torch.no_grad()
def diagnose(
    predictions: Array,
    targets: Array,
    loss: Loss = "squared_error",
    averaging: str = "output",
    weights: Array | None = None,
    *,
    reference: Array | None = None,
    draws: int = 400,
    seed: int = 0,
    inputs: str | None = None,
    ignore_index: int | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> Diagnosis:
    """ERR, ERR-bar, DIV, the learners' errors, and the signs of collusion that independent learners do not show.

    Pass rows that the learners were not trained on, in the hundreds. The signs, of squared errors (for classes: of the
    probabilities, Brier's):

    - `bias`: learners are biased where their mean is not. A learner trained for its own loss would shift (Section 6.1).
    - `pairwise`: the errors of two learners have a negative mean product. That of independent learners of one kind is the
      squared error of their expectation, and not negative.
    - `chance`: a learner knows nothing of the targets, where the ensemble does. It was left behind, or failed by itself.
    - `diversity`, with a reference: DIV is several times that of the reference. (`bias` must be, too.)

    Without a reference, an ensemble that colludes a little may show no sign (docs/diagnosis.md).

    **Shape**: `predictions`, `targets`, `weights` (learners,), `inputs` and `ignore_index` as in `decompose`. `reference`
    (batch, learners, ...): predictions of an ensemble of the same kind, trained independently, on the same rows.

    `draws` samples of the rows make the intervals; the same `seed` gives the same numbers, and the global random state
    stays as it is. Learners count from 0. The memory beside the predictions does not grow with the rows. `threads` of them
    work on 8,192 rows each; `progress` is called now and then with how many rows of how many are done.

    Errors: ValueError for shapes or names that do not fit, and for an ensemble of one.
    """
    if draws < 1:
        raise ValueError(f"draws is {draws}: the intervals need at least one sample of the rows.")
    given = without_ignored(prepare(predictions, targets, loss, averaging, weights, inputs, ignore_index))
    rows, learners = given.predictions.shape[:2]
    if learners < 2:
        raise ValueError("An ensemble of one learner has no diversity to diagnose: pass at least two.")
    if given.weights.ndim > 1:
        raise ValueError("diagnose needs one weight per learner, the same for all examples.")
    done = _told(progress, rows * (1 if reference is None else 2))
    whole, drawn = _summaries(given, loss, averaging, draws, seed, threads, done)
    found = {name: [estimate(value, drawn[name][:, k]) for k, value in enumerate(whole[name][0])] for name in whole}
    limit = BIAS_OF_PROBABILITIES if are_probabilities(loss, averaging) else BIAS_OF_OUTPUTS
    against = []
    if reference is not None:
        if len(reference) != len(predictions):
            raise ValueError(
                f"reference must predict the same {len(predictions)} rows as predictions, but has {len(reference)}."
            )
        natural = without_ignored(prepare(reference, targets, loss, averaging, None, inputs, ignore_index))
        # on the same draws of rows
        natural, naturally = _summaries(natural, loss, averaging, draws, seed, threads, done)
        ratio, ratios = (a["div"] / b["div"].clamp_min(1e-30) for a, b in ((whole, natural), (drawn, naturally)))
        against = [Sign("diversity", "times the reference's DIV", estimate(ratio[0], ratios[:, 0]), DIVERSITY)]
        limit = max(limit, DIVERSITY * float(natural["bias"].nan_to_num()))
    compared = "knowledge" in found
    signs = (_signs(found, limit) if compared else []) + against
    knows = compared and found["ensemble_knowledge"][0].low > 0
    at_chance = tuple(j for j, e in enumerate(found["knowledge"]) if e.high < CHANCE) if knows else ()
    collusive, reason = _verdict(signs, at_chance, rows, knows or not compared)
    err, err_bar, div, bias, pairwise = (found[name][0] for name in ("err", "err_bar", "div", "bias", "pairwise"))
    learner_err = tuple(found["learner_err"])
    return Diagnosis(
        rows, learners, err, err_bar, div, learner_err, bias, pairwise, at_chance, tuple(signs), collusive, reason
    )


def _told(progress: Progress | None, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    done = 0

    def tell(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done, total)

    return tell


def _columns(part: Inputs, loss: Loss, averaging: str, center: Tensor | None) -> dict[str, Tensor]:
    """What the estimates are functions of the means of, (rows, ...) each. `center` is the mean of the targets."""
    predictions, share = part.predictions, part.weights.double()
    parts = parts_of(part, loss, averaging)
    columns = {"err": parts.err, "div": parts.div}
    if loss != "squared_error":  # else they are among the errors below
        columns["learner_err"] = learner_losses(predictions, part.targets, loss, averaging)
    if center is None:
        return columns
    y = targets_of(part, loss, averaging).to(predictions.device).double() - center  # large targets lose no digits
    outputs = outputs_of(predictions, loss, averaging).double() - center
    mean = torch.tensordot(outputs, share, dims=([1], [0]))
    ensemble = mean
    if averaging == "score":  # what it puts out is not the mean of what the learners put out
        ensemble = torch.tensordot(predictions.double(), share, dims=([1], [0])).softmax(1) - center
        columns["ensemble"] = ensemble
    both = torch.cat([outputs, ensemble.unsqueeze(1)], 1)
    away = outputs - mean.unsqueeze(1)
    return columns | {
        "away": away,
        "mean": mean,
        "spread": away.square().sum(2) @ share,
        "error": (both - y.unsqueeze(1)).square().sum(2),
        "product": (both * y.unsqueeze(1)).sum(2),
        "y": y,
        "y_squared": y.square().sum(1),
    }


def _summary(means: dict[str, Tensor], share: Tensor, rows: int, resampled: bool) -> dict[str, Tensor]:
    """The estimates, (draws, 1) or (draws, learners), from means (draws, ...)."""
    err, div = means["err"].unsqueeze(1), means["div"].unsqueeze(1)
    learner_err = means["learner_err"] if "learner_err" in means else means["error"][:, :-1]
    found = {"err": err, "err_bar": (learner_err * share).sum(1, keepdim=True), "div": div, "learner_err": learner_err}
    if "y" not in means:
        return found | dict.fromkeys(("bias", "pairwise"), torch.full_like(err, torch.nan))
    spread = means["spread"].unsqueeze(1)
    squared = (means["away"].square().sum(2) * share).sum(1, keepdim=True)
    # The square of a mean of n rows is too large by the variance over n, and that of a resampled mean by twice that.
    bias = squared - (2 if resampled else 1) * (spread - squared) / rows
    learners, ensemble = means["error"][:, :-1], means["error"][:, -1:]
    error_of_mean = (learners * share).sum(1, keepdim=True) - spread
    pairs = (error_of_mean - (learners * share.square()).sum(1, keepdim=True)) / (1 - share.square().sum())
    # Covariance of outputs and targets, over all outputs together: 0 for a constant as for noise.
    mean = means["mean"].unsqueeze(1)
    ensemble_mean = means["ensemble"].unsqueeze(1) if "ensemble" in means else mean
    output = torch.cat([means["away"] + mean, ensemble_mean], 1)
    covariance = means["product"] - (output * means["y"].unsqueeze(1)).sum(2)
    variance_y = (means["y_squared"] - means["y"].square().sum(1)).clamp_min(1e-30).unsqueeze(1)
    slope = covariance / variance_y
    scale = ensemble.clamp_min(1e-30)
    return found | {
        "bias": bias / scale,
        "pairwise": pairs / scale,
        "ensemble_knowledge": slope[:, -1:],
        "knowledge": slope[:, :-1] / slope[:, -1:].clamp_min(0.01),
    }


def _summaries(
    given: Inputs, loss: Loss, averaging: str, draws: int, seed: int, threads: int, done
) -> tuple[dict, dict]:
    """`_summary` of all rows, and of each draw."""
    (rows, learners, outputs), share = given.predictions.shape, given.weights.double().cpu()
    center = mean_target(given, loss, averaging)

    def columns(part: slice) -> dict[str, Tensor]:
        return _columns(rows_of(given, part), loss, averaging, center)

    whole, drawn = resample(columns, rows, learners * outputs, draws, seed, threads, done)
    return _summary(whole, share, rows, False), _summary(drawn, share, rows, True)


def _signs(found: dict[str, list[Estimate]], limit: float) -> list[Sign]:
    least = min(found["knowledge"], key=lambda e: e.high)
    return [
        Sign("bias", "of the squared error: constant biases that cancel", found["bias"][0], limit),
        Sign(
            "pairwise",
            "of the squared error: mean product of two learners' errors",
            found["pairwise"][0],
            0.0,
            below=True,
        ),
        Sign("chance", "of the ensemble's covariance with the targets", least, CHANCE, below=True),
    ]


def _verdict(signs: list[Sign], at_chance: tuple[int, ...], rows: int, knows: bool) -> tuple[bool | None, str]:
    if not signs:
        return None, "This loss leaves no squared error to compare with."
    if rows < MINIMUM_ROWS:
        return None, f"{rows} rows are too few to tell: pass {MINIMUM_ROWS} or more."
    if not knows:
        return None, "The ensemble itself knows nothing of the targets."
    present = [sign.name for sign in signs if sign.present]
    if present:
        named = f" At chance, left behind or failed by themselves: learners {', '.join(map(str, at_chance))}." * bool(
            at_chance
        )
        return True, f"Independent learners do not show: {', '.join(present)}.{named}"
    open_ = [sign.name for sign in signs if sign.present is None]
    if open_:
        return None, f"More rows would decide: {', '.join(open_)}."
    return False, "No sign that independent learners would not show."
