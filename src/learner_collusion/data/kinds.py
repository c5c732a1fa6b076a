"""What the columns of a raw table are: numbers, names, dates. Decided for a whole column by all of its values, never one by one.

A value that is not what its column is makes a sentence with its line; none is replaced in silence, and none is guessed.
"""

import functools
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..errors import UserError
from .delimited import Columns

MOST_LEVELS = 100  # of a column of words that is taken for names without being declared so
_LARGEST = 1e150  # its square is a number, too
_DATE_FORMATS = [
    f"{day}{time}"
    for day in ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%m/%d/%y",
                "%d/%m/%y", "%d.%m.%y", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y")
    for time in ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", "T%H:%M:%S", "T%H:%M:%SZ", " %H:%M:%S%z", "T%H:%M:%S%z")
]  # fmt: skip
_DATE = re.compile(
    r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}\b.*|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4}\b.*|[A-Za-z]{3,9} \d{1,2}, \d{4}\b.*"
)
_INFINITE = re.compile(r"[-+]?inf(inity)?", re.IGNORECASE)
_GROUPED = re.compile(r"[-+]?\d{1,3}([,. '_\u00a0\u202f])\d{3}(?:\1\d{3})*(?:([.,])\d+)?")
_WHOLE = re.compile(r"[-+]?[0-9]+")
_COMMA = re.compile(r"[-+]?\d*,\d+")
# Digits with marks, money or percent, but no other letters: no name, unless it is declared as one.
_LIKE_A_NUMBER = re.compile(
    r"[-+(]?[$€£¥]?\s*[-+]?[\d.,][\d_.,'\s]*\s*[%$€£¥)]?|[-+]?0x[0-9a-f]+|[-+]?[\d.,]+e[-+]?\d+", re.IGNORECASE
)


@dataclass
class Typed:
    """Typed columns, NaN where a value is missing: float64, or strings.

    `words` are the used columns of names, `truths` those of True and False, `told` what a reader should know of single ones;
    `missing` counts the missing values of a used column by what stands in their place.
    """

    frame: pd.DataFrame
    decimal: str
    words: list[str] = field(default_factory=list)
    truths: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    missing: dict[str, dict[str, int]] = field(default_factory=dict)


def typed(raw: Columns) -> Typed:
    """All columns of a table: those that are used as they are declared, dropped ones as numbers where all their values are.

    Errors: UserError, one sentence, for the first value that is not what its column is.
    """
    texts = {column: _present(values, raw.table.missing) for column, values in raw.frame.items()}
    found = Typed(raw.frame, _decimal(raw, texts))
    columns = {}
    for column, values in texts.items():
        if column in raw.table.drop and column != raw.table.target:
            columns[column] = _numbers_or_texts(raw, values, found.decimal)
            continue
        columns[column] = _used(raw, column, values, found)
        if (lacking := columns[column].isna()).any():
            spelled = raw.frame[column][lacking].map(lambda value: "" if value != value else str(value))
            found.missing[column] = spelled.value_counts().to_dict()
    found.frame = pd.DataFrame(columns, index=raw.frame.index)
    return found


def _present(values: pd.Series, missing: tuple[str, ...]) -> pd.Series:
    """The column with NaN for an empty field and for the words that count as missing."""
    return values if values.dtype == np.float64 else values.mask(values.isin(["", *missing]))


def _used(raw: Columns, column: str, values: pd.Series, found: Typed) -> pd.Series:
    table, target = raw.table, column == raw.table.target
    if column in table.dates:
        return _days(raw, column, values)
    if column in (table.categorical or ()) and not target:
        found.words.append(column)
        return values if values.dtype != np.float64 else values.map("{:.17g}".format, na_action="ignore")
    different = values.dropna().drop_duplicates()
    if different.empty:
        raise UserError(
            f"Column {column!r} of {table.file} has no value in any row: "
            + (f"name another one in tables.{raw.name}.target." if target else f"list it in tables.{raw.name}.drop.")
        )
    if values.dtype == np.float64:
        return _finite(raw, column, _without(values, table.missing))
    fits = different.str.fullmatch(_number(found.decimal, table.thousands))
    if fits.all():
        numbers = _finite(raw, column, _without(_numbers(values, found.decimal, table.thousands), table.missing))
        found.told += _remarks(column, numbers) if not target else []
        return numbers
    if set(different.str.lower()) <= {"true", "false"} and not target:
        found.truths.append(column)
        return values.str.lower().map({"true": 1.0, "false": 0.0})
    others = different[~fits.astype(bool)]
    no_names = others[others.map(_no_name)]
    if not fits.any() and table.categorical is None and not target and no_names.empty:
        _check_levels(raw, column, values, len(different))
        found.words.append(column)
        found.told += [f"{column} is the same in every row"] * (len(different) == 1)
        return values
    word = others.iloc[0] if no_names.empty or fits.any() else no_names.iloc[0]
    place = raw.place(int(np.argmax((values == word).to_numpy(bool))), column)
    raise UserError(f"{place}: {word!r} {_why(raw, column, word, different, bool(fits.any()), found.decimal)}")


def _no_name(word: str) -> bool:
    return any(pattern.fullmatch(word) for pattern in (_INFINITE, _DATE, _LIKE_A_NUMBER))


def _why(raw: Columns, column: str, word: str, different: pd.Series, mixed: bool, decimal: str) -> str:
    """The rest of the sentence on a value that is no number: what it seems to be, and what to do."""
    table, key = raw.table, f"tables.{raw.name}"
    other = f"list the column in {key}.categorical or {key}.drop"
    if column == table.target:
        other = f"name another column in {key}.target, which must hold numbers, as only regression is studied here"
    if _INFINITE.fullmatch(word):
        return f"is not a finite number; correct it, or list it in {key}.missing."
    if (grouped := _GROUPED.fullmatch(word)) and table.thousands is None and grouped[1] != grouped[2]:
        mark, digits = grouped[1], word.replace(grouped[1], "").replace(",", ".")
        also = f" and {key}.decimal to {grouped[2] or ','!r}" if mark == decimal else ""
        comma = f" (if its comma is a decimal one, {key}.decimal to ',')" if mark == "," and decimal == "." else ""
        return (
            f"is not a number; if it stands for {digits}, set {key}.thousands to {mark!r}{also}{comma}, else {other}."
        )
    if decimal == "." and _COMMA.fullmatch(word):
        return f"is not a number; if its comma is a decimal one, set {key}.decimal to ',', else {other}."
    if formats := [
        one for one in _DATE_FORMATS if not mixed and _DATE.fullmatch(word) and _fit(pd.Series([word]), one)
    ]:
        fitting = [one for one in formats if _fit(different, one)]
        such = " or ".join(f"{{{column}: {one!r}}}" for one in fitting) + ", whichever is right" * (len(fitting) > 1)
        such = such or "but no single format fits all of its dates"
        return f"is a date; list the column in {key}.drop, or its format in {key}.dates: {such}."
    if set(different.str.lower()) <= {"true", "false"}:
        return f"is one of two classes; {other}."
    if mixed:
        return f"is not a number, as other values of the column are; list it in {key}.missing, or {other}."
    if _LIKE_A_NUMBER.fullmatch(word):
        return f"is not a number; correct it, or {other}."
    return f"is a word and not a number; {other}."


def _check_levels(raw: Columns, column: str, values: pd.Series, levels: int) -> None:
    """UserError where a column of words is rather free text, or names its rows."""
    rows = int(values.notna().sum())
    if levels > MOST_LEVELS or 2 * levels > rows:
        raise UserError(
            f"Column {column!r} of {raw.table.file} has {levels} different words in {rows} rows, such as {values.dropna().iloc[0]!r}: "
            f"list it in tables.{raw.name}.drop, or in tables.{raw.name}.categorical if each word is to be a feature."
        )


def _remarks(column: str, numbers: pd.Series) -> list[str]:
    """What a reader should know of a feature."""
    count = np.arange(len(numbers))
    if len(count) > 2 and np.array_equal(np.sort(numbers) - numbers.min(), count):
        return [f"{column} only counts the rows; list it under drop unless that is a feature"]
    texts = numbers.dropna().map("{:.0f}".format)
    if (numbers.dropna() % 1 == 0).all() and texts.str.fullmatch(r"(19|20)\d{6}").all() and _fit(texts, "%Y%m%d"):
        return [
            f"{column} looks like dates; if so, give their format, dates: {{{column}: '%Y%m%d'}}, or list it under drop"
        ]
    if (numbers.dropna() == numbers.dropna().iloc[0]).all():
        return [f"{column} is the same in every row"]
    return []


def _decimal(raw: Columns, texts: dict[str, pd.Series]) -> str:
    """The decimal mark: declared, or the one that the used columns of the whole file have."""
    table, key = raw.table, f"tables.{raw.name}"
    mark = table.decimal or ("," if table.thousands == "." else ".")
    if mark == table.thousands:
        raise UserError(f"{key}.decimal and {key}.thousands are both {mark!r}: correct one of them.")
    if table.decimal or raw.separator in (",", None):
        return mark
    numbers: dict[str, pd.Series] = {}
    names = {*table.drop, *table.dates, *(table.categorical or ())} - {table.target}
    used = [values.dropna() for column, values in texts.items() if column not in names]
    for one in {".", ","} - {table.thousands}:
        marked = pd.concat([values[values.str.contains(one, regex=False)] for values in used])
        marked = marked[marked.str.fullmatch(_number(one, table.thousands))]
        if len(marked):
            numbers[one] = marked
    if len(numbers) > 1:
        raise UserError(
            f"{table.file} has numbers with a decimal point and numbers with a decimal comma: set {key}.decimal to one, and "
            f"{key}.thousands to the other if it parts thousands."
        )
    for found, marked in numbers.items():
        group = rf"[-+]?[1-9]\d{{0,2}}{re.escape(found)}\d{{3}}"
        if table.thousands is None and marked.str.fullmatch(group).all():
            word = marked.iloc[0]
            raise UserError(
                f"{table.file} has {word!r} and no number that tells whether that is {word.replace(found, '')}: set {key}.thousands "
                f"to {found!r} if it is, else {key}.decimal."
            )
        return found
    return mark


@functools.cache
def _number(decimal: str, thousands: str | None = None) -> str:
    """The pattern of a number with this decimal mark, and with this mark between each three digits or with none."""
    mark, whole = re.escape(decimal), "[0-9]+"
    if thousands:
        whole = rf"(?:[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+)"
    return rf"[-+]?(?:{whole}(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][-+]?[0-9]+)?"


def _numbers_or_texts(raw: Columns, values: pd.Series, decimal: str) -> pd.Series:
    thousands = raw.table.thousands
    if (
        values.dtype == np.float64
        or not values.dropna().drop_duplicates().str.fullmatch(_number(decimal, thousands)).all()
    ):
        return values
    return _numbers(values, decimal, thousands)


def _numbers(values: pd.Series, decimal: str, thousands: str | None) -> pd.Series:
    """Strings that fit `_number` as float64, each the nearest one."""
    if thousands:
        values = values.str.replace(thousands, "", regex=False)
    return values.str.replace(decimal, ".", regex=False).astype(np.float64)


def _without(numbers: pd.Series, missing: tuple[str, ...]) -> pd.Series:
    """NaN for numbers that count as missing: of -999, -999.0 is another spelling."""
    words = [float(word) for word in missing if re.fullmatch(_number("."), word)]
    return numbers.mask(numbers.isin(words)) if words else numbers


def _finite(raw: Columns, column: str, numbers: pd.Series) -> pd.Series:
    """The same numbers. UserError for one that is infinite, rounded, or beyond what can be squared; and for differences below that."""
    size, spread = numbers.abs().to_numpy(), numbers.max() - numbers.min()

    def where(wrong: np.ndarray) -> str:
        row = int(wrong.argmax())
        return f"{raw.place(row, column)}: {str(raw.frame[column].iloc[row])!r}"

    if np.isinf(size).any():
        raise UserError(
            f"{where(np.isinf(size))} is not a finite number; correct it, or list it in tables.{raw.name}.missing."
        )
    if (size > _LARGEST).any():
        raise UserError(f"{where(size > _LARGEST)} is too large to compute with: divide the column by a constant.")
    if 0 < spread < 1 / _LARGEST:
        raise UserError(
            f"Column {column!r} of {raw.table.file} differs by less than can be computed with: multiply it by a constant."
        )
    if raw.frame[column].dtype != np.float64:
        beyond = raw.frame[column][size > 2**53]
        lost = beyond[[bool(_WHOLE.fullmatch(text)) and int(text) != float(text) for text in beyond]]
        if len(lost):
            raise UserError(
                f"{where(raw.frame.index.isin(lost.index))} is a whole number beyond 2^53, which would be rounded: list the column in "
                f"tables.{raw.name}.drop."
            )
    return numbers


def _days(raw: Columns, column: str, values: pd.Series) -> pd.Series:
    """Days since 1970-01-01 of a column of dates in its declared format."""
    if values.dtype == np.float64:
        values = values.map("{:.17g}".format, na_action="ignore")
    form = raw.table.dates[column]
    days = pd.to_datetime(values, format=form, errors="coerce", utc=True)
    wrong = (days.isna() & values.notna()).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise UserError(
            f"{raw.place(row, column)}: {values.iloc[row]!r} is no date in the format {form!r}: correct tables.{raw.name}.dates."
        )
    try:
        return (days - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    except pd.errors.OutOfBoundsDatetime:
        row = int((days.dt.year - 1970).abs().to_numpy().argmax())
        raise UserError(
            f"{raw.place(row, column)}: {values.iloc[row]!r} is too far from 1970: correct it, or list it in tables.{raw.name}.missing."
        ) from None


def _fit(values: pd.Series, form: str) -> bool:
    """Whether all values are dates in this format."""
    return bool(pd.to_datetime(values, format=form, errors="coerce", utc=True).notna().all())
