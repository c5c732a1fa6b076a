"""How the learners of an ensemble depend on each other: the correlations of their errors, and the codependence curve."""

import torch
from torch import Tensor

from .bootstrap import BLOCK, Estimate, estimate, resample
from .compared import mean_target, outputs_of, rows_of, targets_of
from .decomposition import ensemble_error
from .inputs import Array, Inputs, Loss, prepare, without_ignored
from .measures import expected_increase

# The curve of other losses is drawn on so many predictions, and each example's choices of learners so many times.
_PREDICTIONS, _CHOICES = 2_000_000, 20


@torch.no_grad()
def error_correlations(
    predictions: Array,
    targets: Array,
    loss: Loss = "squared_error",
    averaging: str = "output",
    inputs: str | None = None,
    ignore_index: int | None = None,
    check: bool = True,
) -> Tensor:
    """Correlation of the errors of each pair of learners, (learners, learners) in float64; NaN for a learner whose error is
    constant.

    The errors are of the outputs in regression, of the probabilities for classes, whatever the loss; over several outputs their
    covariances and variances are added up. 1 is for learners that err alike; independent learners of one kind are above 0,
    because they share the noise of the targets.

    **Shape**: arguments as in `decompose`. Errors: as there; ValueError for a callable loss whose targets are no outputs.
    """
    given = without_ignored(prepare(predictions, targets, loss, averaging, None, inputs, ignore_index, check))
    rows, learners = given.predictions.shape[:2]
    center = mean_target(given, loss, averaging)
    if center is None:
        raise ValueError("This loss leaves no errors to correlate: its targets are no outputs.")
    together = max(1, min(BLOCK, 2**20 // given.predictions[0].numel()))

    def errors(first: int) -> Tensor:  # (rows, learners, outputs)
        part = rows_of(given, slice(first, first + together))
        outputs = outputs_of(part.predictions, loss, averaging).double() - center
        wanted = targets_of(part, loss, averaging).to(outputs.device).double() - center
        return outputs - wanted.unsqueeze(1)

    starts = range(0, rows, together)
    shift = errors(0).mean(0)  # near the mean, so that the squares lose no digits
    total, products = torch.zeros_like(shift), torch.zeros(learners, learners, dtype=torch.float64, device=shift.device)
    for first in starts:
        away = (errors(first) - shift).movedim(0, 1)
        total += away.sum(1)
        products += away.flatten(1) @ away.flatten(1).T
    products -= total @ total.T / rows
    spread = products.diagonal().clamp_min(0).sqrt()
    return (products / torch.outer(spread, spread)).clamp(-1, 1).cpu()


@torch.no_grad()
def codependence_by_count(
    predictions: Array,
    targets: Array,
    div: Estimate,
    loss: Loss = "squared_error",
    averaging: str = "output",
    *,
    draws: int = 400,
    seed: int = 0,
    inputs: str | None = None,
    ignore_index: int | None = None,
    check: bool = True,
) -> tuple[list[tuple[int, Estimate]], int]:
    """Mean increase of ERR when so many learners are left out, each choice of them equally likely, with its interval; and the
    number of rows that it comes from.

    The counts are 1, 2, ... of up to ten learners, every tenth of more (Figure 4's horizontal axis). For the squared error, and
    for Brier's of averaged probabilities, the mean over all choices is `div`, the diversity of `diagnose`, times a constant
    (`theory.expected_increase`). For other losses choices are drawn for each of some rows, which are drawn as well.

    **Shape**: arguments as in `decompose`; uniform weights. Errors: as there.
    """
    given = without_ignored(prepare(predictions, targets, loss, averaging, None, inputs, ignore_index, check))
    rows, learners, outputs = given.predictions.shape
    counts = counts_left_out(learners)
    if loss == "squared_error" or (loss == "brier" and averaging != "score"):
        factors = [expected_increase(1.0, learners, learners - count) for count in counts]
        return [(c, Estimate(*(f * value for value in div))) for c, f in zip(counts, factors, strict=True)], rows
    generator = torch.Generator().manual_seed(seed)
    some = torch.randperm(rows, generator=generator)[: max(1, _PREDICTIONS // (learners * outputs))]
    some = some.sort().values.to(given.predictions.device)
    part = Inputs(given.predictions[some], given.targets[some], given.weights, None)
    increases = _increases(part, counts, loss, averaging, generator)
    whole, drawn = resample(lambda rows: {"increase": increases[rows]}, len(some), len(counts), draws, seed)
    found = [estimate(whole["increase"][0, k], drawn["increase"][:, k]) for k in range(len(counts))]
    return list(zip(counts, found, strict=True)), len(some)


def counts_left_out(learners: int) -> list[int]:
    """The numbers of learners that the curve leaves out."""
    if learners <= 10:
        return list(range(1, learners))
    return [round(learners * share / 10) for share in range(1, 10)]


def _increases(given: Inputs, counts: list[int], loss: Loss, averaging: str, generator: torch.Generator) -> Tensor:
    """Mean increase of each example's ERR over some choices of the learners that are left out, (rows, counts)."""
    predictions, targets = given.predictions, given.targets
    rows, learners, outputs = predictions.shape
    total = torch.zeros(rows, len(counts), dtype=torch.float64, device=predictions.device)
    full = ensemble_error(given, loss, averaging).double()
    for _ in range(_CHOICES):
        order = torch.rand(rows, learners, generator=generator).argsort(1).to(predictions.device)
        for k, count in enumerate(counts):
            kept = order[:, count:, None].expand(-1, -1, outputs)
            share = predictions.new_full((learners - count,), 1 / (learners - count))
            error = ensemble_error(Inputs(predictions.gather(1, kept), targets, share, None), loss, averaging)
            total[:, k] += error.double() - full
    return total / _CHOICES
