"""Does an ensemble collude? Signs that independently trained learners do not show, each with an interval.

The limits are this project's, not the paper's: benchmarks/diagnosis.py fits them and says how often they are wrong
(docs/diagnosis.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import fill
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .decomposition import learner_losses, parts_of
from .inputs import Array, Inputs, Loss, prepare, without_ignored

# A sign is present where its whole interval lies beyond its limit; docs/diagnosis.md has the calibration.
BIAS_OF_OUTPUTS, BIAS_OF_PROBABILITIES = 0.027, 0.0097  # of the ensemble's error
DIVERSITY = 2.0  # times the reference's
CHANCE = 0.15  # of the ensemble's covariance with the targets
MINIMUM_ROWS = 30  # of which a bootstrap can say something


class Estimate(NamedTuple):
    """A value and its 95 % interval, by bootstrap over rows."""

    value: float
    low: float
    high: float


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
    stays as it is. Learners count from 0.

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
    columns = _columns(given, loss, averaging)
    whole, drawn = _summaries(columns, given.weights, draws, seed)
    found = {name: [_interval(value, drawn[name][:, k]) for k, value in enumerate(whole[name][0])] for name in whole}
    limit = BIAS_OF_PROBABILITIES if _are_probabilities(loss, averaging) else BIAS_OF_OUTPUTS
    against = []
    if reference is not None:
        if len(reference) != len(predictions):
            raise ValueError(
                f"reference must predict the same {len(predictions)} rows as predictions, but has {len(reference)}."
            )
        natural = without_ignored(prepare(reference, targets, loss, averaging, None, inputs, ignore_index))
        # on the same draws of rows
        natural, naturally = _summaries(_columns(natural, loss, averaging), natural.weights, draws, seed)
        ratio, ratios = (a["div"] / b["div"].clamp_min(1e-30) for a, b in ((whole, natural), (drawn, naturally)))
        against = [Sign("diversity", "times the reference's DIV", _interval(ratio[0], ratios[:, 0]), DIVERSITY)]
        limit = max(limit, DIVERSITY * float(natural["bias"].nan_to_num()))
    signs = (_signs(found, limit) if "y" in columns else []) + against
    knows = "y" in columns and found["ensemble_knowledge"][0].low > 0
    at_chance = tuple(j for j, e in enumerate(found["knowledge"]) if e.high < CHANCE) if knows else ()
    collusive, reason = _verdict(signs, at_chance, rows, knows or "y" not in columns)
    err, err_bar, div, bias, pairwise = (found[name][0] for name in ("err", "err_bar", "div", "bias", "pairwise"))
    learner_err = tuple(found["learner_err"])
    return Diagnosis(
        rows, learners, err, err_bar, div, learner_err, bias, pairwise, at_chance, tuple(signs), collusive, reason
    )


def _columns(given: Inputs, loss: Loss, averaging: str) -> dict[str, Tensor]:
    """What the estimates are functions of the means of, (rows, ...) each."""
    predictions, targets, share = given.predictions, given.targets, given.weights
    parts = parts_of(given, loss, averaging)
    singles = learner_losses(predictions, targets, loss, averaging)
    columns = {"err": parts.err, "div": parts.div, "learner_err": singles}
    outputs, y = _compared(predictions, targets, loss, averaging)
    if y is not None:
        y = y.to(outputs.device).double()
        center = y.mean(0)
        outputs, y = outputs.double() - center, y - center  # large targets that hardly differ lose no digits
        mean = torch.tensordot(outputs, share.double(), dims=([1], [0])).unsqueeze(1)
        ensemble = mean
        if averaging == "score":  # what it puts out is not the mean of what the learners put out
            scores = torch.tensordot(predictions.double(), share.double(), dims=([1], [0]))
            ensemble = scores.softmax(1).unsqueeze(1) - center
        both = torch.cat([outputs, ensemble], 1)
        columns |= {
            "away": outputs - mean,
            "spread": (outputs - mean).square().sum(2),
            "error": (both - y.unsqueeze(1)).square().sum(2),
            "output": both,
            "product": (both * y.unsqueeze(1)).sum(2),
            "y": y,
            "y_squared": y.square().sum(1),
        }
    return {name: column.double().cpu() for name, column in columns.items()}


def _are_probabilities(loss, averaging) -> bool:
    return loss in ("cross_entropy", "brier", "zero_one", "logistic", "exponential") or averaging != "output"


def _compared(predictions, targets, loss, averaging) -> tuple[Tensor, Tensor | None]:
    """Outputs (batch, learners, outputs) and targets (batch, outputs) of which squared errors are taken: for classes each
    learner's probabilities, which a constant added to all of its scores leaves alone. No targets where a callable has others.
    """
    if loss in ("logistic", "exponential"):  # margins of P(y = 1)
        scale = 1 if loss == "logistic" else 2
        return (scale * predictions).sigmoid(), (targets.reshape(-1, 1) + 1) / 2
    outputs = predictions.softmax(2) if _are_probabilities(loss, averaging) else predictions
    if targets.ndim == 1 and _are_probabilities(loss, averaging) and not targets.is_floating_point():
        targets = F.one_hot(targets.long(), outputs.shape[2])
    elif targets.ndim == 1:
        targets = targets.unsqueeze(1)
    return outputs, targets if targets.shape == (outputs.shape[0], outputs.shape[2]) else None


def _bootstrap(columns: dict[str, Tensor], draws: int, seed: int) -> Iterator[dict[str, Tensor]]:
    """Means (some draws, ...) of each column over rows drawn with replacement, the same rows for all columns."""
    rows = len(columns["err"])
    generator = torch.Generator().manual_seed(seed)
    together = max(1, 10_000_000 // rows)  # bounds the memory
    for first in range(0, draws, together):
        count = min(together, draws - first)
        picked = torch.randint(rows, (count, rows), generator=generator)
        times = torch.zeros(count, rows, dtype=torch.float64).scatter_add_(
            1, picked, torch.ones(1, dtype=torch.float64).expand(count, rows)
        )
        yield {name: torch.tensordot(times, column, dims=1) / rows for name, column in columns.items()}


def _summary(means: dict[str, Tensor], share: Tensor, rows: int, resampled: bool) -> dict[str, Tensor]:
    """The estimates, (draws, 1) or (draws, learners), from means (draws, ...)."""
    err, div = means["err"].unsqueeze(1), means["div"].unsqueeze(1)
    learner_err = means["learner_err"]
    found = {"err": err, "err_bar": (learner_err * share).sum(1, keepdim=True), "div": div, "learner_err": learner_err}
    if "y" not in means:
        return found | dict.fromkeys(("bias", "pairwise"), torch.full_like(err, torch.nan))
    squared = means["away"].square().sum(2)
    # The square of a mean of n rows is too large by the variance over n, and that of a resampled mean by twice that.
    noise = (means["spread"] - squared) / rows
    bias = ((squared - (2 if resampled else 1) * noise) * share).sum(1, keepdim=True)
    learners, ensemble = means["error"][:, :-1], means["error"][:, -1:]
    spread = (means["spread"] * share).sum(1, keepdim=True)
    error_of_mean = (learners * share).sum(1, keepdim=True) - spread
    pairs = (error_of_mean - (learners * share.square()).sum(1, keepdim=True)) / (1 - share.square().sum())
    # Covariance of outputs and targets, over all outputs together: 0 for a constant as for noise.
    covariance = means["product"] - (means["output"] * means["y"].unsqueeze(1)).sum(2)
    variance_y = (means["y_squared"] - means["y"].square().sum(1)).clamp_min(1e-30).unsqueeze(1)
    slope = covariance / variance_y
    scale = ensemble.clamp_min(1e-30)
    return found | {
        "bias": bias / scale,
        "pairwise": pairs / scale,
        "ensemble_knowledge": slope[:, -1:],
        "knowledge": slope[:, :-1] / slope[:, -1:].clamp_min(0.01),
    }


def _summaries(columns, share, draws, seed) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """`_summary` of all rows, and of each draw."""
    rows, share = len(columns["err"]), share.double().cpu()
    whole = _summary({name: column.mean(0, keepdim=True) for name, column in columns.items()}, share, rows, False)
    drawn = [_summary(means, share, rows, True) for means in _bootstrap(columns, draws, seed)]
    return whole, {name: torch.cat([part[name] for part in drawn]) for name in whole}


def _interval(value: Tensor, drawn: Tensor) -> Estimate:
    low, high = torch.quantile(drawn, torch.tensor([0.025, 0.975], dtype=drawn.dtype)).tolist()
    return Estimate(float(value), low, high)


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
