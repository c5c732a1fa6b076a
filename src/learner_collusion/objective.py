"""The augmented objective of Section 5, Eq. 2: between independent training (beta = 0) and joint training (beta = 1)."""

import math

import torch
from torch import Tensor, nn

from .decomposition import ensemble_error, learner_error, reduce
from .inputs import Array, Loss, as_tensor, as_weights, check_convex, check_names, check_reduction, prepare, readable

CHECKS = ("first", "always", "never")


class AugmentedLoss(nn.Module):
    """L_beta = (1 - beta) ERR-bar + beta ERR = ERR-bar - beta DIV, averaged over the batch.

    **Shape**: called with predictions (batch, learners, outputs) or (batch, learners) and targets, as in
    `learner_collusion.decompose`; returns a scalar tensor, or (batch,) with `reduction="none"`. `weights` (learners,) are the
    ensemble's, convex, uniform by default; those of a call, (learners,) or (batch, learners), take their place. All other
    arguments, and how to weight examples and classes or smooth labels, as in `decompose`. It is computed in float32 or wider.

    `beta` may be set anew at any time. At 0 ERR is not computed, at 1 ERR-bar is not: one that overflows does no harm.

    `check`: labels, weights and whether scores look like probabilities are checked in the "first" batch, so that later ones
    cost no time and a GPU need not wait; or "always", or "never". Nothing is read while `torch.compile` compiles. NaN and
    infinite predictions give NaN, as with the losses of PyTorch, for the training loop to see.

    Errors: ValueError for beta outside [0, 1], where the objective has no lower bound (Theorem 5.1), or where it
    rewards less diversity than independent training has, unless `allow_any_beta` asks for it; for names and weights that do
    not fit, when the loss is made.

    **Example**
    >>> import torch
    >>> AugmentedLoss(beta=0.5)(torch.tensor([[1.0, 3.0]]), torch.tensor([1.0]))
    tensor(1.5000)
    """

    def __init__(
        self,
        beta: float,
        loss: Loss = "squared_error",
        averaging: str = "output",
        weights: Array | None = None,
        allow_any_beta: bool = False,
        reduction: str = "mean",
        inputs: str | None = None,
        ignore_index: int | None = None,
        check: str = "first",
    ):
        super().__init__()
        check_names(loss, averaging, inputs, ignore_index)
        check_reduction(reduction)
        if check not in CHECKS:
            raise ValueError(f"check is {check!r}: choose one of {', '.join(CHECKS)}.")
        self.allow_any_beta = allow_any_beta
        self.beta, self.loss, self.averaging, self.reduction = beta, loss, averaging, reduction
        self.inputs, self.ignore_index, self.check = inputs, ignore_index, check
        self.register_buffer("weights", None if weights is None else _fixed_weights(weights))
        self._checked = False

    @property
    def beta(self) -> float:
        return self._beta

    @beta.setter
    def beta(self, beta: float) -> None:
        check_beta(beta, self.allow_any_beta)
        self._beta = float(beta)

    def forward(self, predictions: Array, targets: Array, weights: Array | None = None) -> Tensor:
        weights = self.weights if weights is None else weights
        check = False
        if not torch.compiler.is_compiling():
            check = self.check == "always" or (self.check == "first" and not self._checked)
            self._checked = self._checked or check
        given = prepare(
            predictions,
            targets,
            self.loss,
            self.averaging,
            weights,
            self.inputs,
            self.ignore_index,
            check,
            finite=False,
        )
        objective = 0.0
        if self.beta != 1:
            objective = (1 - self.beta) * learner_error(given, self.loss, self.averaging)
        if self.beta != 0:
            objective = objective + self.beta * ensemble_error(given, self.loss, self.averaging)
        return reduce(objective, self.reduction, given.counted)

    def extra_repr(self) -> str:
        return f"beta={self.beta:g}, loss={self.loss!r}, averaging={self.averaging!r}"


def check_beta(beta: float, allow_any: bool = False) -> None:
    """ValueError unless beta lies in [0, 1], or is any finite number with `allow_any`."""
    if not math.isfinite(beta) if allow_any else not 0 <= beta <= 1:
        reason = (
            "be finite"
            if allow_any
            else "lie in [0, 1]: beyond 1 the augmented objective has no lower bound (Theorem 5.1)"
        )
        raise ValueError(f"beta is {beta}, but must {reason}.")


def _fixed_weights(weights: Array) -> Tensor:
    weights = as_tensor(weights, "weights")
    if weights.ndim != 1:
        raise ValueError(
            f"weights must be (learners,), but have shape {tuple(weights.shape)}; pass others in the call."
        )
    weights = weights if weights.is_floating_point() else weights.float()
    if readable(weights):
        check_convex(as_weights(weights, weights.new_empty(1, len(weights), dtype=torch.float64)))
    return weights


def split_learners(outputs: Tensor, learners: int) -> Tensor:
    """Outputs of all learners one after the other, ((learners x batch), ...), as AugmentedLoss takes them, (batch, learners, ...).

    For models that put the learners into the batch, so that the rows 0 to batch - 1 are those of the first learner
    (torch-uncertainty's ensembles, `torch.cat` over learners). The targets stay (batch, ...): not repeated for each learner.
    A view, without a copy; gradients flow through it.

    Errors: ValueError unless the rows are a multiple of `learners`.

    **Example**
    >>> split_learners(torch.tensor([1.0, 2.0, 10.0, 20.0]), learners=2)
    tensor([[ 1., 10.],
            [ 2., 20.]])
    """
    rows = outputs.shape[0] if outputs.ndim else 0
    if learners < 1 or rows == 0 or rows % learners:
        raise ValueError(
            f"{rows} rows are no multiple of {learners} learners: each learner must have predicted the whole batch."
        )
    return outputs.unflatten(0, (learners, rows // learners)).transpose(0, 1)
