"""Tables in Parquet or delimited text, column by column: which names they have, and batches of some of them.

Nothing is guessed per value: a column of predictions holds numbers, or the error names the first row that does not.
"""

import csv
import gzip
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from .. import wording
from ..errors import UserError

TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
PARQUET = (".parquet", ".pq")
MISSING = ("", "NaN", "nan", "NA", "N/A", "null", "NULL", "None")
_BATCH = 2**13  # rows at once; more columns than that would leave the cache


@dataclass(frozen=True)
class Source:
    """A table in a file. `index` names the column of the row names where the file itself says so: pandas writes its index
    into Parquet, and into CSV as a first column without a name. `range` is such an index that Parquet holds as start, stop and
    step."""

    path: Path
    names: tuple[str, ...]
    index: str | None = None
    range: tuple[int, int, int] | None = None
    separator: str = ""  # "" for Parquet
    decimal: str = "."

    def lacks(self, name: str, option: str) -> UserError:
        """The sentence for a column that is not there."""
        lacks = f"{self.path} has no column {name!r}"
        if question := wording.meant(name, self.names):
            return UserError(f"{lacks}: {question} Name it with {option}.")
        return UserError(f"{lacks}, but {listed(self.names)}: name the right one with {option}.")


def ending(path: Path) -> str:
    """The extension of a file of a known kind. Errors: UserError for any other, and where there is no such file."""
    if not path.is_file():
        raise UserError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}: give the path of a file.")
    found = next((end for end in (*TEXT, *PARQUET, ".npz") if path.name.lower().endswith(end)), None)
    if found is None:
        raise UserError(
            f"{path} has an unknown extension: give a Parquet (.parquet), text (.csv, .tsv, .csv.gz) or NumPy (.npz) file."
        )
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty: write the predictions into it first.")
    return found


def open_table(path: Path, separator: str | None = None, decimal: str = ".") -> Source:
    """The names of a table's columns. Errors: UserError for a damaged file, and for names that clash or are empty."""
    if ending(path) in PARQUET:
        schema = _schema(path)
        names, found = list(schema.names), (schema.pandas_metadata or {}).get("index_columns", [])
        index, numbered = None, None
        if len(found) == 1 and isinstance(found[0], str):
            index = found[0]
        elif len(found) == 1 and found[0].get("kind") == "range":
            numbered = tuple(found[0][key] for key in ("start", "stop", "step"))
        source = Source(path, tuple(names), index, numbered)
    else:
        names, separator = _header(path, separator)
        index = "" if names and names[0] == "" else None
        source = Source(path, tuple(names), index, None, separator, decimal)
    for position, name in enumerate(names):
        if name == "" and (position or source.index != ""):
            raise UserError(f"{path} has no name for column {position + 1}: name it.")
        if names.count(name) > 1:
            raise UserError(f"{path} has {names.count(name)} columns named {name!r}: rename or remove them.")
    return source


def batches(source: Source, numeric: Sequence[str], other: Sequence[str]) -> Iterator[dict]:
    """Batches of some columns by name: the `numeric` as NumPy arrays, NaN where a value is missing, the `other` as Arrow's.

    Errors: UserError for a damaged file, and for a column of predictions that holds something else than numbers.
    """
    names = [*numeric, *other]
    if source.separator:
        found = _text(source, numeric, other).to_batches(_BATCH)
    else:
        types = {field.name: field.type for field in _schema(source.path)}
        for name in numeric:
            _check_type(source, name, types[name])
        for name in other:
            _check_name_type(source, name, types[name])
        size = _BATCH if len(names) > 8 else 2**20
        found = _guarded(source, _parquet(source.path).iter_batches(size, columns=names, use_threads=False))
    for batch in found:
        columns = {name: batch.column(batch.schema.names.index(name)) for name in names}
        for name in other:
            _check_utf8(source, name, columns[name])
        yield columns | {name: _floats(columns[name]) for name in numeric}


def float_type(source: Source, names: Sequence[str]) -> type:
    """float32 where all these columns are single or half precision, else float64."""
    if source.separator:
        return np.float64
    types = {field.name: field.type for field in _schema(source.path)}
    return np.float32 if all(types[name] in (pa.float32(), pa.float16()) for name in names) else np.float64


def rows_in(source: Source) -> int | None:
    """The number of rows, where the file tells it beforehand."""
    return None if source.separator else _parquet(source.path).metadata.num_rows


def listed(names: Sequence[str]) -> str:
    """Some names as they are written in a file."""
    return wording.listed(names, 6, show=repr) or "none at all"


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError):
        raise UserError(f"{path} is not a complete Parquet file: write it again.") from None


def _parquet(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, buffer_size=2**16, pre_buffer=False)  # else it holds the file in full


def _guarded(source: Source, found: Iterator) -> Iterator:
    try:
        yield from found
    except (pa.ArrowException, OSError):
        raise UserError(f"{source.path} is damaged: write it again.") from None


def _check_type(source: Source, name: str, kind: pa.DataType) -> None:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return
    if pa.types.is_nested(kind):
        raise UserError(
            f"Column {name!r} of {source.path} holds lists: give each class or output a column, named {name}:CLASS."
        )
    what = "words" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else f"values of the type {kind}"
    raise UserError(
        f"Column {name!r} of {source.path} holds {what} and no predictions: leave it out with --drop {name!r}, or name it "
        f"with --row or --target if it is one of these."
    )


def _check_name_type(source: Source, name: str, kind: pa.DataType) -> None:
    """UserError for a column of names or targets that holds lists or bytes."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    bytes_ = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    if pa.types.is_nested(kind) or bytes_:
        raise UserError(
            f"Column {name!r} of {source.path} holds values of the type {kind}: write it as numbers or words."
        )


def _check_utf8(source: Source, name: str, column: pa.Array) -> None:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        raise UserError(
            f"Column {name!r} of {source.path} holds words that are no UTF-8 text: write it again."
        ) from None


def _floats(column: pa.Array) -> np.ndarray:
    kind = pa.float32() if column.type in (pa.float32(), pa.float16()) else pa.float64()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(kind, safe=False).to_numpy(zero_copy_only=False)


def _header(path: Path, separator: str | None) -> tuple[list[str], str]:
    """The names of the columns, and what separates them: the mark that cuts the first line in the most fields."""
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            if not separator:
                fields = {mark: len(next(csv.reader([first], delimiter=mark), [])) for mark in ";\t,|"}
                separator = max(fields, key=fields.get)
            names = [name.strip() for name in next(csv.reader([first], delimiter=separator), [])]
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    except (OSError, EOFError) as error:
        raise UserError(f"{path} cannot be read ({error}): write it again.") from None
    if not names or names == [""]:
        raise UserError(f"{path} has no names of columns in its first line: write a header.")
    if all(re.fullmatch(r"[-+]?\d*[.,]?\d+(e[-+]?\d+)?", name, re.I) for name in names) and not all(
        map(str.isdigit, names)
    ):
        raise UserError(
            f"{path} has numbers in its first line, such as {names[0]}, and no names of columns: write a header."
        )
    return names, separator


def _text(source: Source, numeric: Sequence[str], other: Sequence[str]) -> pa.Table:
    """Columns of a delimited file: the numeric ones as float64, of the others Arrow finds the type."""
    wanted = [*numeric, *other]
    try:
        return _read_csv(source, wanted, dict.fromkeys(numeric, pa.float64()))
    except pa.ArrowInvalid as error:
        text = str(error)
    except OSError as error:
        raise UserError(f"{source.path} cannot be read ({error}): write it again.") from None
    if found := re.search(r"Expected (\d+) columns, got (\d+)", text):
        raise UserError(
            f"{source.path} is ragged: a row has {found[2]} fields where the header has {found[1]}; write it again, with "
            "values that hold the separator in quotes."
        )
    if "conversion error" in text and "UTF8" not in text.upper():
        _complain(source, numeric)
    if "UTF8" in text.upper():
        raise UserError(f"{source.path} is not UTF-8 text: save it as UTF-8.")
    if "Empty CSV" in text or "Could not skip initial" in text:
        raise UserError(f"{source.path} holds no rows below its header: write the predictions into it first.")
    raise UserError(f"{source.path} cannot be read ({text.splitlines()[0].rstrip('.')}): write it again.")


def _read_csv(source: Source, wanted: Sequence[str], types: dict[str, pa.DataType]) -> pa.Table:
    return pa_csv.read_csv(
        source.path,
        pa_csv.ReadOptions(column_names=list(source.names), skip_rows=1, block_size=2**23),
        pa_csv.ParseOptions(delimiter=source.separator),
        pa_csv.ConvertOptions(
            include_columns=list(wanted),
            column_types=types,
            decimal_point=source.decimal,
            null_values=list(MISSING),
            strings_can_be_null=True,
        ),
    ).select(list(wanted))


def _complain(source: Source, numeric: Sequence[str]) -> None:
    """Find the first value that is no number, column by column, and name it."""
    missing = set(MISSING)
    for name in numeric:
        values = _read_csv(source, [name], {name: pa.string()}).column(0)
        for row, value in enumerate(values.to_pylist(), 1):
            if value is None or value in missing or _is_number(value, source.decimal):
                continue
            if re.fullmatch(r"[-+]?\d+,\d+(e[-+]?\d+)?", value.strip(), re.I):
                hint = "give --decimal , if that is a decimal comma"
            elif all(_is_no_number(v, source.decimal) for v in values.slice(0, 20).to_pylist()):
                hint = f"leave the column out with --drop {name!r}, or name it with --row or --target if it is one of these"
            else:
                hint = "correct it"
            raise UserError(
                f"Column {name!r} of {source.path} holds {value!r} in data row {row}, which is no number: {hint}."
            )


def _is_number(text: str, decimal: str) -> bool:
    return (
        re.fullmatch(
            rf"\s*[-+]?(\d+[{decimal}]?\d*|[{decimal}]\d+)(e[-+]?\d+)?\s*|\s*[-+]?(inf(inity)?|nan)\s*", text, re.I
        )
        is not None
    )


def _is_no_number(text: str | None, decimal: str) -> bool:
    return text is not None and not _is_number(text, decimal)
