"""Three symptoms of learner collusion (Section 6.1): excessive DIV, constant biases that cancel, and codependence."""

import torch
from torch import Tensor

from .decomposition import Loss, check_weights, ensemble_and_learner_error, ensemble_error


def debias(predictions: Tensor, weights: Tensor | None = None) -> Tensor:
    """Remove each learner's constant bias b_j = mean_i (f_j(x_i) - f(x_i)) (Section 6.1; optimal by Appendix C.1).

    The ensemble's predictions do not change, and no other constants that leave them unchanged lower DIV further.

    **Shape**: `predictions` (batch, learners) or (batch, learners, outputs); the result has the same shape.
    """
    weights = check_weights(weights, predictions)
    mean = torch.tensordot(predictions, weights, dims=([1], [0])).unsqueeze(1)
    return predictions - (predictions - mean).mean(0, keepdim=True)


@torch.no_grad()
def bias_share(predictions: Tensor, weights: Tensor | None = None) -> float:
    """Share of DIV that constant biases explain, 1 - DIV(debiased)/DIV, in [0, 1] (Figure 3); 0 where DIV is 0.

    **Shape**: `predictions` (batch, learners) or (batch, learners, outputs); DIV is that of the squared error (Eq. 1).
    """
    weights = check_weights(weights, predictions)
    before = _spread(predictions, weights)
    return 1 - _spread(debias(predictions, weights), weights) / before if before > 0 else 0.0


def _spread(predictions: Tensor, weights: Tensor) -> float:
    flat = predictions.reshape(*predictions.shape[:2], -1).double()
    weights = weights.double()
    mean = torch.einsum("bmk,m->bk", flat, weights).unsqueeze(1)
    return float(((flat - mean).square().sum(2) * weights).sum(1).mean())


@torch.no_grad()
def codependence(
    predictions: Tensor,
    targets: Tensor,
    drop: float = 0.2,
    draws: int = 100,
    per: str = "example",
    generator: torch.Generator | None = None,
    loss: Loss = "squared_error",
    averaging: str = "output",
    weights: Tensor | None = None,
) -> float:
    """Mean increase of ERR when a share `drop` of the learners, int(M drop) of them, is left out at test time (Figure 4).

    The learners to leave out are drawn at random `draws` times, anew for each example (`per="example"`, as in the
    official code) or once for the whole ensemble (`per="ensemble"`); the weights of the kept ones are scaled to add
    to 1. The increase is absolute, in the unit of the loss.

    **Shape**: `predictions` and `targets` as in `decompose`.

    Errors: ValueError where no learner would be kept.
    """
    curve = codependence_curve(
        predictions.unsqueeze(0), targets, (drop,), draws, per, generator, loss, averaging, weights
    )
    return float(curve[0, 0])


def codependence_curve(
    predictions: Tensor,
    targets: Tensor,
    drops: tuple[float, ...],
    draws: int = 100,
    per: str = "example",
    generator: torch.Generator | None = None,
    loss: Loss = "squared_error",
    averaging: str = "output",
    weights: Tensor | None = None,
) -> Tensor:
    """`codependence` of several ensembles for several shares at once, with the same draws for all: (ensembles, drops).

    **Shape**: `predictions` (ensembles, batch, learners) or (ensembles, batch, learners, outputs). The learners that
    a smaller share leaves out are among those that a larger one does.
    """
    if per not in ("example", "ensemble"):
        raise ValueError(f"per is {per!r}: choose 'example' or 'ensemble'.")
    ensembles, batch, learners = predictions.shape[:3]
    weights = check_weights(weights, predictions[0])
    dropped = [int(learners * drop + 1e-9) for drop in drops]
    if min(drops) < 0 or max(dropped) >= learners:
        raise ValueError(f"drop must keep at least one of the {learners} learners and not be negative: {drops}.")
    full = torch.stack(
        [ensemble_and_learner_error(p, targets, loss, averaging, weights)[0].mean() for p in predictions]
    )
    total = torch.zeros(ensembles, len(drops), dtype=full.dtype, device=full.device)
    for _ in range(draws):
        keys = torch.rand(1 if per == "ensemble" else batch, learners, generator=generator, device=predictions.device)
        order = keys.argsort(1).expand(batch, learners)
        for d, count in enumerate(dropped):
            kept = order[:, count:]
            share = weights[kept]
            share = share / share.sum(1, keepdim=True)
            if loss == "squared_error" and predictions.ndim == 3:  # Figure 4's hot loop
                means = (predictions.gather(2, kept.expand(ensembles, -1, -1)) * share).sum(2)
                errors = (means - targets).square()
            else:
                errors = [_kept_error(p, targets, kept, share, loss, averaging) for p in predictions]
            total[:, d] += torch.stack([error.mean() for error in errors])
    return total / draws - full[:, None]


def _kept_error(predictions, targets, kept, share, loss, averaging) -> Tensor:
    """ERR per example of an ensemble that keeps other learners, `kept` (batch, kept), for each example."""
    index = kept.reshape(*kept.shape, *[1] * (predictions.ndim - 2)).expand(-1, -1, *predictions.shape[2:])
    return ensemble_error(predictions.gather(1, index), targets, loss, averaging, share)
