"""Tables of numbers and names: a file, read strictly, checked by its content, and written as Parquet."""

import dataclasses
import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ..errors import UserError
from ..files import read_regular
from ..records import parquet
from ..wording import listed
from . import columnar, delimited, kinds
from .declared import Table
from .delimited import Columns
from .kinds import Typed

_FEW = 10  # different whole numbers, up to which the target of a larger table may be classes
_listed = partial(listed, most=12)  # columns, or levels of one


def prepare(raw: str | Path, output: str | Path, name: str, table: Table, made=None) -> str:
    """Write the prepared table: features as float64 or dictionaries of names, the target last, no missing values.

    What becomes of a row with a missing value is told by `table.incomplete`. The metadata describes the table, and says who `made` it. Returns a
    summary of what was read, for people, in several lines.

    Errors: UserError for a file that is not as `table` says, or has other content.
    """
    columns = read(raw, name, table)
    found = kinds.typed(columns)
    frame = found.frame
    checksum = content(frame, found.words if table.categorical is None else table.categorical)
    if table.content_sha256 not in (None, checksum):
        raise UserError(
            f"{raw} does not hold the values of {table.file} (content {checksum[:12]}..., not "
            f"{table.content_sha256[:12]}...): fetch the original file, or another copy of it."
        )
    features = [column for column in frame if column not in (*table.drop, table.target)]
    if not features:
        raise UserError(
            f"{table.file} has no column but {table.target!r} to learn from: name fewer in tables.{name}.drop."
        )
    complete = _complete(found, features, columns)
    target = _target(columns, complete)
    different = complete[table.target].unique()
    if len(different) <= _FEW < len(complete) / 2 and (different % 1 == 0).all():
        found.told.append(
            f"{table.target} holds {len(different)} different whole numbers; classes are not studied here"
        )
    arrays = {
        column: pa.array(complete[column].to_list()).dictionary_encode()
        if column in found.words
        else pa.array(complete[column].to_numpy())
        for column in features
    } | {table.target: pa.array(target)}
    description = {
        "dataset": name,
        "target": table.target,
        "log_target": table.log_target,
        "content_sha256": checksum,
        "rows": len(complete),
        "rows_with_missing_values": len(frame) - len(complete),
        "provenance": parquet.provenance("pandas"),
        "summary": _summary(columns, found, features, complete),
    }
    schema = pa.schema([(column, array.type) for column, array in arrays.items()])
    parquet.write(output, arrays, schema, description, made)
    return description["summary"]


def read(raw: str | Path, name: str, table: Table) -> Columns:
    """The columns of a raw file, CSV, TSV (plain or gzipped) or Parquet. Errors: UserError where it cannot be read."""
    try:
        content = read_regular(raw)
    except FileNotFoundError:
        raise UserError(f"{raw} does not exist: run the workflow to fetch it.") from None
    return (columnar if content.startswith(columnar.MAGIC) else delimited).read(content, name, table)


def content(frame: pd.DataFrame, categorical: list[str] | tuple[str, ...]) -> str:
    """SHA-256 of the numbers and names of a typed table: equal for each encoding of the same table."""
    digest = hashlib.sha256()
    for name, values in frame.items():
        if name in categorical:
            try:
                values = pd.to_numeric(values).astype(np.float64)  # names that are numbers: 1 is 1.0
            except ValueError:
                digest.update(name.encode() + b"\n" + "\n".join(values.fillna("")).encode())
        if values.dtype == np.float64:
            digest.update(name.encode() + b"\n" + values.to_numpy().astype("<f8").tobytes())
    return digest.hexdigest()


def _complete(found: Typed, features: list[str], columns: Columns) -> pd.DataFrame:
    """The rows that count, their order and row numbers kept."""
    frame, table = found.frame, columns.table
    if table.incomplete == "mean":  # of the rows that have the target and all names
        named = [column for column in features if column in found.words]
        kept = frame.dropna(subset=[table.target, *named])
        complete = kept.fillna(kept[[column for column in features if column not in named]].mean())
    else:
        complete = frame.dropna(subset=None if table.incomplete == "leave_out_any" else [*features, table.target])
    if complete.empty:
        lacking = frame.isna().sum()
        worst = lacking.idxmax()
        raise UserError(
            f"{table.file} has no row without missing values ({worst!r} lacks {lacking[worst]} of {len(frame)}): list such "
            f"columns in tables.{columns.name}.drop, or set tables.{columns.name}.incomplete to mean."
        )
    return complete


def _target(columns: Columns, complete: pd.DataFrame) -> np.ndarray:
    """The target of the complete rows, (rows,), as it is learnt. UserError where it has no logarithm, or is constant."""
    table = columns.table
    target = complete[table.target].to_numpy()
    if table.log_target and (target <= -1).any():
        row = int((target <= -1).argmax())
        raise UserError(
            f"{columns.place(complete.index[row], table.target)}: {target[row]:g} has no logarithm, which is taken of 1 + the "
            f"target: set tables.{columns.name}.log_target to false."
        )
    if len(target) > 1 and (target == target[0]).all():
        raise UserError(
            f"Column {table.target!r} of {table.file}, the target, holds {target[0]:g} in every row, so there is nothing to "
            f"learn: name another column in tables.{columns.name}.target."
        )
    different = np.unique(target)
    if len(different) == 2 and len(target) > 2 * _FEW:
        raise UserError(
            f"Column {table.target!r} of {table.file}, the target, holds two different values, {different[0]:g} and "
            f"{different[1]:g}, which are two classes: name another column in tables.{columns.name}.target, as only regression is "
            "studied here."
        )
    return np.log1p(target) if table.log_target else target


def _summary(columns: Columns, found: Typed, features: list[str], complete: pd.DataFrame) -> str:
    table, count = columns.table, len(complete)
    mark = "comma" if found.decimal == "," else "point"
    named = {
        column: [repr(level) if "," in level else level for level in sorted(complete[column].unique())]
        for column in found.words
    }
    plain = [column for column in features if column not in (*found.words, *found.truths, *table.dates)]
    target = complete[table.target]
    values = target.nunique()
    lacking = [f"{column} {sum(words.values())} ({_spelled(words)})" for column, words in found.missing.items()]
    done = "filled with the mean" if table.incomplete == "mean" else "left out"
    gone = len(found.frame) - count
    rows = (
        f"{gone} of {len(found.frame)} rows left out"
        if gone or table.incomplete != "mean"
        else f"{done}, no row left out"
    )
    dropped = [column for column in table.drop if column != table.target]
    unused = [f"{_listed(dropped)} (listed under drop)"] if dropped else []
    unused += [f"the first column, {column or 'without a name'} (it only numbers the rows)" for column in columns.index]
    keys = {
        key: value
        for key, value in dataclasses.asdict(table).items()
        if key not in ("file", "target", "content_sha256", "columns")
    }
    lines = {
        "file": f"{columns.how}, decimal {mark}" if columns.separator else columns.how,
        "target": f"{table.target}, {target.min():g} to {target.max():g}, {values} different values",
        "numbers": _listed(plain),
        "categories": _listed(
            [f"{column} ({len(levels)}: {_listed(levels)})" for column, levels in named.items()], mark="; "
        ),
        "True and False as 1 and 0": _listed(found.truths),
        "dates, as days since 1970-01-01": _listed(list(table.dates)),
        "not used": _listed(unused, mark="; "),
        "missing": f"{_listed(lacking)}: {rows}" if lacking or gone else "",
        "note": "; ".join(found.told),
        f"keys of tables.{columns.name} (null: found in the file)": ", ".join(
            f"{key}: {json.dumps(value)}" for key, value in keys.items()
        ),
    }
    head = f"{columns.name}: {count} rows of {table.file}, {len(features)} features to learn {table.target} from"
    return "\n".join([head, *(f"  {what}: {text}" for what, text in lines.items() if text)])


def _spelled(words: dict[str, int]) -> str:
    return ", ".join(repr(word) if word else "empty" for word in words)
