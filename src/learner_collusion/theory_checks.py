"""The theory on random cases in float64: the largest error of each identity, for claim C15 and the errata."""

import torch
from torch import Tensor

from . import theory

# Errors are relative to the larger of 1 and the value itself.
IDENTITIES = {
    "Eq. 1": "DIV is the spread of the learners around the ensemble (squared error)",
    "Section 4.2, score averaging": "DIV = sum_j w_j KL(q || p_j), for soft labels too",
    "Theorem 4.3": "DIV = sum_j w_j sum_k y(k) log(p(k)/p_j(k)), for soft labels too",
    "Theorem 4.5": "DIV is a curvature between the ensemble and each learner, with every c_j in [0, 1]",
    "Theorem 5.1": "the objective has no lower bound for beta > 1, and one for beta <= 1",
    "Theorem D.1": "gradient adjusted targets are Eq. 2 with beta = 1 - 1/(1+alpha)^2",
    "Lemma D.2": "sum_j (f - f_j)(y - f_j) = M DIV",
    "Theorem D.3": "the same without oneself, with gamma(alpha, M)",
    "Appendix C.1": "b_j = mean (f_j - f) minimises DIV",
    "Appendix E, independent": "the gradient of Table 2's independent objective",
    "Appendix E, probability": "the gradient of Table 2's probability averaged objective",
    "Appendix E, score": "the gradient of Table 2's score averaged objective",
}


_EXAMPLES = 20  # of each ensemble: they are checked together, which is faster


def largest_errors(cases: int, seed: int) -> dict[str, float]:
    """The largest error of each identity over at least `cases` random examples, in ensembles of random size."""
    torch.set_num_threads(1)  # the tensors are tiny
    random = torch.Generator().manual_seed(seed)
    largest = dict.fromkeys(IDENTITIES, 0.0)
    for _ in range(-(-cases // _EXAMPLES)):
        for name, error in _case(random).items():
            largest[name] = max(largest[name], error)
    return largest


def _case(random: torch.Generator) -> dict[str, float]:
    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=random)

    def size(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=random))

    batch, learners, outputs = _EXAMPLES, size(2, 8), size(2, 6)
    weights = normal(learners).softmax(0)
    scores = normal(batch, learners, outputs) * float(torch.rand(1, generator=random) * 4 + 0.1)
    soft = normal(batch, outputs).softmax(1)
    classes = torch.randint(0, outputs, (batch,), generator=random)
    f, y = normal(batch, learners), normal(batch)
    alpha = float(torch.rand(1, generator=random) * 5)
    hessian = theory.hessian_form(_cross_entropy, scores, soft, weights)
    outside = float(torch.clamp(torch.maximum(-hessian.c, hessian.c - 1), min=0).max())
    gradients = gradient_errors(scores, classes)
    return {
        "Eq. 1": theory.ambiguity(scores, normal(batch, outputs), weights).error(),
        "Section 4.2, score averaging": theory.score_averaging(scores, soft, weights).error(),
        "Theorem 4.3": theory.probability_averaging(scores, soft, weights).error(),
        "Theorem 4.5": max(hessian.sides.error(), outside),
        "Theorem 5.1": _bounds_violated(weights, soft[0], float(torch.rand(1, generator=random))),
        "Theorem D.1": theory.gradient_adjusted(f, y, alpha).error(),
        "Lemma D.2": theory.lemma_d2(f, y).error(),
        "Theorem D.3": theory.gradient_adjusted_without_oneself(f, y, alpha).error(),
        "Appendix C.1": theory.optimal_bias(f, weights).error(),
        **{f"Appendix E, {name}": error for name, error in gradients.items()},
    }


def _cross_entropy(f: Tensor, y: Tensor) -> Tensor:
    return -(y * f.log_softmax(0)).sum()


def _bounds_violated(weights: Tensor, target: Tensor, excess: float) -> float:
    """0 where the two sequences of Theorem 5.1 fall for beta > 1 and stay bounded for beta <= 1, else 1."""
    steps = torch.logspace(1, 12, 12, dtype=torch.float64)
    wild = [
        theory.unbounded_regression(1.01 + excess, weights, steps),
        theory.unbounded_classification(1.01 + excess, weights, target, steps)[3:],
    ]
    tame = [
        theory.unbounded_regression(excess, weights, steps),
        theory.unbounded_classification(excess, weights, target, steps),
    ]
    falls = all(bool((values.diff() < 0).all()) for values in wild) and float(wild[0][-1]) < -1e6
    bounded = all(bool((values >= 0).all()) for values in tame)
    return 0.0 if falls and bounded else 1.0


def gradient_errors(scores: Tensor, classes: Tensor) -> dict[str, float]:
    """The closed-form gradients of Table 2 against autograd: the largest difference for each objective."""
    leaf = scores.clone().requires_grad_()
    values = theory.objectives(leaf, classes)
    closed = theory.gradients(scores, classes)
    errors = {}
    for name, value in values.items():
        (found,) = torch.autograd.grad(value.sum(), leaf, retain_graph=True)
        errors[name] = float((found - closed[name]).abs().max())
    return errors


def objective_errors(scores: Tensor, classes: Tensor) -> dict[str, float]:
    """Table 2's last row against its middle row (the sum over classes with one-hot labels): largest differences."""
    onehot = torch.nn.functional.one_hot(classes, scores.shape[2]).to(scores.dtype)
    log_p = scores.log_softmax(2)
    sums = {
        "independent": -(onehot[:, None] * log_p).sum(2).mean(1),
        "probability": -(onehot * log_p.exp().mean(1).log()).sum(1),
        "score": -(onehot * scores.mean(1).log_softmax(1)).sum(1),
    }
    return {name: float((value - sums[name]).abs().max()) for name, value in theory.objectives(scores, classes).items()}
