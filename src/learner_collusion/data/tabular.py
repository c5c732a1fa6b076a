"""Tables of numbers and categories: a delimited file, read strictly, checked by its content, and written as Parquet."""

import csv
import functools
import hashlib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ..errors import UserError
from ..records import parquet

MISSING = ("", "NaN", "nan")  # fields without a value, in every column


@dataclass(frozen=True)
class Table:
    """How a raw table is read, and what it is used for.

    `columns` names the columns of a file without a header. `separator` and `decimal` are one character each; None finds
    the separator in the first line (semicolon, tab or comma), and the decimal mark in all numbers of the file (always the
    point where commas separate). `content_sha256` is the checksum of the content, None for any. `missing`: what becomes of
    a row with a missing value: "leave_out"; or "mean", of the column in its place, where target and categories are there.
    """

    file: str
    target: str
    drop: tuple[str, ...]
    categorical: tuple[str, ...]
    log_target: bool
    content_sha256: str | None
    columns: tuple[str, ...] | None = None
    separator: str | None = None
    decimal: str | None = None
    missing: str = "leave_out"


def prepare(raw: str | Path, output: str | Path, name: str, table: Table) -> None:
    """Write the prepared table: features as float64 or dictionaries of categories, the target last, no missing values.

    A row with a missing value in any column of the file is left out, even where that column is dropped: the last two rows
    of Weather are extremes of the columns, without station and date. (With `missing: mean` dropped columns do not matter, and
    a missing feature becomes its mean.) The metadata describes the table.

    Errors: UserError for a file that is not as `table` says, or has other content.
    """
    frame, decimal = read(raw, name, table)
    checksum = content(frame, table.categorical)
    if table.content_sha256 not in (None, checksum):
        raise UserError(
            f"{raw} does not hold the values of {table.file} (content {checksum[:12]}..., not "
            f"{table.content_sha256[:12]}...): fetch the original file, or another copy of it."
        )
    features = [column for column in frame if column not in (*table.drop, table.target)]
    _check_types(frame, name, table, (*features, table.target), decimal)
    complete = frame.dropna() if table.missing == "leave_out" else _filled(frame, features, table)
    if complete.empty:
        raise UserError(f"{raw} has no row without missing values: remove its empty columns.")
    target = complete[table.target].to_numpy()
    if table.log_target:
        with np.errstate(all="ignore"):
            target = np.log1p(target)
    arrays = {
        column: pa.array(complete[column].to_list()).dictionary_encode()
        if column in table.categorical
        else pa.array(complete[column].to_numpy())
        for column in features
    } | {table.target: pa.array(target)}
    for column, array in arrays.items():
        if pa.types.is_floating(array.type) and not np.isfinite(array.to_numpy()).all():
            logarithm = " after the logarithm" if column == table.target and table.log_target else ""
            raise UserError(
                f"Column {column!r} of {name} holds values that are not finite{logarithm}: correct tables.{name}."
            )
    if len(target) > 1 and (target == target[0]).all():
        raise UserError(
            f"Column {table.target!r} of {name}, the target, holds {target[0]:g} in every row, so there is nothing to learn: "
            f"name another column in tables.{name}.target."
        )
    description = {
        "dataset": name,
        "target": table.target,
        "log_target": table.log_target,
        "content_sha256": checksum,
        "rows": len(complete),
        "rows_with_missing_values": len(frame) - len(complete),
        "provenance": parquet.provenance("pandas"),
    }
    schema = pa.schema([(column, array.type) for column, array in arrays.items()])
    parquet.write(output, arrays, schema, description)


def _filled(frame: pd.DataFrame, features: list[str], table: Table) -> pd.DataFrame:
    """The rows that have the target and all categories; a missing number is the mean of its column in them."""
    named = [column for column in features if column in table.categorical]
    kept = frame.dropna(subset=[table.target, *named])
    return kept.fillna(kept[[column for column in features if column not in named]].mean())


def describe(path: str | Path) -> str:
    """One line about a prepared table."""
    metadata = parquet.read_metadata(path)
    return json.dumps(
        {k: metadata[k] for k in ("dataset", "target", "rows", "rows_with_missing_values", "content_sha256")}
    )


def content(frame: pd.DataFrame, categorical: tuple[str, ...]) -> str:
    """SHA-256 of the numbers and categories of a table from `read`: equal for each encoding of the same table."""
    digest = hashlib.sha256()
    for name, values in frame.items():
        if name in categorical:
            try:
                values = pd.to_numeric(values).astype(np.float64)  # categories that are numbers: 1 is 1.0
            except ValueError:
                digest.update(name.encode() + b"\n" + "\n".join(values.fillna("")).encode())
        if values.dtype == np.float64:
            digest.update(name.encode() + b"\n" + values.to_numpy().astype("<f8").tobytes())
    return digest.hexdigest()


def read(raw: str | Path, name: str, table: Table) -> tuple[pd.DataFrame, str]:
    """All columns of a raw table, and its decimal mark: numbers as float64, words and categories as strings without the
    spaces around them, NaN where a field is one of MISSING.

    Errors: UserError where a row has another number of fields than the header, where a column has no name or the name of
    another one, where a declared column is missing, or where the encoding or the decimal mark is unclear.
    """
    try:
        text = Path(raw).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{raw} does not exist: run the workflow to fetch it.") from None
    except UnicodeDecodeError:
        raise UserError(f"{raw} is not UTF-8 text: save it as UTF-8, or fetch the original file.") from None
    first = text.lstrip().partition("\n")[0]
    separator = table.separator or next((mark for mark in ";\t" if mark in first), ",")
    names, decimal = _scan(raw, name, table, text, separator)
    texts = [column for column in table.categorical if column != table.target]
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            decimal=decimal,
            names=names,
            header=None if table.columns else 0,
            index_col=False,
            dtype=dict.fromkeys(texts, str),
            keep_default_na=False,
            na_values=list(MISSING),
            skipinitialspace=True,
            low_memory=False,
        )
    except pd.errors.ParserError as error:
        raise UserError(f"{raw} cannot be read ({str(error).strip()}): fetch the original {table.file}.") from None
    return frame.apply(_typed), decimal


def _scan(raw, name: str, table: Table, text: str, separator: str) -> tuple[list[str], str]:
    """The checked names of the columns, and the decimal mark. Checks the length of each row, since pandas fills up short
    rows and cuts long ones."""
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    try:
        rows = (row for row in reader if row)
        names = [column.strip() for column in table.columns or next(rows, ())]
        _check_names(raw, name, table, names)
        marks: set[str] = set()
        line = 0
        for row in rows:
            line = reader.line_num
            if len(row) != len(names):
                raise UserError(
                    f"{raw}, line {line}: expected {len(names)} fields, got {len(row)}; the file is incomplete or not the "
                    "original, so fetch it again."
                )
            if table.decimal is None and separator != ",":
                marks.update(match[1] or match[2] or "" for match in map(_number(".,").fullmatch, row) if match)
    except csv.Error as error:
        raise UserError(f"{raw}, line {reader.line_num}: {error}; fetch the original {table.file}.") from None
    if not line:
        raise UserError(f"{raw} holds no rows: fetch the original {table.file}.")
    if marks >= {".", ","}:
        raise UserError(
            f"{raw} has numbers with a decimal point and numbers with a decimal comma: set tables.{name}.decimal to one."
        )
    return names, table.decimal or ("," if "," in marks else ".")


def _check_names(raw, name: str, table: Table, names: list[str]) -> None:
    where = f"tables.{name}.columns" if table.columns else str(raw)
    if "" in names:
        raise UserError(f"{where} has no name for column {names.index('') + 1}: name it.")
    for column in names:
        if names.count(column) > 1:
            raise UserError(f"{where} has {names.count(column)} columns named {column!r}: rename or remove them.")
    lacking = [column for column in (table.target, *table.drop, *table.categorical) if column not in names]
    if names and lacking:
        raise UserError(
            f"{raw} has no column {lacking[0]!r}: fetch the original {table.file}, or correct tables.{name} in the "
            "configuration."
        )


def _check_types(frame: pd.DataFrame, name: str, table: Table, columns: tuple[str, ...], decimal: str) -> None:
    for column in columns:
        categorical = column in table.categorical and column != table.target
        if not categorical and frame[column].dtype != np.float64:
            words = [value for value in frame[column].dropna().astype(str) if not _number(decimal).fullmatch(value)]
            raise UserError(
                f"Column {column!r} of {name} holds words{f', such as {words[0]!r}' if words else ''}: correct "
                f"tables.{name} in the configuration, where it can be listed under categorical or drop."
            )


@functools.cache
def _number(decimal: str) -> re.Pattern:
    """A number with this decimal mark, or with one of several: the marks that it uses are groups 1 and 2."""
    mark = f"([{decimal}])"
    return re.compile(rf"\s*[-+]?(?:\d+(?:{mark}\d*)?|{mark}\d+)(?:[eE][-+]?\d+)?\s*")


def _typed(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.astype(np.float64)
    words = values.astype("str").str.strip()
    return words.mask(words == "")
