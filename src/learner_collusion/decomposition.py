"""ERR, ERR-bar and DIV of an ensemble (Definitions 4.1 and 4.2), for every loss of the paper and any callable one.

Each of the three is computed from a formula of its own, so that DIV = ERR-bar - ERR is a check and not a definition
(except where no closed form exists: the 0-1 loss, Brier of averaged scores, and callables).
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .inputs import Array, Inputs, Loss, as_given, call, check_reduction, prepare


class Decomposition(NamedTuple):
    """`err` = L(ensemble), `err_bar` = weighted mean of the learners' losses, `div` = diversity; scalars or (batch,)."""

    err: Tensor
    err_bar: Tensor
    div: Tensor


def decompose(
    predictions: Array,
    targets: Array,
    loss: Loss = "squared_error",
    averaging: str = "output",
    weights: Array | None = None,
    reduction: str = "mean",
    inputs: str | None = None,
    ignore_index: int | None = None,
    check: bool = True,
) -> Decomposition:
    """Decompose the loss of an ensemble into ERR = ERR-bar - DIV.

    **Shape**: `predictions` (batch, learners, outputs), or (batch, learners) for one output. Scores (logits) for
    cross_entropy, brier and zero_one; margins for logistic and exponential. `targets` (batch, outputs) or (batch,) for
    squared_error; class indices (batch,) or probabilities (batch, outputs) for cross_entropy and brier; class indices
    for zero_one; -1 or +1 (batch,) for logistic and exponential. (batch, 1) is taken as (batch,). `weights` (learners,), or
    (batch, learners) where they differ between examples, convex, uniform by default. Learners come second: where batch and
    learners are equally many, no check can tell a wrong order. Flatten batch and time of sequences.

    Torch, NumPy, pandas (matched by position) or lists; the result is torch where `predictions` are torch, else NumPy. It has
    the type of `predictions`, at least float32, whatever the types of targets and weights.

    `averaging`: what the ensemble averages. `probability` (Theorem 4.3) or `score` for cross_entropy and brier, where
    `output` means the output distribution, that is `probability`; for zero_one `output` is the majority vote (ties go to
    the lowest class). A callable takes (outputs (batch, outputs), targets) and returns (batch,) losses; with
    `probability` or `score` it is given probabilities.

    `inputs`: "scores" (the default) or "probabilities", whose logarithm is then the score. Scores that look like probabilities
    (none negative, all rows add up to 1) are an error unless `inputs` says which of the two they are. A score of -inf masks a
    class.

    `reduction`: "mean" or "sum" over the batch, or "none" for one value per example. `ignore_index`: examples with this label
    do not count; 0 in "none". Sample weights: those times the values of "none". Class weights: sample weights
    `class_weights[targets]`. Label smoothing: `targets` as probabilities, (1 - s) one_hot + s / classes.

    `check=False` reads no values, so that a GPU need not wait: NaN gives NaN, and labels and weights are trusted. So does
    `torch.compile`; `torch.func.vmap` needs it.

    Errors: ValueError or TypeError for shapes, types, values or names that do not fit.

    **Example**
    >>> d = decompose(torch.tensor([[1.0, 3.0]]), torch.tensor([1.0]))
    >>> d.err.item(), d.err_bar.item(), d.div.item()
    (1.0, 2.0, 1.0)
    """
    check_reduction(reduction)
    given = prepare(predictions, targets, loss, averaging, weights, inputs, ignore_index, check)
    parts = parts_of(given, loss, averaging)
    return Decomposition(*(as_given(reduce(part, reduction, given.counted), predictions) for part in parts))


def parts_of(given: Inputs, loss: Loss, averaging: str) -> Decomposition:
    """ERR, ERR-bar and DIV of each example, (batch,)."""
    err, err_bar = ensemble_error(given, loss, averaging), learner_error(given, loss, averaging)
    div = _diversity(given.predictions, given.targets, loss, averaging, given.weights)
    return Decomposition(err, err_bar, err_bar - err if div is None else div)  # None: Definition 4.2 itself


def ensemble_error(given: Inputs, loss: Loss, averaging: str) -> Tensor:
    """ERR of each example, (batch,)."""
    return _ensemble_loss(given.predictions, given.targets, loss, averaging, given.weights)


def learner_error(given: Inputs, loss: Loss, averaging: str) -> Tensor:
    """ERR-bar of each example, (batch,)."""
    return (learner_losses(given.predictions, given.targets, loss, averaging) * given.weights).sum(1)


def reduce(values: Tensor, reduction: str, counted: Tensor | None = None) -> Tensor:
    """Mean or sum over the batch, or (batch,) for "none"; examples that are not `counted` are 0 and not in the mean."""
    check_reduction(reduction)
    if counted is not None:
        values = values.masked_fill(~counted, 0)
    if reduction == "none":
        return values
    if reduction == "sum":
        return values.sum()
    return values.mean() if counted is None else values.sum() / counted.sum()


def votes(predictions: Tensor) -> Tensor:
    """One-hot vectors of the classes that the learners choose, (batch, learners, classes)."""
    return F.one_hot(predictions.argmax(2), predictions.shape[2]).to(predictions.dtype)


def _mean_score(predictions: Tensor, weights: Tensor) -> Tensor:
    # weights: (learners,), or (batch, learners) where they differ between examples
    return (predictions * weights[..., None]).sum(1)


def _mean_log_probability(predictions: Tensor, weights: Tensor) -> Tensor:
    # log of the averaged probability without leaving logarithms: finite for any finite scores. The floor keeps the
    # gradient finite where all learners mask a class, which logsumexp alone would make NaN.
    lowest = torch.finfo(predictions.dtype).min
    terms = (predictions.log_softmax(2) + weights.log()[..., None]).clamp(min=lowest)
    averaged = torch.logsumexp(terms, 1)
    return averaged.masked_fill(averaged == lowest, -torch.inf)


def _ensemble_outputs(predictions: Tensor, averaging: str, weights: Tensor) -> Tensor:
    """What the ensemble puts out, (batch, outputs): mean outputs, or probabilities."""
    if averaging == "output":
        return _mean_score(predictions, weights)
    if averaging == "probability":
        return _mean_score(predictions.softmax(2), weights)
    return _mean_score(predictions, weights).softmax(1)


def _expected(targets: Tensor, values: Tensor) -> Tensor:
    """sum_k y(k) v(k) of values (batch, [learners,] classes), where 0 times an infinity is 0."""
    if targets.ndim == 1:
        index = targets.view(-1, *[1] * (values.ndim - 1)).expand(*values.shape[:-1], 1)
        return values.gather(-1, index).squeeze(-1)
    targets = targets if values.ndim == 2 else targets.unsqueeze(1)
    return (targets * values).masked_fill(targets == 0, 0).sum(-1)


def _distribution(targets: Tensor, like: Tensor) -> Tensor:
    return F.one_hot(targets, like.shape[-1]).to(like.dtype) if targets.ndim == 1 else targets


def _ensemble_loss(predictions, targets, loss, averaging, weights) -> Tensor:
    if loss == "squared_error":
        return (_mean_score(predictions, weights) - targets).square().sum(1)
    if loss == "cross_entropy":
        if averaging == "score":
            log_probability = _mean_score(predictions, weights).log_softmax(1)
        else:
            log_probability = _mean_log_probability(predictions, weights)
        return -_expected(targets, log_probability)
    if loss == "brier":
        averaging = "probability" if averaging == "output" else averaging
        averaged = _ensemble_outputs(predictions, averaging, weights)
        return (averaged - _distribution(targets, averaged)).square().sum(1)
    if loss == "zero_one":
        if averaging == "output":
            chosen = _mean_score(votes(predictions), weights)
        else:
            chosen = _ensemble_outputs(predictions, averaging, weights)
        return (chosen.argmax(1) != targets).to(predictions.dtype)
    if loss in ("logistic", "exponential"):
        margin = targets * _mean_score(predictions, weights).squeeze(1)
        return F.softplus(-margin) if loss == "logistic" else torch.exp(-margin)
    return call(loss, _ensemble_outputs(predictions, averaging, weights), targets)


def learner_losses(predictions, targets, loss, averaging) -> Tensor:
    """(batch, learners)."""
    if loss == "squared_error":
        return (predictions - targets.unsqueeze(1)).square().sum(2)
    if loss == "cross_entropy":
        return -_expected(targets, predictions.log_softmax(2))
    if loss == "brier":
        return (predictions.softmax(2) - _distribution(targets, predictions).unsqueeze(1)).square().sum(2)
    if loss == "zero_one":
        return (predictions.argmax(2) != targets.unsqueeze(1)).to(predictions.dtype)
    if loss in ("logistic", "exponential"):
        margins = targets.unsqueeze(1) * predictions.squeeze(2)
        return F.softplus(-margins) if loss == "logistic" else torch.exp(-margins)
    outputs = predictions if averaging == "output" else predictions.softmax(2)
    return torch.stack([call(loss, outputs[:, j], targets) for j in range(outputs.shape[1])], 1)


def _diversity(predictions, targets, loss, averaging, weights) -> Tensor | None:
    if loss == "squared_error":  # Eq. 1
        spread = (predictions - _mean_score(predictions, weights).unsqueeze(1)).square().sum(2)
        return (spread * weights).sum(1)
    if loss == "cross_entropy" and averaging == "score":  # sum_j w_j KL(q-bar || p_j), for any targets that add to 1
        log_mean = _mean_score(predictions, weights).log_softmax(1).unsqueeze(1)
        ratios = (log_mean - predictions.log_softmax(2)).masked_fill(log_mean == -torch.inf, 0)
        divergence = ((log_mean.exp() * ratios).sum(2) * weights).sum(1)
        return divergence if targets.ndim == 1 else divergence * targets.sum(1)
    if loss == "cross_entropy":  # Theorem 4.3, summed over all classes so that soft labels count too
        log_mean = _mean_log_probability(predictions, weights).unsqueeze(1)
        return (_expected(targets, log_mean - predictions.log_softmax(2)) * weights).sum(1)
    if loss == "brier" and averaging != "score":
        probabilities = predictions.softmax(2)
        spread = (probabilities - _mean_score(probabilities, weights).unsqueeze(1)).square().sum(2)
        return (spread * weights).sum(1)
    if loss in ("logistic", "exponential"):
        # The remainder of the first-order expansion around the ensemble (Theorem 4.5); the linear terms cancel.
        margins = targets.unsqueeze(1) * predictions.squeeze(2)
        mean = (margins * weights).sum(1, keepdim=True)
        if loss == "logistic":
            remainder = F.softplus(-margins) - F.softplus(-mean) + torch.sigmoid(-mean) * (margins - mean)
        else:
            remainder = torch.exp(-margins) - torch.exp(-mean) + torch.exp(-mean) * (margins - mean)
        return (remainder * weights).sum(1)
    return None  # 0-1, Brier of averaged scores and callables
