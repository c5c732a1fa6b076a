"""Tables of the configuration: what an entry leaves out, and where the user's own files lie. Read while Snakemake parses."""

import dataclasses
import datetime
import itertools
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import yaml

from ..data.declared import Table
from ..errors import UserError

# What an entry is completed with: nothing is known of the file.
_DEFAULTS = {"url": None, "sha256": None} | {
    field.name: field.default if field.default is not dataclasses.MISSING else field.default_factory()
    for field in dataclasses.fields(Table)
    if field.name not in ("file", "target")
}

# The keys of the paper's tables, which stay as they are.
_DECLARED = ("title", "url", "sha256", "content_sha256", "drop", "categorical", "log_target")


def is_own(table: Mapping) -> bool:
    """Whether the file of a table is the user's: it has no address, and no package ships it."""
    return table.get("url") is None and table.get("source") is None


def check(tables: Mapping) -> None:
    """UserError, one sentence, for what the schema cannot express of a table, and can be known without its file."""
    for name, table in tables.items():
        where = f"The configuration's tables.{name}"
        _check_place(where, table)
        _check_marks(where, table)
        columns = table.get("columns")
        if columns:
            used = [column for column in columns if column not in (*table.get("drop", ()), table["target"])]
            if table["target"] not in columns:
                raise UserError(
                    f"{where}.columns lacks the target {table['target']!r}: add it where it stands in the file."
                )
            if not used:
                raise UserError(f"{where}.drop leaves no column to learn {table['target']!r} from: name fewer.")


def _check_place(where: str, table: Mapping) -> None:
    """The raw file is kept under its name in a folder of the results, out of which that name must not lead."""
    file, url = table["file"], table.get("url")
    address = file if url is None and "://" in file else url
    try:
        parts = urlsplit(address or "")
        parts.port  # noqa: B018 (it raises, too)
    except ValueError as error:
        raise UserError(f"{where} has the address {address!r}, which is none ({error}): correct it.") from None
    if address and parts.scheme in ("http", "https", "ftp") and not parts.hostname:
        raise UserError(f"{where} has the address {address!r}, which names no host: correct it.")
    if address == file:
        name = unquote(PurePosixPath(parts.path).name) or "table"
    else:
        name = Path(file).name if is_own(table) else file
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise UserError(
            f"{where}.file is {file!r}, but must be {'the path' if is_own(table) else 'the name'} of a file"
            f"{'' if is_own(table) else ', without a folder'}: correct it there."
        )
    if "{" in name or "}" in name:  # Snakemake's marks
        raise UserError(f"{where}.file is {file!r}, but the workflow takes no braces in its name: rename the file.")
    if len(name.encode()) > 200:
        raise UserError(f"{where}.file has a name of more than 200 bytes: rename the file.")


def _check_marks(where: str, table: Mapping) -> None:
    """Separator, decimal and thousands are three different marks; the encoding and the formats of dates are known ones."""
    marks = {key: table.get(key) for key in ("separator", "decimal", "thousands") if table.get(key)}
    for (one, mark), (other, same) in itertools.combinations(marks.items(), 2):
        if mark == same:
            raise UserError(
                f"{where}.{one} and {where.rpartition(' ')[2]}.{other} are both {mark!r}: correct one of them."
            )
    separator = marks.get("separator", ",")
    if separator.isalnum() or separator in '"\n\r\0+-':
        raise UserError(f"{where}.separator is {separator!r}, which parts no columns: correct it there.")
    try:
        "a".encode(table.get("encoding") or "utf-8")
    except (LookupError, ValueError):
        raise UserError(f"{where}.encoding is {table['encoding']!r}, which is unknown: correct it there.") from None
    for column, form in (table.get("dates") or {}).items():
        try:
            datetime.datetime.strptime("", form)
        except (ValueError, re.error, IndexError) as error:
            if "does not match format" not in str(error):
                raise UserError(
                    f"{where}.dates.{column} is {form!r}, which is no format of dates: correct it there."
                ) from None


def file_name(table: Mapping) -> str:
    """The name of the raw file of a table, without its folder."""
    return Path(table["file"]).name


def not_there(config: Mapping, names: Iterable[str]) -> str:
    """A sentence on the first of these tables whose own file is missing, unless the workflow has a copy of it, or has a path
    that Snakemake cannot take; else empty."""
    for name in names:
        table = config["tables"].get(name)
        if not table or not is_own(table):
            continue
        if set("{}") & set(path := os.path.relpath(table["file"])):
            return (
                f"{path}, the file of tables.{name}, has braces, which Snakemake takes for its own: rename its folder."
            )
        if Path(table["file"]).is_file():
            continue
        if not Path("results/datasets/raw", name, file_name(table)).exists():
            return (
                f"{table['file']} does not exist, which tables.{name}.file names: correct it there; a relative path counts "
                "from the folder of that preset."
            )
    return ""


def own_names(config: Mapping, paper: Mapping) -> list[str]:
    """The studied tables that the paper's configuration does not declare."""
    return [name for name in config["tabular"]["datasets"] if name not in paper["tables"]]


def complete(config: dict, paper: Mapping, files: Iterable[str | Path], start: str | Path) -> dict:
    """The configuration with all keys of all tables, and with the absolute paths of the user's own files.

    `files` are those of the configuration: a relative path counts from the folder of the last one that names it, else from
    `start`. Tables of the paper stay as they are. Errors: UserError where a table of the user's has the name of one of the
    paper's, whose other keys it would take.
    """
    tables = {}
    for name, table in config["tables"].items():
        known = paper["tables"].get(name)
        if (
            known
            and table["file"] != known["file"]
            and all(table.get(key) == known.get(key) for key in ("url", "source"))
        ):
            raise UserError(
                f"The configuration's tables.{name} is a table of this project, and its file is {known['file']}: give the table "
                f"of {table['file']} another name."
            )
        whole = not is_own(table) and set(_DECLARED) <= set(table)
        tables[name] = table if whole else _completed(name, table, files, start)
    return {**config, "tables": tables}


def _completed(name: str, table: Mapping, files: Iterable[str | Path], start: str | Path) -> dict:
    found = {"title": name, **{key: value for key, value in _DEFAULTS.items() if key != "missing"}} | dict(table)
    found["missing"] = [str(word) for word in table.get("missing", _DEFAULTS["missing"])]
    found = {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}
    address = urlsplit(found["file"])
    if address.scheme in ("http", "https", "ftp", "file") and found["url"] is None:
        found |= {"url": found["file"], "file": unquote(PurePosixPath(address.path).name) or "table"}
    elif is_own(found):
        folders = [Path(path).parent for path in files if _file_of(path, name) == found["file"]]
        path = Path(start, *folders[-1:], os.path.expanduser(found["file"]))
        found["file"] = os.path.abspath(path)
    return found


def _file_of(path: str | Path, name: str) -> str | None:
    """The file of a table as one file of the configuration has it."""
    text = Path(path).read_text(encoding="utf-8")
    held = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for key in ("tables", name, "file"):
        held = held.get(key) if isinstance(held, Mapping) else None
    return held
