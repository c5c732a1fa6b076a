"""The raw file of a table as columns: its encoding, separator and names, and the line on which each row stands.

Nothing here looks at what the fields hold (`kinds` does), but for a first column without a name that only numbers the rows.
"""

import csv
import dataclasses
import io
import re

import numpy as np
import pandas as pd

from ..errors import UserError
from ..wording import meant
from . import archives
from .declared import Table

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_COMPRESSED = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"7z\xbc\xaf": "7z"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# What pandas and R write before the rows when they are not told otherwise.
_INDEX_NAMES = ("", "Unnamed: 0", "__index_level_0__")
# A number in Python's own spelling.
PLAIN_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns of the file of a table: strings without the spaces around them, or float64 where the file has types.

    `name` and `table` are those of the configuration; `frame` (rows, columns); `lines` (rows,) says where a row stands, by the
    `unit` "line" or "row", counted from 1; `separator` is None where the file has none; `how` says how the file was read, and
    `index` names the columns that were left out since they number the rows.
    """

    name: str
    table: Table
    frame: pd.DataFrame
    lines: np.ndarray
    unit: str
    separator: str | None
    how: str
    index: tuple[str, ...] = ()

    def place(self, row: int, column: str) -> str:
        """Where a value stands, such as "houses.csv, line 9, column 'area'"."""
        return f"{self.table.file}, {self.unit} {self.lines[row]}, column {column!r}"


def read(content: bytes, name: str, table: Table) -> Columns:
    """The columns of a CSV or TSV file, plain or gzipped.

    Errors: UserError where the file is none, its encoding or separator is unclear, a row has another number of fields than
    the header, a column has no name or that of another one, or a declared column is missing.
    """
    content = unpacked(content, table)
    encoding = table.encoding or ("utf-16" if content.startswith(_UTF16) else "utf-8")
    text = _decoded(content, encoding, name, table)
    separator = table.separator or _separator(text, name, table)
    names, lines = _scan(text, separator, name, table)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            names=range(len(names)),
            header=None if table.columns else 0,
            index_col=False,
            dtype=str,
            na_filter=False,
            skipinitialspace=True,
        )
    except pd.errors.ParserError as error:
        raise UserError(f"{table.file} cannot be read ({str(error).strip()}): correct its quotes.") from None
    if len(frame) != len(lines):
        raise UserError(f"{table.file} cannot be read, since it is unclear where its quotes end: correct them.")
    frame = frame.apply(lambda values: values.str.strip()).set_axis(names, axis=1)
    how = f"{encoding.upper()}, separated by {SEPARATORS.get(separator, repr(separator))}"
    return without_index(Columns(name, table, frame, lines, "line", separator, how))


def unpacked(content: bytes, table: Table) -> bytes:
    """The content without gzip. UserError where it is empty, or packed in another way."""
    if content.startswith(b"\x1f\x8b"):
        try:
            content = archives.gunzipped(content)
        except archives.Refused as error:
            raise UserError(f"{table.file} is {error}: copy or download it again.") from None
    if not content.strip():
        raise UserError(f"{table.file} is empty: give a file with a line of names and rows.")
    if content.startswith(b"PK\x03\x04"):
        raise UserError(f"{table.file} is a spreadsheet or a zip archive: save the table as CSV.")
    for magic, kind in _COMPRESSED.items():
        if content.startswith(magic):
            raise UserError(f"{table.file} is compressed with {kind}: unpack it, or use gzip.")
    return content


def _decoded(content: bytes, encoding: str, name: str, table: Table) -> str:
    """The text, each line ended by a line feed."""
    try:
        text = content.decode(encoding)
    except LookupError:
        raise UserError(f"The encoding {encoding!r} is unknown: correct tables.{name}.encoding.") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        other = "another one" if table.encoding else "latin-1 or cp1252"
        raise UserError(
            f"{table.file}, line {line}, is not {encoding.upper()} text: declare its encoding in tables.{name}.encoding, such "
            f"as {other}, or save the file as UTF-8."
        ) from None
    if "\0" in text:
        raise UserError(
            f"{table.file} is no {encoding.upper()} text, as it holds zero bytes: save it as UTF-8, or declare "
            f"tables.{name}.encoding, such as utf-16-le."
        )
    if re.match(r"\s*<(!doctype|html|\?xml)", text, re.IGNORECASE):
        raise UserError(f"{table.file} is a web page and no table: give the address of the file itself.")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _separator(text: str, name: str, table: Table) -> str:
    """The mark that cuts the header in several fields, and all rows in as many; quoted marks do not count."""
    fields = {mark: len(next(_rows(text, mark), ())) for mark in SEPARATORS}
    found = [
        mark for mark, count in fields.items() if count == len(table.columns or ()) or (count > 1 and not table.columns)
    ]
    if len(found) > 1:
        cut = [mark for mark in found if all(len(row) == fields[mark] for row in _rows(text, mark))]
        if len(cut) > 1:
            words = " or ".join(SEPARATORS[mark] for mark in cut)
            raise UserError(f"{table.file} can be read as separated by {words}: say which, in tables.{name}.separator.")
        found = cut or found
    return max(found or fields, key=fields.get)


def _rows(text: str, separator: str):
    """The rows that are not empty; those before a field that cannot be read."""
    try:
        yield from (row for row in csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True) if row)
    except csv.Error:
        return


def _scan(text: str, separator: str, name: str, table: Table) -> tuple[list[str], np.ndarray]:
    """The checked names of the columns, and the line of each row. Checks the length of each row, since pandas fills up short
    rows and cuts long ones."""
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    lines = []
    try:
        names = [column.strip() for column in table.columns or next((row for row in reader if row), ())]
        check_names(names, name, table)
        last = reader.line_num
        for row in reader:
            line, last = last + 1, reader.line_num  # a row may have several lines
            if not row:
                continue
            lines.append(line)
            if len(row) != len(names):
                raise UserError(
                    f"{table.file}, line {line}: expected {len(names)} fields, got {len(row)}; correct the line, or "
                    "fetch the file again if it is incomplete."
                )
    except csv.Error as error:
        raise UserError(f"{table.file}, line {reader.line_num}: {error}; correct the line.") from None
    if not lines:
        raise UserError(f"{table.file} holds no rows: give a file with a line of names and rows.")
    return names, np.array(lines)


def check_names(names: list[str], name: str, table: Table) -> None:
    """UserError where names clash, or a declared column is not there. A nameless column is left to `without_index`."""
    where = f"tables.{name}.columns" if table.columns else table.file
    for column in filter(None, names):
        if names.count(column) > 1:
            raise UserError(f"{where} has {names.count(column)} columns named {column!r}: rename or remove them.")
    declared = (table.target, *table.drop, *(table.categorical or ()), *table.dates)
    lacking = [column for column in declared if column not in names]
    if not lacking:
        return
    numbers = [column for column in names if re.fullmatch(PLAIN_NUMBER, column)]
    if numbers and not table.columns:
        raise UserError(
            f"{where} has no column {lacking[0]!r}, and its first line holds numbers, such as {numbers[0]}: if no line of it "
            f"has the names, list them in tables.{name}.columns."
        )
    hint = meant(lacking[0], names) or f"it has {', '.join(filter(None, names)) or 'none'}."
    raise UserError(f"{where} has no column {lacking[0]!r}, which tables.{name} names: {hint}")


def without_index(found: Columns) -> Columns:
    """The columns without first ones that have no name and only number or name the rows. UserError for any other column that
    has no name."""
    table = found.table
    declared = (table.target, *table.drop, *(table.categorical or ()), *table.dates, *(table.columns or ()))
    frame, index = found.frame, []
    while len(frame.columns) and frame.columns[0] in _INDEX_NAMES and frame.columns[0] not in declared:
        if not _identifies(frame.iloc[:, 0]):
            break
        index.append(frame.columns[0])
        frame = frame.iloc[:, 1:]
    if "" in frame:
        number = list(frame).index("")
        where = f"tables.{found.name}.columns" if table.columns else table.file
        empty = (frame.iloc[:, number] == "").all()
        remark = ", which is empty: a separator at the end of each line makes one" if empty else ""
        raise UserError(
            f"{where} has no name for column {number + len(index) + 1}{remark}; name it, or remove it from the file."
        )
    return dataclasses.replace(found, frame=frame, index=tuple(index))


def _identifies(values: pd.Series) -> bool:
    """Whether a column has another whole number or word in each row."""
    texts = values.map("{:.12g}".format) if values.dtype == np.float64 else values
    return texts.is_unique and not texts.str.contains(r"^$|^nan$|^[-+]?[0-9]*[.,][0-9]*$").any()
