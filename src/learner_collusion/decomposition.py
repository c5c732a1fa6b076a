"""ERR, ERR-bar and DIV of an ensemble (Definitions 4.1 and 4.2), for every loss of the paper and any callable one.

Each of the three is computed from a formula of its own, so that DIV = ERR-bar - ERR is a check and not a definition
(except where no closed form exists: the 0-1 loss and callables).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

LOSSES = ("squared_error", "cross_entropy", "brier", "zero_one", "logistic", "exponential")
AVERAGINGS = ("output", "probability", "score")
Loss = str | Callable[[Tensor, Tensor], Tensor]


class Decomposition(NamedTuple):
    """`err` = L(ensemble), `err_bar` = weighted mean of the learners' losses, `div` = diversity; scalars or (batch,)."""

    err: Tensor
    err_bar: Tensor
    div: Tensor


def decompose(
    predictions: Tensor,
    targets: Tensor,
    loss: Loss = "squared_error",
    averaging: str = "output",
    weights: Tensor | None = None,
    reduction: str = "mean",
) -> Decomposition:
    """Decompose the loss of an ensemble into ERR = ERR-bar - DIV.

    **Shape**: `predictions` (batch, learners, outputs), or (batch, learners) for one output. Scores (logits) for
    cross_entropy, brier and zero_one; margins for logistic and exponential. `targets` (batch, outputs) or (batch,) for
    squared_error; class indices (batch,) or probabilities (batch, outputs) for cross_entropy and brier; class indices
    for zero_one; -1 or +1 (batch,) for logistic and exponential. `weights` (learners,), or (batch, learners) where they
    differ between examples, convex, uniform by default.

    `averaging`: what the ensemble averages. `probability` (Theorem 4.3) or `score` for cross_entropy and brier, where
    `output` means the output distribution, that is `probability`; for zero_one `output` is the majority vote (ties go to
    the lowest class). A callable takes (outputs (batch, outputs), targets) and returns (batch,) losses; with
    `probability` or `score` it is given probabilities.

    `reduction`: "mean" over the batch, or "none" for one value an example.

    Errors: ValueError for shapes, weights or names that do not fit.

    **Example**
    >>> d = decompose(torch.tensor([[1.0, 3.0]]), torch.tensor([1.0]))
    >>> d.err.item(), d.err_bar.item(), d.div.item()
    (1.0, 2.0, 1.0)
    """
    predictions, targets, weights = _check(predictions, targets, loss, averaging, weights)
    parts = Decomposition(
        _ensemble_loss(predictions, targets, loss, averaging, weights),
        (_learner_losses(predictions, targets, loss, averaging) * weights).sum(1),
        _diversity(predictions, targets, loss, averaging, weights),
    )
    return reduce(parts, reduction)


def ensemble_and_learner_error(
    predictions: Tensor, targets: Tensor, loss: Loss, averaging: str, weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """ERR and ERR-bar per example, without DIV: what a training objective needs. Arguments as in `decompose`."""
    predictions, targets, weights = _check(predictions, targets, loss, averaging, weights)
    err = _ensemble_loss(predictions, targets, loss, averaging, weights)
    return err, (_learner_losses(predictions, targets, loss, averaging) * weights).sum(1)


def ensemble_error(predictions: Tensor, targets: Tensor, loss: Loss, averaging: str, weights: Tensor) -> Tensor:
    """ERR per example; `weights` (batch, learners) may differ from example to example. Arguments as in `decompose`."""
    predictions, targets, _ = _check(predictions, targets, loss, averaging, None)
    return _ensemble_loss(predictions, targets, loss, averaging, weights)


def reduce(parts: Decomposition, reduction: str) -> Decomposition:
    """Average each part over the batch ("mean"), or leave it per example ("none")."""
    if reduction not in ("mean", "none"):
        raise ValueError(f"reduction is {reduction!r}: choose 'mean' or 'none'.")
    return parts if reduction == "none" else Decomposition(*(part.mean() for part in parts))


def uniform(learners: int, like: Tensor) -> Tensor:
    """Weights w_j = 1/M in the dtype and on the device of `like`."""
    return torch.full((learners,), 1 / learners, dtype=like.dtype, device=like.device)


def check_weights(weights: Tensor | None, predictions: Tensor, per_example: bool = False) -> Tensor:
    """`weights` (learners,) as a tensor beside `predictions`, with `per_example` also (batch, learners); ValueError unless
    they are convex."""
    batch, learners = predictions.shape[:2]
    if weights is None:
        return uniform(learners, predictions)
    weights = torch.as_tensor(weights, dtype=predictions.dtype, device=predictions.device)
    if weights.shape != (learners,) and not (per_example and weights.shape == (batch, learners)):
        rows = f", or one row per example, shape ({batch}, {learners})" if per_example else ""
        raise ValueError(
            f"weights must have one entry per learner, shape ({learners},){rows}, but have shape {tuple(weights.shape)}."
        )
    convex = (weights >= 0).all() & ((weights.sum(-1) - 1).abs() <= 1e-4).all()  # False for NaN, too
    if not bool(convex):
        raise ValueError("weights must not be negative and must add up to 1 (Section 4.1).")
    return weights


def _check(predictions, targets, loss, averaging, weights):
    if not callable(loss) and loss not in LOSSES:
        raise ValueError(f"loss is {loss!r}: choose one of {', '.join(LOSSES)}, or pass a callable.")
    if averaging not in AVERAGINGS:
        raise ValueError(f"averaging is {averaging!r}: choose one of {', '.join(AVERAGINGS)}.")
    if loss in ("squared_error", "logistic", "exponential") and averaging != "output":
        raise ValueError(f"averaging {averaging!r} has no meaning for {loss}: use 'output'.")
    if predictions.ndim not in (2, 3):
        raise ValueError(
            "predictions must be (batch, learners) or (batch, learners, outputs), however: "
            f"{predictions.ndim} dimensions."
        )
    if predictions.ndim == 2:
        if loss in ("cross_entropy", "brier", "zero_one"):
            raise ValueError(f"{loss} needs scores for each class: predictions (batch, learners, classes).")
        predictions = predictions.unsqueeze(2)
    batch, _, outputs = predictions.shape
    if len(targets) != batch:
        raise ValueError(f"targets must have one row an example: {batch}, however: {len(targets)}.")
    targets = torch.as_tensor(targets, device=predictions.device)
    if loss == "squared_error":
        if targets.ndim == 1:
            targets = targets.unsqueeze(1)
        if targets.shape != (batch, outputs):
            raise ValueError(f"targets must be ({batch}, {outputs}), however: {tuple(targets.shape)}.")
    elif loss in ("logistic", "exponential"):
        if outputs != 1 or targets.numel() != batch:
            raise ValueError(f"{loss} takes one margin a learner and one target of -1 or +1 an example.")
        targets = targets.reshape(batch).to(predictions.dtype)
        if not bool((targets.abs() == 1).all()):
            raise ValueError(f"{loss} takes targets of -1 or +1: map class 0 to -1.")
    elif loss in ("cross_entropy", "brier"):
        if targets.ndim == 1:
            targets = F.one_hot(targets.long(), outputs)
        if targets.shape != (batch, outputs):
            raise ValueError(
                f"targets must be class indices ({batch},) or probabilities ({batch}, {outputs}), "
                f"however: {tuple(targets.shape)}."
            )
        targets = targets.to(predictions.dtype)
    elif loss == "zero_one" and targets.ndim != 1:
        raise ValueError("zero_one takes class indices (batch,) as targets.")
    return predictions, targets, check_weights(weights, predictions, per_example=True)


def _mean_score(predictions: Tensor, weights: Tensor) -> Tensor:
    # weights: (learners,), or (batch, learners) where they differ between examples
    return (predictions * weights[..., None]).sum(1)


def _mean_log_probability(predictions: Tensor, weights: Tensor) -> Tensor:
    # log of the averaged probability without leaving logarithms: finite for any finite scores.
    return torch.logsumexp(predictions.log_softmax(2) + weights.log()[..., None], 1)


def _ensemble_outputs(predictions: Tensor, averaging: str, weights: Tensor) -> Tensor:
    """What the ensemble puts out, (batch, outputs): mean outputs, or probabilities."""
    if averaging == "output":
        return _mean_score(predictions, weights)
    if averaging == "probability":
        return _mean_score(predictions.softmax(2), weights)
    return _mean_score(predictions, weights).softmax(1)


def _votes(predictions: Tensor) -> Tensor:
    return F.one_hot(predictions.argmax(2), predictions.shape[2]).to(predictions.dtype)


def _ensemble_loss(predictions, targets, loss, averaging, weights) -> Tensor:
    if loss == "squared_error":
        return (_mean_score(predictions, weights) - targets).square().sum(1)
    if loss == "cross_entropy":
        if averaging == "score":
            log_probability = _mean_score(predictions, weights).log_softmax(1)
        else:
            log_probability = _mean_log_probability(predictions, weights)
        return -(targets * log_probability).sum(1)
    if loss == "brier":
        averaging = "probability" if averaging == "output" else averaging
        return (_ensemble_outputs(predictions, averaging, weights) - targets).square().sum(1)
    if loss == "zero_one":
        if averaging == "output":
            chosen = _mean_score(_votes(predictions), weights)
        else:
            chosen = _ensemble_outputs(predictions, averaging, weights)
        return (chosen.argmax(1) != targets).to(predictions.dtype)
    if loss in ("logistic", "exponential"):
        margin = targets * _mean_score(predictions, weights).squeeze(1)
        return F.softplus(-margin) if loss == "logistic" else torch.exp(-margin)
    return loss(_ensemble_outputs(predictions, averaging, weights), targets)


def _learner_losses(predictions, targets, loss, averaging) -> Tensor:
    """(batch, learners)."""
    if loss == "squared_error":
        return (predictions - targets.unsqueeze(1)).square().sum(2)
    if loss == "cross_entropy":
        return -(targets.unsqueeze(1) * predictions.log_softmax(2)).sum(2)
    if loss == "brier":
        return (predictions.softmax(2) - targets.unsqueeze(1)).square().sum(2)
    if loss == "zero_one":
        return (predictions.argmax(2) != targets.unsqueeze(1)).to(predictions.dtype)
    if loss in ("logistic", "exponential"):
        margins = targets.unsqueeze(1) * predictions.squeeze(2)
        return F.softplus(-margins) if loss == "logistic" else torch.exp(-margins)
    outputs = predictions if averaging == "output" else predictions.softmax(2)
    return torch.stack([loss(outputs[:, j], targets) for j in range(outputs.shape[1])], 1)


def _diversity(predictions, targets, loss, averaging, weights) -> Tensor:
    if loss == "squared_error":  # Eq. 1
        spread = (predictions - _mean_score(predictions, weights).unsqueeze(1)).square().sum(2)
        return (spread * weights).sum(1)
    if loss == "cross_entropy" and averaging == "score":  # sum_j w_j KL(q-bar || p_j), for any targets that add to 1
        log_mean = _mean_score(predictions, weights).log_softmax(1).unsqueeze(1)
        divergence = (log_mean.exp() * (log_mean - predictions.log_softmax(2))).sum(2)
        return (divergence * weights).sum(1) * targets.sum(1)
    if loss == "cross_entropy":  # Theorem 4.3, summed over all classes so that soft labels count too
        log_mean = _mean_log_probability(predictions, weights).unsqueeze(1)
        ratios = (targets.unsqueeze(1) * (log_mean - predictions.log_softmax(2))).sum(2)
        return (ratios * weights).sum(1)
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
    # 0-1, Brier of averaged scores and callables: Definition 4.2 itself.
    learners = (_learner_losses(predictions, targets, loss, averaging) * weights).sum(1)
    return learners - _ensemble_loss(predictions, targets, loss, averaging, weights)
