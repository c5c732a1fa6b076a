"""The augmented objective of Section 5, Eq. 2: between independent training (beta = 0) and joint training (beta = 1)."""

from torch import Tensor, nn

from .decomposition import Loss, ensemble_and_learner_error


class AugmentedLoss(nn.Module):
    """L_beta = (1 - beta) ERR-bar + beta ERR = ERR-bar - beta DIV, averaged over the batch.

    **Shape**: called with predictions (batch, learners, outputs) or (batch, learners) and targets, as in
    `learner_collusion.decompose`; returns a scalar tensor, or (batch,) with `reduction="none"`. `weights` (learners,) are the
    ensemble's, convex, uniform by default; those of a call, (learners,) or (batch, learners), take their place.

    Errors: ValueError for beta outside [0, 1], where the objective has no lower bound (Theorem 5.1), or where it
    rewards less diversity than independent training has, unless `allow_any_beta` asks for it.

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
        weights: Tensor | None = None,
        allow_any_beta: bool = False,
        reduction: str = "mean",
    ):
        super().__init__()
        if not allow_any_beta:
            check_beta(beta)
        if reduction not in ("mean", "none"):
            raise ValueError(f"reduction is {reduction!r}: choose 'mean' or 'none'.")
        self.beta, self.loss, self.averaging, self.reduction = beta, loss, averaging, reduction
        self.register_buffer("weights", weights)

    def forward(self, predictions: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        weights = self.weights if weights is None else weights
        err, err_bar = ensemble_and_learner_error(predictions, targets, self.loss, self.averaging, weights)
        objective = (1 - self.beta) * err_bar + self.beta * err
        return objective.mean() if self.reduction == "mean" else objective

    def extra_repr(self) -> str:
        return f"beta={self.beta}, loss={self.loss!r}, averaging={self.averaging!r}"


def check_beta(beta: float) -> None:
    """ValueError unless beta lies in [0, 1]."""
    if not 0 <= beta <= 1:
        raise ValueError(
            f"beta is {beta}, but must lie in [0, 1]: beyond 1 the augmented objective has no lower bound (Theorem 5.1)."
        )
