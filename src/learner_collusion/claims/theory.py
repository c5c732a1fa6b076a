"""The judge of the theory (C15): the largest error of each identity over random cases in float64.

A statistic is a function of a `Case`, and of the claim's options, that returns the error of one identity in it.
Errors are relative to the larger of 1 and the value itself.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Exponential, Normal, Poisson, kl_divergence

from .. import theory
from .verdict import FAILS, HOLDS, as_frame, named, row

_EXAMPLES = 20  # of each ensemble: they are checked together, which is faster


@dataclass(frozen=True)
class Case:
    """An ensemble of random size with random predictions on a batch of examples; all tensors in float64."""

    weights: Tensor  # (learners,), on the simplex
    scores: Tensor  # (batch, learners, outputs)
    soft: Tensor  # (batch, outputs), labels on the simplex
    classes: Tensor  # (batch,), labels
    predictions: Tensor  # (batch, learners), of a number
    targets: Tensor  # (batch,), of a number
    alpha: float  # the step of gradient adjusted targets
    vectors: Tensor  # (batch, outputs), targets
    excess: float  # of beta over 1


def judge(records: pd.DataFrame | None, metadata: dict, settings) -> pd.DataFrame:
    """The claims of `settings`, which has claims, cases and seed; no records or metadata are needed.

    Returns a row per claim, with the columns of `records.claims`.
    """
    rows = []
    for claim, error in zip(
        settings.claims, largest_errors(settings.claims, settings.cases, settings.seed), strict=True
    ):
        found = HOLDS if error < claim.below else FAILS
        rows.append(row(claim, "random cases", f"largest error of {settings.cases} cases", error, verdict=found))
    return as_frame(rows)


def largest_errors(claims, cases: int, seed: int) -> list[float]:
    """The largest error of each claim over at least `cases` random examples; NaN where an error is."""
    torch.set_num_threads(1)  # the tensors are tiny
    statistics = [named(claim, STATISTICS) for claim in claims]
    errors = [
        [statistic(case, **claim.options) for claim, statistic in zip(claims, statistics, strict=True)]
        for case in random_cases(cases, seed)
    ]
    return np.max(errors, axis=0).tolist()


def random_cases(cases: int, seed: int) -> Iterator[Case]:
    """Ensembles of 2 to 8 learners and 2 to 6 outputs, with at least `cases` examples in all."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=random)

    def uniform() -> Tensor:
        return torch.rand(1, generator=random)

    def size(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=random))

    for _ in range(-(-cases // _EXAMPLES)):
        learners, outputs = size(2, 8), size(2, 6)
        yield Case(  # drawn in this order
            weights=normal(learners).softmax(0),
            scores=normal(_EXAMPLES, learners, outputs) * float(uniform() * 4 + 0.1),
            soft=normal(_EXAMPLES, outputs).softmax(1),
            classes=torch.randint(0, outputs, (_EXAMPLES,), generator=random),
            predictions=normal(_EXAMPLES, learners),
            targets=normal(_EXAMPLES),
            alpha=float(uniform() * 5),
            vectors=normal(_EXAMPLES, outputs),
            excess=float(uniform()),
        )


def ambiguity(case: Case) -> float:
    return theory.ambiguity(case.scores, case.vectors, case.weights).error()


def score_averaging(case: Case) -> float:
    return theory.score_averaging(case.scores, case.soft, case.weights).error()


def probability_averaging(case: Case) -> float:
    return theory.probability_averaging(case.scores, case.soft, case.weights).error()


def curvature(case: Case) -> float:
    """The error of Theorem 4.5 for the cross-entropy, or by how much a c_j lies outside of [0, 1]."""
    hessian = theory.hessian_form(_cross_entropy, case.scores, case.soft, case.weights)
    outside = float(torch.clamp(torch.maximum(-hessian.c, hessian.c - 1), min=0).max())
    return max(hessian.sides.error(), outside)


def _cross_entropy(f: Tensor, y: Tensor) -> Tensor:
    return -(y * f.log_softmax(0)).sum()


def bounds(case: Case) -> float:
    """0 where the two sequences of Theorem 5.1 fall for beta > 1 and stay bounded for beta <= 1, else 1."""
    steps, target = torch.logspace(1, 12, 12, dtype=torch.float64), case.soft[0]
    wild = [
        theory.unbounded_regression(1.01 + case.excess, case.weights, steps),
        theory.unbounded_classification(1.01 + case.excess, case.weights, target, steps)[3:],
    ]
    tame = [
        theory.unbounded_regression(case.excess, case.weights, steps),
        theory.unbounded_classification(case.excess, case.weights, target, steps),
    ]
    falls = all(bool((values.diff() < 0).all()) for values in wild) and float(wild[0][-1]) < -1e6
    bounded = all(bool((values >= 0).all()) for values in tame)
    return 0.0 if falls and bounded else 1.0


def gradient_adjusted_targets(case: Case) -> float:
    return theory.gradient_adjusted(case.predictions, case.targets, case.alpha).error()


def lemma_d2(case: Case) -> float:
    return theory.lemma_d2(case.predictions, case.targets).error()


def targets_without_oneself(case: Case) -> float:
    return theory.gradient_adjusted_without_oneself(case.predictions, case.targets, case.alpha).error()


def optimal_bias(case: Case) -> float:
    return theory.optimal_bias(case.predictions, case.weights).error()


def gradient(case: Case, objective: str) -> float:
    return gradient_errors(case.scores, case.classes)[objective]


def negative_correlation(case: Case) -> float:
    """Negative correlation learning (Section 4.2): sum_j (f_j - f) sum_{i != j} (f_i - f) is -M DIV, for equal weights."""
    f = case.predictions
    deviation = f - f.mean(1, keepdim=True)
    penalty = (deviation * (deviation.sum(1, keepdim=True) - deviation)).sum(1)
    errors = (f - case.targets[:, None]) ** 2
    div = errors.mean(1) - (f.mean(1) - case.targets) ** 2
    return theory.Sides(penalty, -f.shape[1] * div).error()


def exponential_families(case: Case) -> float:
    """DIV = sum_j w_j KL(q || p_j) of distributions whose natural parameters are averaged; the largest error of several."""
    f, w = case.predictions, case.weights
    families = [
        (f, lambda a: Bernoulli(logits=a), (case.targets > 0).to(f.dtype)),
        (f, lambda a: Poisson(a.exp()), torch.round(case.targets.abs())),
        (f.abs() + 0.1, Exponential, case.targets.abs() + 0.1),  # the natural parameter is minus the rate
        (f, lambda a: Normal(a, torch.ones_like(a)), case.targets),
    ]
    return max(_family_error(natural, family, y, w) for natural, family, y in families)


def _family_error(natural: Tensor, family, y: Tensor, w: Tensor) -> float:
    learners: Distribution = family(natural)
    ensemble: Distribution = family((natural @ w)[:, None].expand_as(natural))
    y = y[:, None].expand_as(natural)
    div = (ensemble.log_prob(y) - learners.log_prob(y)) @ w
    return theory.Sides(div, kl_divergence(ensemble, learners) @ w).error()


def brier(case: Case) -> float:
    """Eq. 1 of the probabilities."""
    return theory.ambiguity(case.scores.softmax(2), case.soft, case.weights).error()


def not_negative(case: Case) -> float:
    """How far the lowest DIV of three convex losses lies below 0."""
    divs = [
        theory.score_averaging(case.scores, case.soft, case.weights).right,
        theory.probability_averaging(case.scores, case.soft, case.weights).right,
        theory.ambiguity(case.scores, case.vectors, case.weights).right,
    ]
    return max(0.0, -min(float(div.min()) for div in divs))


def limit_of_calibration(case: Case) -> float:
    """Appendix C.3: how far DIV of averaged probabilities is from sum_j w_j KL(p || p_j) at labels close to p, or 1 where the
    difference does not fall on the way."""
    learners = case.scores.softmax(2)
    p = torch.einsum("bmk,m->bk", learners, case.weights)
    limit = kl_divergence(Categorical(probs=p[:, None]), Categorical(probs=learners)) @ case.weights
    differences = [
        theory.probability_averaging(case.scores, p + step * (case.soft - p), case.weights).right - limit
        for step in (1, 1e-3, 1e-6, 1e-12)
    ]
    sizes = [float(difference.abs().max()) for difference in differences]
    return sizes[-1] if sizes == sorted(sizes, reverse=True) else 1.0


def more_varied_more_diverse(case: Case) -> float:
    """Appendix C.3: 0 where the expected diversity of Beta distributions falls with their precision, else 1."""
    mean = case.soft[:, :1].clamp(0.01, 0.99)
    precision = torch.logspace(3, -1, 30, dtype=mean.dtype)
    return 0.0 if bool((theory.beta_diversity(mean, precision).diff(dim=1) > 0).all()) else 1.0


def shifts_cancel(case: Case) -> float:
    """Appendix F: the joint loss of learners f + c_j is that of shifts moved by anything of mean 0."""
    common, shifts = case.vectors[:, :1], case.predictions
    noise = shifts.flip(0)
    moved = shifts + noise - noise.mean(1, keepdim=True)
    left, right = (((common + c).mean(1) - case.targets) ** 2 for c in (shifts, moved))
    return theory.Sides(left, right).error()


def shifts_dominate(case: Case) -> float:
    """Appendix F: |ERR-bar / DIV - 1| with shifts of root mean square 1e7 whose mean stays as it is."""
    common, mean = case.vectors[:, 0], case.predictions.mean(1, keepdim=True)
    shifts = (case.predictions - mean) / case.predictions.std(1, correction=0, keepdim=True)
    learners = common[:, None] + mean + 1e7 * shifts
    err_bar = ((learners - case.targets[:, None]) ** 2).mean(1)
    div = ((learners - learners.mean(1, keepdim=True)) ** 2).mean(1)
    return float((err_bar / div - 1).abs().max())


def expected_increase(case: Case) -> float:
    """Figure 4: ERR of k of M learners, mean over all choices, is ERR + DIV (M - k) / (k (M - 1)); the worst k."""
    f, y = case.predictions, case.targets
    learners = f.shape[1]
    div, err = f.var(1, correction=0), (f.mean(1) - y) ** 2
    errors = []
    for kept in range(1, learners + 1):
        choices = torch.tensor(list(itertools.combinations(range(learners), kept)))
        mean = ((f[:, choices].mean(2) - y[:, None]) ** 2).mean(1)
        errors.append(theory.Sides(mean, err + theory.expected_increase(div, learners, kept)).error())
    return max(errors)


STATISTICS = {
    function.__name__: function
    for function in (
        ambiguity, negative_correlation, score_averaging, exponential_families, probability_averaging, brier, curvature,
        not_negative, limit_of_calibration, more_varied_more_diverse, bounds, gradient_adjusted_targets, lemma_d2,
        targets_without_oneself, optimal_bias, gradient, shifts_cancel, shifts_dominate, expected_increase,
    )
}  # fmt: skip


def gradient_errors(scores: Tensor, classes: Tensor) -> dict[str, float]:
    """The closed-form gradients of Table 2 against autograd: the largest difference for each objective.

    `scores` (batch, learners, classes), `classes` (batch,).
    """
    leaf = scores.clone().requires_grad_()
    values = theory.objectives(leaf, classes)
    closed = theory.gradients(scores, classes)
    errors = {}
    for name, value in values.items():
        (slope,) = torch.autograd.grad(value.sum(), leaf, retain_graph=True)
        errors[name] = float((slope - closed[name]).abs().max())
    return errors


def objective_errors(scores: Tensor, classes: Tensor) -> dict[str, float]:
    """Table 2's last row against its middle row, the sum over classes with one-hot labels: the largest differences.

    `scores` (batch, learners, classes), `classes` (batch,).
    """
    onehot = torch.nn.functional.one_hot(classes, scores.shape[2]).to(scores.dtype)
    log_p = scores.log_softmax(2)
    sums = {
        "independent": -(onehot[:, None] * log_p).sum(2).mean(1),
        "probability": -(onehot * log_p.exp().mean(1).log()).sum(1),
        "score": -(onehot * scores.mean(1).log_softmax(1)).sum(1),
    }
    return {name: float((value - sums[name]).abs().max()) for name, value in theory.objectives(scores, classes).items()}
