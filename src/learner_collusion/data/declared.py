"""How a table is declared: the keys of an entry under `tables` in the configuration. Read while Snakemake parses."""

from dataclasses import dataclass, field
from typing import Literal

# Fields that count as missing, in every column, unless `missing` names others; an empty field always does.
MISSING = ("NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "?")


@dataclass(frozen=True)
class Table:
    """How a raw table is read, and what it is used for.

    `columns` names the columns of a file without a header. `separator`, `decimal` and `thousands` are one character each;
    None finds the separator in the header, and the decimal mark in all numbers of the file (always the point where commas
    separate), and takes no mark of thousands. `encoding`: None for UTF-8, or UTF-16 with a byte-order mark. `missing`: words
    that count as missing. `categorical`: columns of names; None takes each column of words for one. `dates`: columns of
    dates with their formats, as of `datetime.strptime`; they become days since 1970-01-01. `content_sha256` is the checksum
    of the content, None for any. `incomplete`, what becomes of a row in which the target or a feature is missing:
    "leave_out"; "leave_out_any", also where a dropped column has no value; or "mean", of the column in its place, where target
    and categories are there.
    """

    file: str
    target: str
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] | None = None
    log_target: bool = False
    content_sha256: str | None = None
    columns: tuple[str, ...] | None = None
    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] = MISSING
    dates: dict[str, str] = field(default_factory=dict)
    incomplete: Literal["leave_out", "leave_out_any", "mean"] = "leave_out"
