"""What squared errors are taken of: outputs in regression, for classes the learners' probabilities, whatever the loss."""

from torch import Tensor
from torch.nn import functional as F

from .bootstrap import BLOCK
from .inputs import Inputs, Loss


def are_probabilities(loss: Loss, averaging: str) -> bool:
    """Whether the learners' probabilities are compared, and not their outputs."""
    return loss in ("cross_entropy", "brier", "zero_one", "logistic", "exponential") or averaging != "output"


def outputs_of(predictions: Tensor, loss: Loss, averaging: str) -> Tensor:
    """Outputs (batch, learners, outputs) of which squared errors are taken: for classes each learner's probabilities, which a
    constant added to all of its scores leaves alone."""
    if loss in ("logistic", "exponential"):  # margins of P(y = 1)
        return ((1 if loss == "logistic" else 2) * predictions).sigmoid()
    return predictions.softmax(2) if are_probabilities(loss, averaging) else predictions


def targets_of(given: Inputs, loss: Loss, averaging: str) -> Tensor | None:
    """What the outputs should be, (batch, outputs); None where a callable has other targets."""
    targets, (batch, _, outputs) = given.targets, given.predictions.shape
    if loss in ("logistic", "exponential"):
        return (targets.reshape(-1, 1) + 1) / 2
    if targets.ndim == 1 and are_probabilities(loss, averaging) and not targets.is_floating_point():
        targets = F.one_hot(targets.long(), outputs)
    elif targets.ndim == 1:
        targets = targets.unsqueeze(1)
    return targets if targets.shape == (batch, outputs) else None


def mean_target(given: Inputs, loss: Loss, averaging: str) -> Tensor | None:
    """Mean of `targets_of` all rows, (outputs,) in float64; None where there are none."""
    batch = len(given.predictions)
    if targets_of(rows_of(given, slice(0, 1)), loss, averaging) is None:
        return None
    parts = (rows_of(given, slice(first, first + BLOCK)) for first in range(0, batch, BLOCK))
    return sum(targets_of(part, loss, averaging).double().sum(0) for part in parts).to(given.predictions.device) / batch


def rows_of(given: Inputs, part: slice) -> Inputs:
    """Some of the rows, with one weight per learner."""
    return Inputs(given.predictions[part], given.targets[part], given.weights, None)
