"""What predictions and targets mean: numbers, scores or probabilities of classes, and the loss that fits."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import UserError
from .files import listed
from .predicted import Predicted, comparable

KINDS = ("numbers", "scores", "probabilities")
LOSSES = ("squared_error", "cross_entropy", "brier", "zero_one")
AVERAGINGS = ("probability", "score")
_TOLERANCE = 0.05  # of a sum of probabilities, as the core takes it
_FEW = 20  # different whole numbers, up to which targets look like classes


@dataclass(frozen=True)
class Meaning:
    """Arguments of `diagnose`: `targets` are numbers, or class indices in the order of `classes`."""

    values: np.ndarray
    targets: np.ndarray
    classes: list[str] | None
    loss: str
    averaging: str
    inputs: str | None
    notes: list[str]


def interpret(
    predicted: Predicted,
    targets: np.ndarray,
    kind: str | None = None,
    loss: str | None = None,
    averaging: str | None = None,
) -> Meaning:
    """What is not said is found for the whole file, and told in the notes. Errors: UserError where it does not fit together."""
    if len(predicted.learners) < 2:
        raise UserError(
            f"{predicted.path} holds a single learner, {predicted.learners[0]!r}: an ensemble has two or more, each in a column "
            "of its own."
        )
    if targets.dtype.kind == "f" and not np.isfinite(targets).all():
        row = int(np.argmin(np.isfinite(targets).reshape(len(targets), -1).all(1)))
        raise UserError(f"The target in {predicted.row(row)} is missing or infinite: correct it, or leave the row out.")
    of_classes = kind in ("scores", "probabilities") or (predicted.values.shape[2] > 1 and targets.ndim == 1)
    if kind == "numbers" and of_classes:
        raise UserError(
            f"{predicted.path} has several outputs and one target for each row, which are classes: give --kind scores or "
            "probabilities, or a target for each output."
        )
    if predicted.classes is False and of_classes:
        raise UserError(
            f"{predicted.path} has several outputs: give each a target of its own, in a column TARGET:OUTPUT."
        )
    if of_classes:
        return _of_classes(predicted, targets, kind, loss, averaging)
    return _of_numbers(predicted, targets, kind, loss, averaging)


def _of_numbers(predicted: Predicted, targets: np.ndarray, kind, loss, averaging) -> Meaning:
    if targets.dtype == object:
        raise UserError(
            f"The targets are words, such as {targets[0]!r}, and each learner has one number for a row: for classes give it a "
            "column for each class, LEARNER:CLASS, or number two classes 0 and 1 and say --kind probabilities."
        )
    if loss not in (None, "squared_error"):
        raise UserError(
            f"--loss {loss} is for classes: give --kind scores or probabilities, and a column for each class."
        )
    if averaging is not None:
        raise UserError("--averaging is for classes: give --kind scores or probabilities, or leave it out.")
    notes, values = [], predicted.values
    if kind is None:
        notes.append("Taken as predictions of numbers, with the squared error.")
        classes = np.unique(targets[:10000])
        if len(classes) <= _FEW and (classes == np.round(classes)).all():
            some = values[:10000]
            if targets.ndim > 1 and len(classes) == 2 and (targets.sum(1) == 1).all():
                notes.append("If each row's targets mark its class by a 1, give the class itself as its only target.")
            elif len(classes) == 2 and some.min() >= 0 and some.max() <= 1:
                notes.append("If they are probabilities of the second class, say --kind probabilities.")
            elif (some == np.round(some)).all():
                notes.append(
                    "All are whole numbers: if they are labels of classes, give scores or probabilities instead."
                )
    for name, column in zip(predicted.learners, np.moveaxis(values, 1, 0), strict=True):
        if (
            column[0].tolist() == np.reshape(targets[0], -1).tolist()
            and (column.reshape(targets.shape) == targets).all()
        ):
            notes.append(
                f"Learner {name!r} equals the targets in every row: if it is none, leave it out with --drop {name!r}."
            )
    return Meaning(values, targets, None, "squared_error", "output", None, notes)


def _of_classes(predicted: Predicted, targets: np.ndarray, kind, loss, averaging) -> Meaning:
    if targets.ndim > 1:
        raise UserError(f"{predicted.path}: classes need one target for each row, the class.")
    if loss == "squared_error":
        raise UserError("--loss squared_error is for numbers: for classes choose cross_entropy, brier or zero_one.")
    notes, values = [], predicted.values
    if values.shape[2] == 1:
        values, classes = _two(predicted, kind), ["0", "1"]
    else:
        classes = predicted.outputs
    labels = _labels(predicted, targets, classes)
    found = _kind(predicted, values, kind)
    if kind is None:
        notes.append(
            "Taken as probabilities: none is negative, and those of a row and learner add up to 1."
            if found == "probabilities"
            else "Taken as scores, to which softmax is applied: they do not add up to 1."
        )
    averaging = averaging or "probability"
    if loss not in ("brier", "zero_one"):
        right = np.take_along_axis(values, labels[:, None, None], 2)[:, :, 0]
        zero, named = (0, "probability 0") if found == "probabilities" else (-np.inf, "score -inf")
        if (right == zero).any():
            row, learner = np.argwhere(right == zero)[0].tolist()
            where = f"learner {predicted.learners[learner]!r} gives the right class of {predicted.row(row)} the {named}"
            if loss == "cross_entropy":
                raise UserError(f"The cross-entropy is infinite, as {where}: use --loss brier.")
            loss = "brier"
            notes.append(f"Brier's loss, because the cross-entropy is infinite: {where}.")
    if averaging == "score" and found == "probabilities" and (values == 0).any():
        raise UserError("Probabilities of 0 have no finite score to average: use --averaging probability.")
    return Meaning(values, labels, classes, loss or "cross_entropy", averaging, found, notes)


def _two(predicted: Predicted, kind: str) -> np.ndarray:
    """Of one number for the second of two classes, one for each class."""
    values = predicted.values
    if kind == "scores":
        return np.concatenate([np.zeros_like(values), values], 2)
    if (values < 0).any() or (values > 1).any():
        row, learner, _ = np.argwhere((values < 0) | (values > 1))[0].tolist()
        raise UserError(
            f"{predicted.path}: {values[row, learner, 0]:g}, of learner {predicted.learners[learner]!r} in "
            f"{predicted.row(row)}, is no probability: say --kind scores, or --kind numbers."
        )
    return np.concatenate([1 - values, values], 2)


def _labels(predicted: Predicted, targets: np.ndarray, classes: list[str]) -> np.ndarray:
    """Class indices of the targets, by the names of the classes."""
    unique, codes = np.unique(targets, return_inverse=True) if targets.dtype != object else _unique(targets)
    names = [str(name) for name in comparable(pd.Index(unique))]
    known = {str(name): k for k, name in enumerate(comparable(pd.Index(classes)))}
    places = np.array([known.get(name, -1) for name in names])
    if (places < 0).any():
        unknown = names[int(np.argmin(places))]
        row = int(np.argmax(places[codes] < 0))
        hint = ""
        if targets.dtype == object and not set(names) & set(known) and all(name.isdigit() for name in known):
            hint = " Name the columns after the classes."
        raise UserError(
            f"The target in {predicted.row(row)} is {unknown!r}, which is none of the classes {listed(classes)}: correct it, or "
            f"leave the row out.{hint}"
        )
    return places[codes]


def _unique(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes, unique = pd.factorize(words)
    return np.asarray(unique, object), codes


def _kind(predicted: Predicted, values: np.ndarray, kind: str | None) -> str:
    """ "scores" or "probabilities". Errors: UserError where probabilities do not add up to 1, or nearly all of them do."""
    if kind == "scores":
        return kind
    step, good, inside, first_bad = max(1, 2**22 // values[0].size), 0, True, None
    for first in range(0, len(values), step):
        part = values[first : first + step]
        sums = part.sum(2)
        fits = (part >= 0).all(2) & (np.abs(sums - 1) <= _TOLERANCE)
        good += int(fits.sum())
        inside = inside and bool(((part >= 0) & (part <= 1 + _TOLERANCE)).all())
        if first_bad is None and not fits.all():
            row, learner = np.argwhere(~fits)[0].tolist()
            first_bad = (first + row, learner, float(sums[row, learner]), bool((part[row, learner] < 0).any()))
    if first_bad is None:
        return "probabilities"
    if kind is None and not inside and 2 * good < len(values) * values.shape[1]:
        return "scores"
    row, learner, total, negative = first_bad
    what = "hold a negative one" if negative else f"add up to {total:.4g}, not 1"
    which = "" if kind else ", if they are no probabilities, say --kind scores"
    raise UserError(
        f"{predicted.path}: the probabilities of learner {predicted.learners[learner]!r} in {predicted.row(row)} {what}: correct "
        f"them{which}."
    )
