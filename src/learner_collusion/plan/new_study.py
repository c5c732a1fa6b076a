"""Write the preset of a study of your own table, say what was read of it, and print the command that runs it.

Example: learner-collusion new-study houses.csv --target price
"""

import argparse
import json
import os
import re
import shlex
import tempfile
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from ..errors import UserError
from ..files import write_text
from . import configuration, settings

PRESET = "study.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("table", metavar="FILE", help="CSV or TSV, plain or gzipped, or Parquet; a path or an address")
    parser.add_argument("--target", required=True, metavar="COLUMN", help="the numbers to predict")
    parser.add_argument(
        "--directory",
        type=Path,
        help="where the preset and all results go (default: the name of the file, in this folder)",
    )


def run(options: argparse.Namespace) -> int:
    """Write the preset, read the table once, and print what to do next; 1 where the preset has to be completed first."""
    address = urlsplit(options.table)
    is_address = address.scheme in ("http", "https", "ftp", "file")
    if not is_address and not Path(options.table).is_file():
        raise UserError(f"{options.table} is not a file: correct the path.")
    file = unquote(PurePosixPath(address.path).name) if is_address else Path(options.table).name
    stem = re.sub(r"(\.(csv|tsv|txt|data|parquet|pq|gz))+$", "", file, flags=re.IGNORECASE)
    name = name_of(stem)
    directory = options.directory or Path(name)
    preset = directory / PRESET
    if preset.exists():
        raise UserError(f"{preset} exists: edit it, delete it, or give another --directory.")
    commands = _commands(name, directory)
    where = options.table if is_address else _path_from(directory, Path(options.table))
    title = f"title: {_quoted(stem)}, " if stem != name else ""
    entry = f"{_quoted(name)}: {{{title}file: {_quoted(where)}, target: {_quoted(options.target)}}}"
    write_text(preset, _text(name, stem, entry, commands))
    print(f"{preset} is written.\n")
    try:
        print(_read(preset, name))
    except UserError as error:
        print(f"It does not run yet: {error}\n\nComplete its line `{name}:`, such as")
        print(f"\n  {entry.replace('}', ', drop: [a column]}')}\n")
        print(f"docs/your-data.md has all keys. Then run\n\n{commands}")
        return 1
    print(
        f"\nTo change how it is read, edit the line `{name}:` in {preset}. To tune, train, plot and judge, run\n\n{commands}"
    )
    return 0


def name_of(stem: str) -> str:
    """The name of a table in the configuration, by that of its file: small letters, digits and underscores, and none that the
    paper's configuration has."""
    name = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_") or "table"
    paper = configuration.load(configuration.PAPER)
    taken = {*paper["tables"], *paper["images"]["datasets"]}
    return f"my_{name}" if name in taken else name


def _path_from(directory: Path, table: Path) -> str:
    """The path as the preset has it: relative where the table lies beside the folder of the study, or in it, else absolute."""
    relative = os.path.relpath(table, directory)
    return relative if relative.count("..") < 2 else os.path.abspath(table)


def _text(name: str, stem: str, entry: str, commands: str) -> str:
    comment = "".join(f"#     {line}\n" for line in commands.splitlines())
    return (
        f"# A study of {stem}: docs/your-data.md has the keys that can stand here. To tune, train, plot and judge:\n"
        f"#\n{comment}"
        f"fidelity: {_quoted(name)}\n"
        "parts: [tabular]\n"
        "tables:\n"
        f"  {entry}\n"
        f"tabular: {{datasets: [{_quoted(name)}]}}\n"
    )


def _quoted(text: str) -> str:
    """A string of the preset, in quotes where YAML would read it as something else."""
    import yaml

    plain = re.fullmatch(r"[\w./-]+( [\w./-]+)*", text) and yaml.safe_load(text) == text
    return text if plain else json.dumps(text, ensure_ascii=False)


def _commands(name: str, directory: Path) -> str:
    snakefile = configuration.REPOSITORY / "Snakefile"
    if not snakefile.exists():
        raise UserError(
            "The workflow is not here: clone the repository, and run this from its environment (make setup)."
        )
    here = Path(os.path.relpath(snakefile))
    chosen = "" if str(here) == "Snakefile" else f"--snakefile {shlex.quote(str(snakefile))} "
    folder = shlex.quote(str(directory))
    return (
        f"learner-collusion run --title {name} --results {folder}/results --log {folder}/run.log -- \\\n"
        f"  snakemake {chosen}--cores all --configfile {folder}/{PRESET} --directory {folder}"
    )


def _read(preset: Path, name: str) -> str:
    """The summary of the table that the preset declares, as the workflow will read it."""
    from ..data import sources, tabular
    from ..data.declared import Table

    config = configuration.load_all([configuration.PAPER, preset])
    paper = configuration.load(configuration.PAPER)
    given = settings.take(config, paper, "fetch", name)
    declared = {key: value for key, value in settings.take(config, paper, "prepare", name).items() if key != "kind"}
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, given["file"])
        sources.fetch_own(raw, given.get("path"), given["file"], given["url"], given["retries"], given["timeout"])
        return tabular.prepare(raw, Path(folder, "prepared.parquet"), name, settings.convert(declared, Table))
