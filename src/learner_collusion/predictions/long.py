"""Long tables: a row per example and learner, and per class or output where there are several."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from ..errors import UserError
from .files import Source, batches, float_type, listed
from .predicted import Predicted, comparable, named
from .wide import plain

Progress = Callable[[int], None] | None
_DENSE = 50_000_000  # whole numbers within such a range are looked up in an array


@dataclass(frozen=True)
class Columns:
    """Which column is what; `output` and `target` may be None. Of `classes` a row has one target, of other outputs each its own."""

    row: str
    learner: str
    prediction: str
    output: str | None
    target: str | None
    classes: bool


def read_long(source: Source, columns: Columns, progress: Progress = None) -> Predicted:
    """One prediction for each row, learner and output, whatever their order: (rows, learners, outputs).

    Errors: UserError for pairs that are missing or stand twice, and for rows with several targets.
    """
    names, learners, outputs, lines = _names(source, columns)
    shape = (len(names), len(learners), len(outputs) or 1)
    if lines > np.prod(shape, dtype=np.int64):
        raise _twice(source, columns)
    values, filled = np.empty(shape, float_type(source, [columns.prediction])), np.zeros(shape, bool)
    flat, seen = values.reshape(-1), filled.reshape(-1)
    own = 1 if columns.classes else shape[2]  # targets of a row
    targets = _Targets(shape[0], own, source, columns) if columns.target else None
    for batch in _batches(source, columns):
        row = names.codes(_keys(batch[columns.row], source, columns.row))
        learner = _codes(batch[columns.learner], learners)
        output = _codes(batch[columns.output], outputs) if columns.output else 0
        place = (row * shape[1] + learner) * shape[2] + output
        flat[place] = batch[columns.prediction]
        seen[place] = True
        if targets:
            targets.add(row if own == 1 else row * own + output, batch[columns.target])
        if progress:
            progress(len(place))
    index = names.index()
    count = int(filled.sum())
    if count < lines:
        raise _twice(source, columns)
    if count < filled.size:
        place = np.unravel_index(int(filled.argmin()), shape)
        of = f" for {columns.output} {outputs[place[2]]!r}" if columns.output else ""
        raise UserError(
            f"{source.path} lacks {filled.size - count:,} of {filled.size:,} predictions, such as that of learner "
            f"{learners[place[1]]!r} in row {named(index[place[0]])}{of}: give each learner all rows."
        )
    index = index.rename(columns.row)
    found = targets.found() if targets else None
    classes = columns.classes if columns.output else None
    return Predicted(source.path, values, learners, index, outputs or None, found, classes=classes)


def _batches(source: Source, columns: Columns) -> Iterator[dict]:
    other = [columns.row, columns.learner, columns.output, columns.target]
    yield from batches(source, [columns.prediction], [name for name in other if name])


def _names(source: Source, columns: Columns) -> tuple["_Rows", list[str], list[str], int]:
    """The names of the rows, learners and outputs, and the number of lines."""
    rows, learners, outputs, lines = _Rows(), {}, {}, 0
    other = [name for name in (columns.row, columns.learner, columns.output) if name]
    for batch in batches(source, [], other):
        rows.add(_keys(batch[columns.row], source, columns.row))
        for name, found in ((columns.learner, learners), (columns.output, outputs)):
            if name:
                texts = comparable(pd.Index(_present(batch[name].unique(), source, name).to_pandas()))
                found |= dict.fromkeys(map(str, texts))
        lines += len(batch[columns.row])
    if not lines:
        raise UserError(f"{source.path} holds no rows: write the predictions into it first.")
    return rows, list(learners), list(outputs), lines


def _keys(column: pa.Array, source: Source, name: str) -> np.ndarray | pd.Index:
    """Row names of a batch: whole numbers as int64, else texts."""
    _present(column, source, name)
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64()).to_numpy(zero_copy_only=False)
    if pa.types.is_floating(column.type):
        return comparable(pd.Index(column.to_numpy(zero_copy_only=False))).to_numpy()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.string()).to_numpy(zero_copy_only=False)


def _present(column: pa.Array, source: Source, name: str) -> pa.Array:
    if column.null_count:
        raise UserError(f"Column {name!r} of {source.path} has no value in {column.null_count:,} rows: fill it in.")
    return column


def _codes(column: pa.Array, names: list[str]) -> np.ndarray:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    texts = comparable(pd.Index(column.dictionary.to_pandas()))
    place = {name: k for k, name in enumerate(names)}
    code = np.array([place.get(str(text), -1) for text in texts], np.int64)
    return code[column.indices.to_numpy(zero_copy_only=False)]


class _Rows:
    """Row names as they come, and the number of each: by an array for whole numbers that lie close together, else by hash."""

    def __init__(self):
        self._low, self._seen, self._index, self._lookup = 0, None, None, None

    def add(self, keys: np.ndarray) -> None:
        if keys.dtype == np.int64 and self._index is None and self._dense(keys):
            return
        new = pd.Index(pd.unique(keys))
        if self._index is None:
            self._index = pd.Index([]) if self._seen is None else pd.Index(np.flatnonzero(self._seen) + self._low)
        if len(self._index) and new.dtype != self._index.dtype:
            new, self._index = new.astype(str), self._index.astype(str)
        lacking = new[self._index.get_indexer(new) < 0] if len(self._index) else new
        self._index = self._index.append(lacking) if len(self._index) else lacking

    def _dense(self, keys: np.ndarray) -> bool:
        low, high = int(keys.min()), int(keys.max())
        if self._seen is not None:
            low, high = min(low, self._low), max(high, self._low + len(self._seen) - 1)
        if high - low >= _DENSE:
            return False
        if self._seen is None or low < self._low or high - low >= len(self._seen):
            seen = np.zeros(min(2 * (high - low + 1), _DENSE), bool)
            if self._seen is not None:
                start = self._low - low
                seen[start : start + len(self._seen)] = self._seen[: len(seen) - start]
            self._low, self._seen = low, seen
        self._seen[keys - self._low] = True
        return True

    def codes(self, keys: np.ndarray) -> np.ndarray:
        """The number of each row name, in the order of `index`."""
        if self._index is None:
            if self._lookup is None:
                self._lookup = np.cumsum(self._seen) - 1
            return self._lookup[keys - self._low]
        found = pd.Index(keys)
        return self._index.get_indexer(found if found.dtype == self._index.dtype else found.astype(str))

    def index(self) -> pd.Index:
        return comparable(self._index if self._index is not None else pd.Index(np.flatnonzero(self._seen) + self._low))

    def __len__(self) -> int:
        return len(self._index) if self._index is not None else int(self._seen.sum())


class _Targets:
    """The target of each row and output, the same in all lines that have it."""

    def __init__(self, rows: int, outputs: int, source: Source, columns: Columns):
        self._values: np.ndarray | None = None
        self._set = np.zeros(rows * outputs, bool)
        self._shape, self._source, self._columns = (rows, outputs), source, columns

    def add(self, places: np.ndarray, column: pa.Array) -> None:
        values = plain(pa.chunked_array([column]), self._source, self._columns.target)
        if self._values is None:
            self._values = np.empty(len(self._set), values.dtype)
        if values.dtype != self._values.dtype:
            self._values = self._values.astype(np.result_type(values, self._values))
        differ = self._set[places] & (self._values[places] != values)
        self._values[places] = values
        self._set[places] = True
        differ |= self._values[places] != values
        if differ.any():
            raise UserError(
                f"{self._source.path} has several targets for one row, such as {values[differ][0].item()!r} and another one: give "
                f"each row the same in column {self._columns.target!r}."
            )

    def found(self) -> np.ndarray:
        """(rows,), or (rows, outputs) where each output has a target of its own."""
        return self._values if self._shape[1] == 1 else self._values.reshape(self._shape)


def _twice(source: Source, columns: Columns) -> UserError:
    """The sentence for a prediction that stands twice, with its names."""
    names = [name for name in (columns.row, columns.learner, columns.output) if name]
    frames = [
        pd.DataFrame({name: batch[name].to_pandas().astype(str) for name in names})
        for batch in batches(source, [], names)
    ]
    frame = pd.concat(frames)
    twice = frame[frame.duplicated()]
    example = ", ".join(f"{name} {twice.iloc[0][name]!r}" for name in names) if len(twice) else listed(names)
    return UserError(f"{source.path} has several predictions for {example}: keep one of them.")
