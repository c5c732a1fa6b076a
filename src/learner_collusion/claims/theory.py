"""The judge of the theory (C15): the largest error of each identity over random cases in float64.

A statistic is a function of a `Case`, and of the claim's options, that returns the error of one identity in it.
Errors are relative to the larger of 1 and the value itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

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


STATISTICS = {
    function.__name__: function
    for function in (
        ambiguity, score_averaging, probability_averaging, curvature, bounds, gradient_adjusted_targets, lemma_d2,
        targets_without_oneself, optimal_bias, gradient,
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
