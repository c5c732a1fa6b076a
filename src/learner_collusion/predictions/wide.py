"""Wide tables: a row per example, and a column per learner, or per learner and class, named LEARNER:CLASS."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from ..errors import UserError
from .files import Source, batches, float_type, rows_in
from .predicted import Predicted, names_of

Progress = Callable[[int], None] | None


def read_wide(
    source: Source,
    row: str | None,
    targets: Sequence[str],
    learners: Sequence[str],
    outputs: list[str] | None,
    progress: Progress = None,
) -> Predicted:
    """The columns of the learners, which `grouped` has put into order: (rows, learners, outputs)."""
    other = [name for name in (row, *targets) if name is not None]
    values = np.empty((rows_in(source) or 2**16, len(learners)), float_type(source, learners))
    kept, filled = {name: [] for name in other}, 0
    for batch in batches(source, learners, other):
        size = len(batch[learners[0]]) if learners else len(batch[other[0]])
        if filled + size > len(values):  # the number of rows is not known beforehand
            values = np.concatenate([values, np.empty((max(size, len(values)), values.shape[1]), values.dtype)])
        part = values[filled : filled + size]
        for k, name in enumerate(learners):
            part[:, k] = batch[name]
        for name in other:
            kept[name].append(batch[name])
        filled += size
        if progress:
            progress(size)
    if not filled:
        raise UserError(f"{source.path} holds no rows: write the predictions into it first.")
    others = {name: pa.chunked_array(chunks) for name, chunks in kept.items()}
    wanted = [plain(others[name], source, name) for name in targets]
    rows = None
    if row is not None:
        rows = names_of(others[row].to_pandas(), source.path, row).rename(row or "row")
    elif source.range:
        rows = pd.Index(np.arange(*source.range), name="row")
    return Predicted(
        source.path,
        values[:filled].reshape(filled, -1, len(outputs or [""])) if learners else None,
        list(learners) if outputs is None else list(dict.fromkeys(name.rsplit(":", 1)[0] for name in learners)),
        rows,
        outputs,
        None if not targets else wanted[0] if len(targets) == 1 else np.stack(wanted, 1),
        rows is not None and row == source.index and bool((rows == np.arange(filled)).all()),
    )


def grouped(source: Source, columns: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Columns in the order of learners and their classes, and the names of the classes; None where no column names one.

    Errors: UserError where some learners have a column for each class and others lack one.
    """
    split = [name.rsplit(":", 1) for name in columns]
    if not all(len(parts) == 2 and all(parts) for parts in split):
        return list(columns), None
    by_learner: dict[str, list[str]] = {}
    for learner, output in split:
        by_learner.setdefault(learner, []).append(output)
    outputs = list(dict.fromkeys(output for _, output in split))
    if len(outputs) == 1 or len(by_learner) == len(columns):
        return list(columns), None
    for learner, found in by_learner.items():
        if lacking := [output for output in outputs if output not in found]:
            raise UserError(
                f"{source.path} is ragged: learner {learner!r} has no column {learner}:{lacking[0]}, which "
                f"{next(other for other in by_learner if lacking[0] in by_learner[other])!r} has: give each learner the same."
            )
    return [f"{learner}:{output}" for learner in by_learner for output in outputs], outputs


def running_number(values: np.ndarray) -> bool:
    """Whether values are the whole numbers from any one on, each once and in any order."""
    if len(values) < 3 or (values[:3] % 1).any():  # most learners end here
        return False
    low, high = values.min(), values.max()
    return bool(high - low == len(values) - 1 and (np.sort(values) == np.arange(low, high + 1)).all())


def plain(column: pa.ChunkedArray, source: Source, name: str) -> np.ndarray:
    """Targets as numbers, or words as objects. Errors: UserError for one that is missing."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy())) + 1
        raise UserError(
            f"Column {name!r} of {source.path} has no target in data row {row}: fill it in, or leave the row out."
        )
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int64())
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return column.to_numpy()
    if pa.types.is_decimal(column.type):
        return column.cast(pa.float64()).to_numpy()
    return pd.Series(column.cast(pa.string()).to_pandas()).to_numpy(object)
