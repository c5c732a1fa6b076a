"""The paper's identities and bounds as functions that return both sides, each computed on its own.

Float64 tensors throughout; `predictions` (batch, learners, outputs), `weights` (learners,), values per example (batch,).
Where the paper slips, the true statement stands here and docs/errata.md tells the difference.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from . import measures
from .gat import beta_of_alpha, gamma_of_alpha


class Sides(NamedTuple):
    """The two sides of an identity, equal where it holds."""

    left: Tensor
    right: Tensor

    def error(self) -> float:
        """Largest difference, relative to the larger of 1 and the right side."""
        return float(((self.left - self.right).abs() / self.right.abs().clamp(min=1)).max())


def ambiguity(predictions: Tensor, targets: Tensor, weights: Tensor) -> Sides:
    """Eq. 1: sum_j w_j |f_j - f|^2 = sum_j w_j |f_j - y|^2 - |f - y|^2; targets (batch, outputs)."""
    mean = torch.einsum("bmk,m->bk", predictions, weights)
    spread = ((predictions - mean[:, None]) ** 2).sum(2) @ weights
    learners = ((predictions - targets[:, None]) ** 2).sum(2) @ weights
    return Sides(spread, learners - ((mean - targets) ** 2).sum(1))


def score_averaging(scores: Tensor, targets: Tensor, weights: Tensor) -> Sides:
    """Section 4.2: sum_j w_j KL(q || p_j) = ERR-bar - ERR of cross-entropy, targets (batch, classes) on the simplex."""
    log_p = scores.log_softmax(2)
    log_q = torch.einsum("bmk,m->bk", scores, weights).log_softmax(1)
    divergence = (log_q.exp()[:, None] * (log_q[:, None] - log_p)).sum(2) @ weights
    return Sides(divergence, -(targets[:, None] * log_p).sum(2) @ weights + (targets * log_q).sum(1))


def probability_averaging(scores: Tensor, targets: Tensor, weights: Tensor) -> Sides:
    """Theorem 4.3, summed over all classes: sum_j w_j sum_k y(k) log(p(k)/p_j(k)) = ERR-bar - ERR, for soft labels too."""
    p = scores.softmax(2)
    mean = torch.einsum("bmk,m->bk", p, weights)
    ratio = torch.log(mean[:, None] / p)
    diversity = torch.einsum("bmk,bk,m->b", ratio, targets, weights)
    learners = -(targets[:, None] * scores.log_softmax(2)).sum(2) @ weights
    return Sides(diversity, learners + (targets * mean.log()).sum(1))


def true_class_term(scores: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Theorem 4.3 as printed, with the term of the most likely class alone: DIV only for one-hot targets (erratum)."""
    p = scores.softmax(2)
    best = targets.argmax(1)
    p_best = p.gather(2, best[:, None, None].expand(-1, p.shape[1], 1)).squeeze(2)
    mean = p_best @ weights
    return targets.gather(1, best[:, None]).squeeze(1) * (torch.log(mean[:, None] / p_best) @ weights)


class HessianForm(NamedTuple):
    """Both sides of Theorem 4.5 and the points c (batch, learners) in [0, 1] at which the Hessians were taken."""

    sides: Sides
    c: Tensor


def hessian_form(loss: Callable[[Tensor, Tensor], Tensor], predictions: Tensor, targets: Tensor, weights: Tensor):
    """Theorem 4.5: DIV = 1/2 sum_j w_j (f_j - f)' H(f + c_j (f_j - f)) (f_j - f) for some c_j in [0, 1].

    `loss` maps (outputs,), (target,) to a scalar and is twice differentiable. Each c_j is found where the curvature
    along the segment from f to f_j equals Lagrange's remainder: a scan for a change of sign, then bisection.
    """
    mean = torch.einsum("bmk,m->bk", predictions, weights)
    step = predictions - mean[:, None]

    def curvature(c: Tensor) -> Tensor:
        def along(t, f, d, y):
            return loss(f + t * d, y)

        second = torch.func.grad(torch.func.grad(along))
        return torch.func.vmap(torch.func.vmap(second, (0, None, 0, None)), (0, 0, 0, 0))(c, mean, step, targets)

    values = torch.func.vmap(loss)
    at_mean = values(mean, targets)
    slope = torch.func.vmap(torch.func.grad(loss))(mean, targets)
    learners = torch.stack([values(predictions[:, j], targets) for j in range(predictions.shape[1])], 1)
    remainder = 2 * (learners - at_mean[:, None] - torch.einsum("bk,bmk->bm", slope, step))

    grid = torch.linspace(0, 1, 65, dtype=predictions.dtype)
    gaps = torch.stack([curvature(torch.full_like(remainder, float(c))) - remainder for c in grid])
    change = (gaps[:-1] * gaps[1:] <= 0).int()
    cell = change.argmax(0)  # the first change of sign; where rounding hides it, the closest point does
    low, high = grid[cell], grid[cell + 1]
    sign = torch.sign(gaps.gather(0, cell[None]).squeeze(0))
    for _ in range(60):
        middle = (low + high) / 2
        same = torch.sign(curvature(middle) - remainder) == sign
        low, high = torch.where(same, middle, low), torch.where(same, high, middle)
    closest = grid[gaps.abs().argmin(0)]
    c = torch.where(change.any(0), (low + high) / 2, closest)
    left = curvature(c) @ weights / 2
    return HessianForm(Sides(left, learners @ weights - at_mean), c)


def unbounded_regression(beta: float, weights: Tensor, steps: Tensor) -> Tensor:
    """Theorem 5.1, case 1: the augmented squared error for y = 0 along f_1 = t, f_2 = -t w_1/w_2, others 0; (steps,).

    Falls without bound for beta > 1, and is bounded below by 0 for beta <= 1.
    """
    predictions = torch.zeros(len(steps), len(weights), dtype=steps.dtype)
    predictions[:, 0] = steps
    predictions[:, 1] = -steps * weights[0] / weights[1]
    err = (predictions @ weights) ** 2
    return (1 - beta) * (predictions**2 @ weights) + beta * err


def unbounded_classification(beta: float, weights: Tensor, target: Tensor, steps: Tensor) -> Tensor:
    """Theorem 5.1, case 2: the augmented cross-entropy as one learner approaches a corner of the simplex; (steps,).

    p_1 = y/t + (1 - 1/t) e_0, all other learners at `target` (classes,), an inner point. `steps` t >= 1.
    """
    corner = torch.zeros_like(target)
    corner[0] = 1
    first = target / steps[:, None] + (1 - 1 / steps[:, None]) * corner
    mean = weights[0] * first + (1 - weights[0]) * target
    err = -(target * mean.log()).sum(1)
    err_bar = weights[0] * -(target * first.log()).sum(1) - (1 - weights[0]) * (target * target.log()).sum()
    return (1 - beta) * err_bar + beta * err


def gradient_adjusted(predictions: Tensor, targets: Tensor, alpha: float) -> Sides:
    """Theorem D.1: independent training on y - alpha (f - y) is (1 + alpha)^2 (ERR-bar - beta DIV); (batch, learners)."""
    mean = predictions.mean(1)
    moved = targets - alpha * (mean - targets)
    left = ((predictions - moved[:, None]) ** 2).mean(1)
    err_bar = ((predictions - targets[:, None]) ** 2).mean(1)
    div = ((predictions - mean[:, None]) ** 2).mean(1)
    return Sides(left, (1 + alpha) ** 2 * (err_bar - beta_of_alpha(alpha) * div))


def gradient_adjusted_without_oneself(predictions: Tensor, targets: Tensor, alpha: float) -> Sides:
    """Theorem D.3: the same with the mean of the other M - 1 learners; equal up to the factor (1 + alpha)^2."""
    learners = predictions.shape[1]
    mean = predictions.mean(1)
    others = (predictions.sum(1, keepdim=True) - predictions) / (learners - 1)
    moved = targets[:, None] - alpha * (others - targets[:, None])
    left = ((predictions - moved) ** 2).mean(1)
    err_bar = ((predictions - targets[:, None]) ** 2).mean(1)
    div = ((predictions - mean[:, None]) ** 2).mean(1)
    return Sides(left, (1 + alpha) ** 2 * (err_bar - gamma_of_alpha(alpha, learners) * div))


def lemma_d2(predictions: Tensor, targets: Tensor) -> Sides:
    """Lemma D.2: sum_j (f - f_j)(y - f_j) = M DIV; (batch, learners)."""
    mean = predictions.mean(1, keepdim=True)
    left = ((mean - predictions) * (targets[:, None] - predictions)).sum(1)
    return Sides(left, predictions.shape[1] * ((predictions - mean) ** 2).mean(1))


def optimal_bias(predictions: Tensor, weights: Tensor) -> Sides:
    """Appendix C.1: b_j = mean_i (f_j - f), and the minimiser of DIV under sum_j w_j b_j = 0 found by solving (4), (5).

    The right side solves the system of normal equations with a Lagrange multiplier; predictions (batch, learners).
    """
    learners = predictions.shape[1]
    deviation = (predictions - (predictions @ weights)[:, None]).mean(0)
    system = torch.zeros(learners + 1, learners + 1, dtype=predictions.dtype)
    system[:learners, :learners] = torch.diag(2 * weights)
    system[:learners, learners] = system[learners, :learners] = weights
    right = torch.cat([2 * weights * deviation, torch.zeros(1, dtype=predictions.dtype)])
    return Sides(deviation, torch.linalg.solve(system, right)[:learners])


def beta_diversity(mean: Tensor, precision: Tensor) -> Tensor:
    """E[log(p/p_j)] for p_j ~ Beta(mean * precision, (1 - mean) * precision), exactly (Appendix C.3)."""
    a, total = mean * precision, precision
    return mean.log() - (torch.special.digamma(a) - torch.special.digamma(total))


def beta_diversity_second_order(mean: Tensor, precision: Tensor) -> Tensor:
    """Its second-order approximation V/(2 p^2) with the variance p(1-p)/(1+phi) (erratum: the paper has (1+phi)^2)."""
    return mean * (1 - mean) / (2 * (1 + precision) * mean**2)


def beta_diversity_as_printed(mean: Tensor, precision: Tensor) -> Tensor:
    """The last line of Appendix C.3 as it is printed, for the erratum's check."""
    return mean * (1 - mean) / ((1 + precision) ** 2 * mean**2)


def objectives(scores: Tensor, classes: Tensor) -> dict[str, Tensor]:
    """Table 2, last row: the three cross-entropy objectives per example; scores (batch, learners, classes)."""
    learners = scores.shape[1]
    index = classes[:, None, None].expand(-1, learners, 1)
    p_true = scores.softmax(2).gather(2, index).squeeze(2)
    q_true = scores.mean(1).softmax(1).gather(1, classes[:, None]).squeeze(1)
    return {"independent": -p_true.log().mean(1), "probability": -p_true.mean(1).log(), "score": -q_true.log()}


def gradients(scores: Tensor, classes: Tensor) -> dict[str, Tensor]:
    """Appendix E: the closed-form gradients of Table 2's objectives by the scores, (batch, learners, classes)."""
    learners = scores.shape[1]
    p = scores.softmax(2)
    q = scores.mean(1).softmax(1)
    onehot = torch.nn.functional.one_hot(classes, scores.shape[2]).to(scores.dtype)[:, None]
    p_true = (p * onehot).sum(2, keepdim=True)
    total = p_true.sum(1, keepdim=True)
    return {
        "independent": (p - onehot) / learners,
        "probability": torch.where(onehot > 0, -p_true * (1 - p_true), p * p_true) / total,
        "score": ((q[:, None] - onehot) / learners).expand_as(scores),
    }


def squared_error_with_shift(common: Tensor, shifts: Tensor, targets: Tensor, factor: float = 2.0) -> Sides:
    """Appendix F: ERR-bar of learners f + c_j is (f-y)^2 + mean c_j^2 + factor * mean c_j (f-y); the factor is 2 (erratum).

    `common`, `targets` (batch,), `shifts` (batch, learners).
    """
    left = ((common[:, None] + shifts - targets[:, None]) ** 2).mean(1)
    gap = common - targets
    return Sides(left, gap**2 + (shifts**2).mean(1) + factor * shifts.mean(1) * gap)


def expected_increase(div: Tensor | float, learners: int, kept: int) -> Tensor | float:
    """By how much the squared error rises when `kept` = k of M learners, chosen at random, are averaged: with uniform weights

        mean over all choices of ERR(kept) - ERR = DIV (M - k) / (k (M - 1)),

    per example, or for means over examples. So for the squared error Figure 4 is Figure 2 times a constant. Cross-entropy
    follows it to second order only.

    **Proof.** Let d_j = f_j - f for one example and one output, so that sum_j d_j = 0 and DIV = sum_j d_j^2 / M. The mean of
    the kept ones is f + e with e = sum_j s_j d_j / k, where s_j is 1 for those kept and 0 for others. Each is kept in k/M of
    all choices: E[e] = sum_j d_j / M = 0, so that E[(f + e - y)^2] = (f - y)^2 + E[e^2]. Two learners are both kept in
    k (k - 1) / (M (M - 1)) of all choices, and sum_{i != j} d_i d_j = (sum_j d_j)^2 - sum_j d_j^2 = -M DIV. Hence

        k^2 E[e^2] = (k/M) M DIV - k (k - 1) / (M (M - 1)) M DIV = k DIV (M - k) / (M - 1).

    Sum over outputs, and divide by k^2. It is the variance of the mean of a sample from a finite population.

    Errors: ValueError unless 1 <= kept <= learners.
    """
    if not 1 <= kept <= learners:
        raise ValueError(f"kept is {kept}, but must be between 1 and the number of learners, {learners}.")
    return measures.expected_increase(div, learners, kept)
