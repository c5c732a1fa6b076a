"""What a file of predictions holds, whatever its format, and how rows of two files are matched by name."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UserError
from .files import listed


@dataclass
class Predicted:
    """Predictions (rows, learners, outputs) with the names of their axes, None where the file has none.

    `values` is None for a file of targets alone. `targets`: numbers, or words as objects, (rows,) or (rows, outputs); None where
    the file has none. `counted`: the names of the rows are pandas' count from 0, which says no more than their order. `classes` says that the
    outputs are known to be classes, or not to be.
    """

    path: Path
    values: np.ndarray | None
    learners: list[str]
    rows: pd.Index | None = None
    outputs: list[str] | None = None
    targets: np.ndarray | None = None
    counted: bool = False
    classes: bool | None = None
    notes: list[str] = field(default_factory=list)

    def row(self, position: int) -> str:
        """A row in words."""
        return f"data row {position + 1}" if self.rows is None else f"row {named(self.rows[position])}"

    def count(self) -> int:
        """The number of rows."""
        return len(self.targets if self.values is None else self.values)


def named(name) -> str:
    """A name of a row in words: a number as it is, a text in quotes."""
    return repr(name) if isinstance(name, str) else str(name)


def names_of(values, path: Path, column: str) -> pd.Index:
    """Row names as an index: whole numbers or texts. Errors: UserError for one that is missing, or stands twice."""
    series = pd.Series(values)
    if series.isna().any():
        raise UserError(
            f"{path} has no name in column {column!r} for data row {int(series.isna().argmax()) + 1}: fill it in."
        )
    index = comparable(pd.Index(series))
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise UserError(
            f"{path} has {int((index == twice).sum())} rows named {named(twice)} in column {column!r}: remove all but one, or name "
            "the column of the row names with --row."
        )
    return index


def comparable(index: pd.Index) -> pd.Index:
    """Whole numbers as int64 where all are, else texts: so 1, 1.0 and "1" are the same name."""
    if pd.api.types.is_bool_dtype(index.dtype) or not pd.api.types.is_numeric_dtype(index.dtype):
        texts = index.astype(str)
        whole = texts.str.fullmatch(r"-?(0|[1-9]\d{0,17})")
        return pd.Index(texts.astype(np.int64)) if len(texts) and whole.all() else texts
    plain = pd.Index(index.to_numpy())
    if not np.isfinite(plain).all():
        return plain.astype(str)
    if pd.api.types.is_integer_dtype(plain.dtype):
        return plain.astype(np.int64)
    whole = plain.astype(np.int64)
    return whole if (whole == plain).all() else plain.astype(str)


def positions(ours: Predicted, theirs: Predicted, what: str) -> np.ndarray | None:
    """Where the rows of `ours` stand in `theirs`; None where they stand at the same place.

    Rows are matched by name. Where neither file names its rows, they are taken in their order, if they are equally many.

    A count from 0 is as good as no names, where the other file has none.

    Errors: UserError where one file alone names its rows, where one of ours is not among theirs, and for other numbers of rows.
    """
    for one, other in ((ours, theirs), (theirs, ours)):
        if one.rows is None and other.counted:
            other.rows = None
    if (ours.rows is None) != (theirs.rows is None):
        with_names, other = (ours, theirs) if ours.rows is not None else (theirs, ours)
        raise UserError(
            f"{with_names.path} names its rows and {other.path} does not, so they cannot be matched: add the same names to "
            f"{other.path}, in a column called {with_names.rows.name or 'row'!r}."
        )
    if ours.rows is None:
        if ours.count() != theirs.count():
            raise UserError(
                f"{ours.path} has {ours.count():,} rows and {theirs.path} {theirs.count():,}: give {what} of the same rows, or "
                "name the rows of both in a column called 'row'."
            )
        return None
    one, other = ours.rows, theirs.rows
    if one.dtype != other.dtype:
        one, other = one.astype(str), other.astype(str)
    if one.equals(other):
        return None
    found = other.get_indexer(one)
    if (found < 0).any():
        lacking = one[found < 0]
        raise UserError(
            f"{theirs.path} lacks {what} for {len(lacking):,} of the {len(one):,} rows of {ours.path}, such as "
            f"{', '.join(map(named, lacking[:3]))}: add them."
        )
    return found


def order_of(names: Sequence[str], wanted: Sequence[str], path: Path, what: str) -> list[int]:
    """Where the `wanted` names stand among `names`. Errors: UserError where the two are not the same set."""
    if set(names) != set(wanted):
        raise UserError(f"{path} has the {what} {listed(names)}, not {listed(wanted)}: give the same in both files.")
    return [list(names).index(name) for name in wanted]
