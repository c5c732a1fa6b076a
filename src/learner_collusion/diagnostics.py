"""Three symptoms of learner collusion (Section 6.1): excessive DIV, constant biases that cancel, and codependence."""

import warnings

import numpy as np
import torch
from torch import Tensor

from .decomposition import ensemble_error
from .inputs import (
    Array,
    Inputs,
    Loss,
    as_given,
    as_predictions,
    as_tensor,
    as_weights,
    check_convex,
    check_index,
    prepare,
    to_averaged,
    without_ignored,
)
from .measures import count_dropped


def debias(
    predictions: Array, weights: Array | None = None, averaging: str = "output", inputs: str | None = None
) -> Tensor | np.ndarray:
    """Remove each learner's constant bias b_j = mean_i (f_j(x_i) - f(x_i)) (Section 6.1; optimal by Appendix C.1).

    The ensemble's predictions do not change, and no other constants that leave them unchanged lower DIV further.

    **Shape**: `predictions` (batch, learners) or (batch, learners, outputs); the result has the same shape, in float32 or
    wider. Of classes, `averaging="probability"` takes scores and returns debiased probabilities, and "score" returns debiased
    scores, centred over the classes because softmax ignores a constant that is added to all of them; `inputs` as in `decompose`.
    """
    averaged = to_averaged(predictions, averaging, inputs)
    weights = as_weights(weights, averaged)
    check_convex(weights)
    return as_given(_debiased(averaged, weights), predictions)


@torch.no_grad()
def bias_share(
    predictions: Array, weights: Array | None = None, averaging: str = "output", inputs: str | None = None
) -> float:
    """Share of DIV that constant biases explain, 1 - DIV(debiased)/DIV, in [0, 1] (Figure 3); 0 where DIV is 0.

    **Shape**: `predictions` (batch, learners) or (batch, learners, outputs); DIV is that of the squared error (Eq. 1), of
    what the ensemble averages. `averaging` and `inputs` as in `debias`.
    """
    averaged = to_averaged(predictions, averaging, inputs)
    weights = as_weights(weights, averaged)
    check_convex(weights)
    before = _spread(averaged, weights)
    return 1 - _spread(_debiased(averaged, weights), weights) / before if before > 0 else 0.0


def _debiased(predictions: Tensor, weights: Tensor) -> Tensor:
    mean = torch.tensordot(predictions, weights, dims=([1], [0])).unsqueeze(1)
    return predictions - (predictions - mean).mean(0, keepdim=True)


def _spread(predictions: Tensor, weights: Tensor) -> float:
    flat = predictions.reshape(*predictions.shape[:2], -1).double()
    weights = weights.double()
    mean = torch.einsum("bmk,m->bk", flat, weights).unsqueeze(1)
    return float(((flat - mean).square().sum(2) * weights).sum(1).mean())


def codependence(
    predictions: Array,
    targets: Array,
    drop: float = 0.2,
    draws: int = 100,
    per: str = "example",
    generator: torch.Generator | None = None,
    loss: Loss = "squared_error",
    averaging: str = "output",
    weights: Array | None = None,
    inputs: str | None = None,
    ignore_index: int | None = None,
) -> float:
    """Mean increase of ERR when a share `drop` of the learners, int(M drop) of them, is left out at test time (Figure 4).

    The learners to leave out are drawn at random `draws` times, anew for each example (`per="example"`, as in the
    official code) or once for the whole ensemble (`per="ensemble"`); the weights of the kept ones are scaled to add
    to 1. The increase is absolute, in the unit of the loss. Without `generator`, equal calls draw equal learners, and no
    other random numbers change. For the squared error, `theory.expected_increase` has the mean over all choices.

    **Shape**: `predictions` and `targets` as in `decompose`.

    Errors: ValueError where no learner would be kept, or none left out. A warning where int(M drop) is another share than
    `drop`: 0.2 of seven learners is one of them, 14 %.
    """
    check_index(predictions, targets)
    predictions = as_predictions(predictions)
    learners = predictions.shape[1]
    count = left_out(learners, drop)
    if count == 0 and drop > 0:
        raise ValueError(f"drop={drop:g} of {learners} learners leaves none out: choose 1/{learners} or more.")
    if abs(count - learners * drop) > 1e-6:
        share = f"{count} of {learners} learners, {count / learners:.0%}"
        warnings.warn(f"drop={drop:g} leaves out int({learners} * {drop:g}) = {share}.", stacklevel=2)
    curve = codependence_curve(
        predictions.unsqueeze(0),
        targets,
        (drop,),
        draws,
        per,
        generator,
        loss,
        averaging,
        weights,
        inputs,
        ignore_index,
    )
    return float(curve[0, 0])


def left_out(learners: int, drop: float) -> int:
    """int(M drop), the number of learners that a share of them is; ValueError unless at least one is kept."""
    if not 0 <= drop < 1:
        raise ValueError(f"drop must keep at least one of the {learners} learners and not be negative: {drop}.")
    return count_dropped(learners, drop)


@torch.no_grad()
def codependence_curve(
    predictions: Array,
    targets: Array,
    drops: tuple[float, ...],
    draws: int = 100,
    per: str = "example",
    generator: torch.Generator | None = None,
    loss: Loss = "squared_error",
    averaging: str = "output",
    weights: Array | None = None,
    inputs: str | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    """`codependence` of several ensembles for several shares at once, with the same draws for all: (ensembles, drops).

    **Shape**: `predictions` (ensembles, batch, learners) or (ensembles, batch, learners, outputs). The learners that
    a smaller share leaves out are among those that a larger one does.
    """
    if per not in ("example", "ensemble"):
        raise ValueError(f"per is {per!r}: choose 'example' or 'ensemble'.")
    if draws < 1:
        raise ValueError(f"draws is {draws}: at least one is needed.")
    given = [
        without_ignored(prepare(p, targets, loss, averaging, weights, inputs, ignore_index))
        for p in as_tensor(predictions, "predictions")
    ]
    stacked = torch.stack([g.predictions for g in given])
    batch, learners, device = *stacked.shape[1:3], stacked.device
    targets, weights = given[0].targets, given[0].weights
    dropped = [left_out(learners, drop) for drop in drops]
    if weights.ndim != 1:
        raise ValueError(
            f"weights must have one entry per learner here, shape ({learners},), not {tuple(weights.shape)}."
        )
    if int((weights == 0).sum()) >= learners - max(dropped):
        raise ValueError("weights: so many are 0 that only such learners could be kept: leave them out first.")
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    full = torch.stack([ensemble_error(g, loss, averaging).mean() for g in given])
    total = torch.zeros(len(given), len(drops), dtype=full.dtype, device=device)
    for _ in range(draws):
        # drawn where the generator is, so that the numbers do not depend on the device of the predictions
        keys = torch.rand(1 if per == "ensemble" else batch, learners, generator=generator, device=generator.device)
        order = keys.argsort(1).expand(batch, learners).to(device)
        for d, count in enumerate(dropped):
            kept = order[:, count:]
            share = weights[kept]
            share = share / share.sum(1, keepdim=True)
            if loss == "squared_error" and stacked.shape[3] == 1:  # without a copy of all kept predictions
                means = (stacked.squeeze(3).gather(2, kept.expand(len(given), -1, -1)) * share).sum(2)
                errors = (means - targets.squeeze(1)).square()
            else:
                index = kept.unsqueeze(2).expand(-1, -1, stacked.shape[3])
                parts = [Inputs(p.gather(1, index), targets, share, None) for p in stacked]
                errors = [ensemble_error(part, loss, averaging) for part in parts]
            total[:, d] += torch.stack([error.mean() for error in errors])
    return total / draws - full[:, None]
