"""Read predictions and targets: the layout of a file, by the names of its columns."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from .archive import read_archive
from .files import Source, ending, listed, open_table, rows_in
from .long import Columns, read_long
from .predicted import Predicted, positions
from .wide import grouped, read_wide, running_number

Progress = Callable[[int], None] | None
TARGET = "target"


@dataclass(frozen=True)
class Layout:
    """What the user says of the columns; None for the names that are looked for, which the fields' comments have."""

    row: str | None = None  # row
    learner: str | None = None  # learner
    prediction: str | None = None  # prediction
    output: str | None = None  # class, else output
    target: str = TARGET
    drop: tuple[str, ...] = ()
    separator: str | None = None
    decimal: str = "."


def read_predictions(path: Path, layout: Layout, progress: Progress = None, with_targets: bool = False) -> Predicted:
    """Predictions with the names that the file has, and its targets where it has them.

    Long where there are columns for the learner and the prediction, else wide (docs/diagnose.md). Errors: UserError for
    anything that does not fit; `with_targets`, also where a target that the user named is not there.
    """
    if ending(path) == ".npz":
        return _finite(read_archive(path, layout.target))
    source = open_table(path, layout.separator, layout.decimal)
    if lacking := [name for name in layout.drop if name not in source.names]:
        raise source.lacks(lacking[0], "--drop")
    # before the values are read, among which the target would be taken for a learner
    if with_targets and layout.target not in (TARGET, *layout.drop) and not _targets(source, layout):
        raise source.lacks(layout.target, "--target")
    found = _long(source, layout, progress) or _wide(source, layout, progress)
    return _finite(found)


def read_targets(path: Path, layout: Layout) -> Predicted:
    """A file of targets: a column of them, and one of row names."""
    if ending(path) == ".npz":
        return read_archive(path, layout.target, alone=True)
    source = open_table(path, layout.separator, layout.decimal)
    row = _row(source, layout)
    targets = _targets(source, layout)
    if not targets:
        rest = [name for name in source.names if name != row and name not in layout.drop]
        if len(rest) != 1:
            raise source.lacks(layout.target, "--target")
        targets = rest
    _apart(source, {"--row": row, "--target": targets[0]})
    found = read_wide(source, row, targets, [], None)
    found.outputs = [name.rsplit(":", 1)[1] for name in targets] if len(targets) > 1 else None
    return found


def joined(predicted: Predicted, targets: Predicted | None) -> np.ndarray:
    """The targets of the predictions' rows, from a file of their own or from the same one.

    Errors: UserError where there are none, or in both files.
    """
    if targets is None:
        if predicted.targets is None:
            raise UserError(
                f"{predicted.path} holds no targets: name their column with --target, or give a file with --targets."
            )
        return predicted.targets
    if predicted.targets is not None:
        raise UserError(
            f"{predicted.path} holds targets, and --targets names {targets.path}: leave one of them out, the column with --drop."
        )
    place = positions(predicted, targets, "targets")
    spare = targets.count() - predicted.count()
    if spare > 0:
        predicted.notes.append(f"{spare:,} rows of {targets.path.name} have no predictions and are left out.")
    found = targets.targets if place is None else targets.targets[place]
    if targets.outputs and predicted.outputs and found.ndim == 2:
        lacking = [name for name in predicted.outputs if name not in targets.outputs]
        if lacking:
            raise UserError(f"{targets.path} has no targets for output {lacking[0]!r}, but {listed(targets.outputs)}.")
        found = found[:, [targets.outputs.index(name) for name in predicted.outputs]]
    return found


def total_rows(path: Path) -> int | None:
    """The number of rows of a file, where it is known before it is read."""
    return rows_in(open_table(path)) if path.name.endswith((".parquet", ".pq")) else None


def _row(source: Source, layout: Layout) -> str | None:
    if layout.row is not None:
        if layout.row not in source.names:
            raise source.lacks(layout.row, "--row")
        return layout.row
    return "row" if "row" in source.names else source.index


def _targets(source: Source, layout: Layout) -> list[str]:
    """The column of the targets, or one for each output, named TARGET:OUTPUT."""
    if layout.target in source.names:
        return [layout.target] if layout.target not in layout.drop else []
    return [name for name in source.names if name.startswith(f"{layout.target}:") and name not in layout.drop]


def _apart(source: Source, roles: dict[str, str | None]) -> None:
    """UserError where one column has two roles; they are told by the options that name them."""
    for name in roles.values():
        same = [other for other, column in roles.items() if column == name is not None]
        if len(same) > 1:
            raise UserError(
                f"Column {name!r} of {source.path} cannot be what {' and '.join(same)} say at once: name another column for one."
            )


def _long(source: Source, layout: Layout, progress: Progress) -> Predicted | None:
    learner, prediction = layout.learner or "learner", layout.prediction or "prediction"
    asked = layout.learner or layout.prediction
    if not asked and not {learner, prediction} <= set(source.names):
        return None
    for name, option in ((learner, "--learner"), (prediction, "--prediction")):
        if name not in source.names:
            raise source.lacks(name, option)
    row = _row(source, layout)
    if row is None:
        raise source.lacks("row", "--row")
    output = layout.output or next((name for name in ("class", "output") if name in source.names), None)
    if output is not None and output not in source.names:
        raise source.lacks(output, "--class")
    target = next(iter(_targets(source, layout)), None)
    _apart(
        source,
        {"--row": row, "--learner": learner, "--prediction": prediction, "--class": output, "--target": target},
    )
    classes = output is not None and output != "output"
    found = read_long(source, Columns(row, learner, prediction, output, target, classes), progress)
    others = [n for n in source.names if n not in (row, learner, prediction, output, target, *layout.drop)]
    if others:
        found.notes.append(f"Not used: {listed(others)}.")
    return found


def _wide(source: Source, layout: Layout, progress: Progress) -> Predicted:
    row, targets = _row(source, layout), _targets(source, layout)
    _apart(source, {"--row": row, "--target": next(iter(targets), None)})
    used = {row, *targets, *layout.drop}
    learners, outputs = grouped(source, [name for name in source.names if name not in used])
    if not learners:
        raise UserError(
            f"{source.path} has no columns of predictions beside {listed(source.names)}: add one per learner."
        )
    found = read_wide(source, row, targets, learners, outputs, progress)
    if outputs is None:
        for name, values in zip(learners, found.values[:, :, 0].T, strict=True):
            if running_number(values):
                raise UserError(
                    f"Column {name!r} of {source.path} numbers the rows and is no learner: name it with --row {name!r}, or leave "
                    f"it out with --drop {name!r}."
                )
    if len(targets) > 1:
        named = [name.rsplit(":", 1)[1] for name in targets]
        if outputs is None or set(named) != set(outputs):
            raise UserError(
                f"{source.path} has targets for the outputs {listed(named)}, but predictions of {listed(outputs or [])}: give "
                "each learner a column LEARNER:OUTPUT for each of them."
            )
        found.targets, found.classes = found.targets[:, [named.index(name) for name in outputs]], False
    if row is not None and row == source.index:
        found.notes.append("The rows are named by the index that pandas wrote.")
    return found


def _finite(found: Predicted) -> Predicted:
    """Errors: UserError that names row and learner of a missing or infinite prediction; of several outputs -inf is a score."""
    step = max(1, 2**22 // found.values[0].size)
    for first in range(0, len(found.values), step):
        part = found.values[first : first + step]
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(part.sum()):
                continue
        bad = ~np.isfinite(part)
        if found.values.shape[2] > 1:
            bad &= part != -np.inf
        if bad.any():
            row, learner, output = np.argwhere(bad)[0].tolist()
            what = "missing" if np.isnan(part[row, learner, output]) else "infinite"
            of = f" for {found.outputs[output]!r}" if found.outputs else ""
            raise UserError(
                f"{found.path}: the prediction of learner {found.learners[learner]!r}{of} in {found.row(first + row)} is {what}: "
                "correct it, or leave the row or the learner out."
            )
    return found
