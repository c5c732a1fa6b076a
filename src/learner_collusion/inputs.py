"""The one place that converts and checks what is passed to the public core.

`prepare` turns predictions, targets and weights (torch, NumPy, pandas or lists) into tensors of fixed shapes. Names, shapes
and types are always checked. Values (NaN, labels, weights) are read only where `check` asks for it: reading them makes a GPU
wait and cannot be compiled.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

LOSSES = ("squared_error", "cross_entropy", "brier", "zero_one", "logistic", "exponential")
OF_CLASSES = ("cross_entropy", "brier", "zero_one")
OF_MARGINS = ("logistic", "exponential")
AVERAGINGS = ("output", "probability", "score")
REDUCTIONS = ("mean", "sum", "none")
INPUTS = (None, "scores", "probabilities")
Loss = str | Callable[[Tensor, Tensor], Tensor]
Array = Tensor | ArrayLike

# Probabilities that were rounded, or computed in half precision, add up to 1 no better than this.
_SUM_TOLERANCE = 0.05


class Inputs(NamedTuple):
    """What the formulas work on: `predictions` (batch, learners, outputs) in float32 or wider; `targets` (batch,) class
    indices or -1 and +1, or (batch, outputs); `weights` (learners,) or (batch, learners); `counted` (batch,) marks the
    examples that `ignore_index` leaves, None for all."""

    predictions: Tensor
    targets: Tensor
    weights: Tensor
    counted: Tensor | None


def without_ignored(given: Inputs) -> Inputs:
    """Without the examples that `ignore_index` leaves out."""
    rows = given.counted
    return given if rows is None else Inputs(given.predictions[rows], given.targets[rows], given.weights, None)


def prepare(
    predictions: Array,
    targets: Array,
    loss: Loss,
    averaging: str,
    weights: Array | None = None,
    inputs: str | None = None,
    ignore_index: int | None = None,
    check: bool = True,
    finite: bool = True,
) -> Inputs:
    """Convert and check; arguments as in `decompose`. With `finite` (and `check`), NaN and infinities are errors, too."""
    check_names(loss, averaging, inputs, ignore_index)
    check_index(predictions, targets)
    predictions = as_predictions(predictions)
    if predictions.ndim == 2:
        if loss in OF_CLASSES:
            raise ValueError(
                f"{loss} needs a score for each class, predictions (batch, learners, classes), not "
                f"{tuple(predictions.shape)}; for the probability p of the second of two classes stack 1 - p and p."
            )
        predictions = predictions.unsqueeze(2)
    if loss in OF_CLASSES and predictions.shape[2] == 1:
        raise ValueError(f"{loss} needs at least two classes; for one margin per learner use 'logistic'.")
    targets, counted = _as_targets(targets, predictions, loss, ignore_index)
    given = weights is not None
    weights = as_weights(weights, predictions, per_example=True)
    check = check and readable(predictions)
    if check:
        if finite:
            check_finite(predictions, targets, masks=loss in OF_CLASSES or averaging != "output")
        if inputs or loss in ("cross_entropy", "brier") or averaging != "output":  # where softmax is applied
            check_scores(predictions, inputs, f"{_name(loss)} with averaging {averaging!r}")
        _check_targets(targets, predictions, loss, counted)
        check_convex(weights)
    if inputs == "probabilities":
        predictions = logarithm(predictions)
    if given:  # a learner of weight 0 does not count, not even as 0 * inf
        predictions = predictions.masked_fill(weights[..., None] == 0, 0)
    if check and callable(loss):
        _check_callable(loss, predictions[:, 0] if averaging == "output" else predictions[:, 0].softmax(1), targets)
    return Inputs(predictions, targets, weights, counted)


def check_names(loss: Loss, averaging: str, inputs: str | None = None, ignore_index: int | None = None) -> None:
    """ValueError for a name that does not exist, or that has no meaning for this loss."""
    if not callable(loss) and loss not in LOSSES:
        raise ValueError(f"loss is {loss!r}: choose one of {', '.join(LOSSES)}, or pass a callable.")
    if averaging not in AVERAGINGS:
        raise ValueError(f"averaging is {averaging!r}: choose one of {', '.join(AVERAGINGS)}.")
    if loss in ("squared_error", *OF_MARGINS) and averaging != "output":
        raise ValueError(f"averaging {averaging!r} has no meaning for {loss}: use 'output'.")
    _check_inputs(inputs)
    if inputs == "probabilities" and not (loss in OF_CLASSES or (callable(loss) and averaging != "output")):
        raise ValueError(
            f"inputs='probabilities' has no meaning for {_name(loss)}, which takes predictions as they are."
        )
    if ignore_index is not None and loss not in OF_CLASSES:
        raise ValueError(f"ignore_index is for class labels ({', '.join(OF_CLASSES)}), not for {_name(loss)}.")


def check_reduction(reduction: str) -> None:
    """ValueError for a name that does not exist."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}: choose 'mean', 'sum' or 'none'.")


def as_tensor(values: Array, name: str) -> Tensor:
    """A tensor of the same numbers: tensors as they are, all else by way of NumPy (lists of floats become float64)."""
    if isinstance(values, Tensor):
        return values
    if isinstance(values, list | tuple) and any(isinstance(value, Tensor) for value in values):
        raise TypeError(f"{name} are a list of tensors: stack them, torch.stack({name}, 1) for one tensor per learner.")
    try:
        array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
        if array.dtype == object:  # numbers in a column of mixed types
            array = np.asarray(array.tolist())
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} cannot be read as an array of numbers: {error}.") from error
    if array.dtype.kind not in "biuf":
        hint = " Number the classes 0, 1, ... first." if name == "targets" else ""
        raise TypeError(f"{name} hold values that are no numbers, or are missing (type {array.dtype}).{hint}")
    kind = np.dtype(np.int64) if array.dtype.kind == "u" else array.dtype.newbyteorder("=")
    kind = np.dtype(np.float64) if kind.itemsize > 8 else kind
    array = array.astype(kind, order="C", copy=False)
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def as_given(result: Tensor, predictions: Array) -> Tensor | np.ndarray:
    """`result` as a tensor where `predictions` were a tensor, else as a NumPy array or number."""
    return result if isinstance(predictions, Tensor) else result.detach().numpy()[()]


def as_predictions(predictions: Array) -> Tensor:
    """(batch, learners) or (batch, learners, outputs) in float32 or wider; TypeError or ValueError for anything else."""
    predictions = as_tensor(predictions, "predictions")
    shape = tuple(predictions.shape)
    if predictions.ndim not in (2, 3):
        hint = ": flatten batch and time first, predictions.flatten(0, 1)" if predictions.ndim == 4 else ""
        raise ValueError(
            f"predictions must be (batch, learners) or (batch, learners, outputs), but have {predictions.ndim} "
            f"dimension{'s' * (predictions.ndim != 1)}, {shape}{hint}."
        )
    if not predictions.is_floating_point():
        raise TypeError(
            f"predictions must be floating-point numbers, but are {predictions.dtype}: convert them, "
            "predictions.float(); class labels are no predictions, pass scores or probabilities."
        )
    if 0 in shape:
        raise ValueError(f"predictions are empty: their shape is {shape}.")
    return predictions if predictions.element_size() >= 4 else predictions.float()


def as_weights(weights: Array | None, predictions: Tensor, per_example: bool = False) -> Tensor:
    """`weights` (learners,), with `per_example` also (batch, learners), in the type and on the device of `predictions`."""
    batch, learners = predictions.shape[:2]
    if weights is None:
        return torch.full((learners,), 1 / learners, dtype=predictions.dtype, device=predictions.device)
    weights = as_tensor(weights, "weights")
    if weights.shape != (learners,) and not (per_example and weights.shape == (batch, learners)):
        rows = f", or one row per example, shape ({batch}, {learners})" if per_example else ""
        raise ValueError(
            f"weights must have one entry per learner, shape ({learners},){rows}, but have shape {tuple(weights.shape)}."
        )
    half = weights.is_floating_point() and weights.element_size() < 4
    weights = weights.to(device=predictions.device, dtype=predictions.dtype)
    # Convex weights that were rounded to half precision do not add up to 1: at most by a relative 2^-9 (bfloat16).
    close = (weights.sum(-1, keepdim=True) - 1).abs() <= 2**-8
    return torch.where(close, weights / weights.sum(-1, keepdim=True), weights) if half else weights


def check_convex(weights: Tensor) -> None:
    """ValueError unless weights, along the last axis, are convex."""
    convex = (weights >= 0).all() & ((weights.sum(-1) - 1).abs() <= 1e-4).all()  # False for NaN, too
    if not bool(convex):
        raise ValueError("weights must not be negative and must add up to 1 (Section 4.1).")


def readable(values: Tensor) -> bool:
    """Whether values can be looked at here: not while PyTorch compiles, exports or captures a CUDA graph."""
    if torch.compiler.is_compiling() or values.is_meta:
        return False
    return not (values.is_cuda and torch.cuda.is_current_stream_capturing())


def check_finite(predictions: Tensor, targets: Tensor | None = None, masks: bool = False) -> None:
    """ValueError that names row and learner of a NaN or an infinity; with `masks`, scores of -inf mean classes that are
    left out, of which each row needs another one."""
    if not bool(predictions.sum().isfinite()):  # a sum needs no memory; where it overflows, each value is looked at
        _check_each(predictions, masks)
    if targets is not None and targets.is_floating_point() and not bool(targets.isfinite().all()):
        row = int((~targets.isfinite()).nonzero()[0, 0])
        raise ValueError(f"targets are NaN or infinite in row {row} (counted from 0): leave out such rows first.")


def _check_each(predictions: Tensor, masks: bool) -> None:
    bad = ~predictions.isfinite()
    if masks:
        masked = predictions == -torch.inf
        bad = (bad & ~masked) | masked.all(-1, keepdim=True)
    if bool(bad.any()):
        place = bad.nonzero()[0].tolist()
        more = int(bad.flatten(2).any(2).sum() if bad.ndim == 3 else bad.sum()) - 1
        value = float(predictions[tuple(place)])
        what = "NaN" if value != value else "-inf for all classes" if masks and value < 0 else "infinite"
        raise ValueError(
            f"predictions are {what} in row {place[0]}, learner {place[1]} (counted from 0)"
            f"{f', and at {more} more' if more else ''}: leave out such rows or learners first."
        )


def check_scores(predictions: Tensor, inputs: str | None, what: str) -> None:
    """ValueError where `inputs` says probabilities and they are none, or says nothing and the scores look like some.

    They do if none is negative and each row adds up to 1 within 0.05. Rows of equal values pass: softmax changes nothing.
    Scores of a few examples may look so by chance: say inputs='scores' then.
    """
    if inputs == "scores":
        return
    alike = (predictions >= 0).all(-1) & ((predictions.sum(-1) - 1).abs() <= _SUM_TOLERANCE)
    if inputs == "probabilities":
        if not bool(alike.all()):
            row, learner = (~alike).nonzero()[0].tolist()
            raise ValueError(
                f"inputs='probabilities', but the predictions in row {row}, learner {learner} (counted from 0) are "
                f"negative or do not add up to 1 over the classes: {predictions[row, learner].tolist()[:10]}."
            )
    elif bool(alike.all()) and bool((predictions != predictions[..., :1]).any()):
        raise ValueError(
            f"predictions look like probabilities (not negative, each row adds up to 1), but {what} takes scores "
            "and applies softmax: pass inputs='probabilities', or inputs='scores' if they are scores."
        )


def logarithm(probabilities: Tensor) -> Tensor:
    """Scores of these probabilities, -inf for 0, with gradients that stay finite."""
    zero = probabilities == 0
    return probabilities.masked_fill(zero, 1).log().masked_fill(zero, -torch.inf)


def to_averaged(predictions: Array, averaging: str, inputs: str | None = None, check: bool = True) -> Tensor:
    """What an ensemble averages (for classes: of one that averages `probability` or `score`), (batch, learners[, outputs]).

    Scores are centred over the classes: softmax ignores a constant that is added to all of them, so no result may depend on it.
    """
    if averaging not in AVERAGINGS:
        raise ValueError(f"averaging is {averaging!r}: choose one of {', '.join(AVERAGINGS)}.")
    _check_inputs(inputs)
    if inputs == "probabilities" and averaging == "output":
        raise ValueError("inputs has no meaning for averaging 'output', which takes predictions as they are.")
    predictions = as_predictions(predictions)
    if averaging != "output" and predictions.ndim == 2:
        raise ValueError(f"averaging {averaging!r} needs predictions (batch, learners, classes).")
    if check and readable(predictions):
        check_finite(predictions, masks=averaging == "probability")
        if averaging != "output":
            check_scores(predictions, inputs, f"averaging {averaging!r}")
    if averaging == "output":
        return predictions
    scores = logarithm(predictions) if inputs == "probabilities" else predictions
    if averaging == "probability":
        return scores.softmax(2)
    if check and readable(scores) and bool((scores == -torch.inf).any()):
        raise ValueError("probabilities of 0 have no finite score to average: use averaging 'probability'.")
    return scores - scores.mean(2, keepdim=True)


def call(loss: Callable, outputs: Tensor, targets: Tensor) -> Tensor:
    """The losses (batch,) of a callable; ValueError for any other shape."""
    losses = loss(outputs, targets)
    if not isinstance(losses, Tensor) or losses.shape != outputs.shape[:1]:
        got = f"shape {tuple(losses.shape)}" if isinstance(losses, Tensor) else type(losses).__name__
        raise ValueError(
            f"a callable loss must return (batch,) losses, here ({len(outputs)},), but returned {got}: use "
            "reduction='none' in it and sum over the outputs."
        )
    return losses.to(outputs.dtype)


def check_index(predictions: Array, targets: Array) -> None:
    """ValueError where two pandas objects hold the same rows in another order: rows are matched by position."""
    if isinstance(predictions, Tensor) or isinstance(targets, Tensor):
        return
    ours, theirs = getattr(predictions, "index", None), getattr(targets, "index", None)
    if not (hasattr(ours, "equals") and hasattr(theirs, "equals")) or ours.equals(theirs):
        return
    if len(ours) == len(theirs) and ours.isin(theirs).all() and theirs.isin(ours).all():
        raise ValueError(
            "predictions and targets have the same index in another order, and rows are matched by position: "
            "use targets.loc[predictions.index]."
        )


def _name(loss: Loss) -> str:
    return "a callable loss" if callable(loss) else loss


def _check_inputs(inputs: str | None) -> None:
    if inputs not in INPUTS:
        raise ValueError(f"inputs is {inputs!r}: choose 'scores' or 'probabilities'.")


def _as_targets(targets, predictions: Tensor, loss: Loss, ignore_index: int | None) -> tuple[Tensor, Tensor | None]:
    batch, learners, outputs = predictions.shape
    targets = as_tensor(targets, "targets").to(predictions.device)
    rows = len(targets) if targets.ndim else 0
    if rows != batch:
        swapped = " The order is (batch, learners, outputs): swap the first two axes." if rows == learners else ""
        raise ValueError(f"targets must have one row per example: expected {batch} rows, got {rows}.{swapped}")
    shape, kind = tuple(targets.shape), targets.dtype
    if targets.is_floating_point():
        targets = targets.to(predictions.dtype)
    if callable(loss):
        return targets, None
    if loss == "squared_error":
        targets = targets.unsqueeze(1) if targets.ndim == 1 else targets
        if targets.shape != (batch, outputs):
            raise ValueError(f"targets must have shape ({batch}, {outputs}), but have {shape}.")
        return targets.to(predictions.dtype), None
    targets = targets.squeeze(1) if shape == (batch, 1) else targets
    if loss in OF_MARGINS:
        if outputs != 1 or targets.ndim != 1:
            raise ValueError(
                f"{loss} takes one margin per learner and one target of -1 or +1 per example, not predictions "
                f"{tuple(predictions.shape)} and targets {shape}."
            )
        return targets.to(predictions.dtype), None
    if targets.ndim == 1:
        if targets.is_floating_point():
            raise TypeError(
                f"class labels must be integers, but targets are {kind}: leave out rows without a label, then convert "
                "them, targets.long()."
            )
        return _without_ignored(targets.long(), ignore_index)
    if loss == "zero_one" or targets.shape != (batch, outputs):
        soft = "" if loss == "zero_one" else f" or probabilities ({batch}, {outputs})"
        raise ValueError(
            f"targets must be class indices ({batch},){soft}, but have shape {shape}; flatten batch and time of sequences."
        )
    if ignore_index is not None:
        raise ValueError("ignore_index needs class indices as targets, not probabilities.")
    return targets.to(predictions.dtype), None


def _without_ignored(labels: Tensor, ignore_index: int | None) -> tuple[Tensor, Tensor | None]:
    if ignore_index is None:
        return labels, None
    counted = labels != ignore_index
    return labels.masked_fill(~counted, 0), counted  # any class that exists


def _check_targets(targets: Tensor, predictions: Tensor, loss: Loss, counted: Tensor | None) -> None:
    classes = predictions.shape[2]
    if loss in OF_MARGINS and not bool((targets.abs() == 1).all()):
        raise ValueError(f"{loss} takes targets of -1 or +1: map class 0 to -1.")
    if loss in OF_CLASSES and targets.ndim == 1:
        bad = (targets < 0) | (targets >= classes)
        if bool(bad.any()):
            row = int(bad.nonzero()[0, 0])
            label = int(targets[row])
            hint = f"; ignore_index={label} leaves such rows out" if label < 0 else "; labels count from 0"
            raise ValueError(
                f"targets hold the label {label} in row {row} (counted from 0), but with {classes} classes labels are "
                f"0 to {classes - 1}{hint}."
            )
    if counted is not None and not bool(counted.any()):
        raise ValueError("all labels are ignore_index: no example is left.")


@torch.no_grad()
def _check_callable(loss: Callable, outputs: Tensor, targets: Tensor) -> None:
    """An example's loss is the same alone: else (batch, 1) and (batch,) were broadcast against each other, say."""
    together, alone = call(loss, outputs, targets)[:1], call(loss, outputs[:1], targets[:1])
    if not torch.allclose(together, alone, rtol=1e-3, atol=1e-6, equal_nan=True):
        raise ValueError(
            f"the callable loss of an example depends on the other examples: it gets outputs {tuple(outputs.shape)} "
            f"and targets {tuple(targets.shape)}; check that they are not broadcast against each other."
        )
