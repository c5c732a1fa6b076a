"""Tables of the configuration: what an entry leaves out, and where the user's own files lie. Read while Snakemake parses."""

import dataclasses
import os
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


def file_name(table: Mapping) -> str:
    """The name of the raw file of a table, without its folder."""
    return Path(table["file"]).name


def not_there(config: Mapping, names: Iterable[str]) -> str:
    """A sentence on the first of these tables whose own file is missing, unless the workflow has a copy of it; else empty."""
    for name in names:
        table = config["tables"].get(name)
        if not table or not is_own(table) or Path(table["file"]).is_file():
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
