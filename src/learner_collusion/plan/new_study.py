"""Write the preset of a study of your own table, say what was read of it, and print the command that runs it.

Example: learner-collusion new-study houses.csv --target price
"""

import argparse
import ast
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

PRESET, SMALL = "study.yaml", "small.yaml"
# Laid over the preset: whether all is right, in a fraction of the time. The betas show where diversity begins to grow.
_SMALL_TEXT = """\
tabular:
  runs: 3
  betas: [0, 0.5, 0.8, 0.9, 1]
  training: {max_epochs: 20}
  tuning: {trials: 4, initial_points: 2}
"""
# Values of the keys that a sentence may say to set, where one stands for all.
_EXAMPLES = {
    "drop": "[a column]",
    "missing": "[a word]",
    "categorical": "[a column]",
    "columns": "[the first, the second]",
    "thousands": '","',
    "decimal": '","',
    "separator": '";"',
    "encoding": "latin-1",
}


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
    """Read the table once, write the preset, and print what to do next; 1 where the preset has to be completed first.

    Errors: UserError, with nothing written, where there is no such file or the target is none.
    """
    if not options.target:
        raise UserError("--target is empty: name the column to predict.")
    try:
        address = urlsplit(options.table)
    except ValueError as error:
        raise UserError(f"{options.table!r} is neither a file nor an address ({error}): correct it.") from None
    is_address = address.scheme in ("http", "https", "ftp", "file")
    if not is_address and not Path(options.table).is_file():
        raise UserError(f"{options.table} is not a file: correct the path.")
    file = unquote(PurePosixPath(address.path).name) if is_address else Path(options.table).name
    stem = re.sub(r"(\.(csv|tsv|txt|data|parquet|pq|gz))+$", "", file, flags=re.IGNORECASE)
    name = name_of(stem)
    directory = options.directory or Path(name)
    preset, small = directory / PRESET, directory / SMALL
    if preset.exists():
        raise UserError(f"{preset} exists: edit it, delete it, or give another --directory.")
    if small.exists() and small.read_text(encoding="utf-8") != _SMALL_TEXT:
        raise UserError(
            f"{small} exists, and new-study writes a file of that name: rename it, or give another --directory."
        )
    whole, first = (
        _command(name, directory, directory, PRESET),
        _command(name, directory, directory / "small", PRESET, SMALL),
    )
    title = f"title: {_quoted(stem)}, " if stem != name else ""

    def entry(place: str, more: str = "") -> str:
        return f"{_quoted(name)}: {{{title}file: {_quoted(place)}, target: {_quoted(options.target)}{more}}}"

    # before anything is written: a wrong target is typed again, and a preset that is there would be in the way
    known = options.table if is_address else os.path.abspath(options.table)
    summary, wrong = _read(_text(name, stem, entry(known), []), name, options.target)
    where = options.table if is_address else _path_from(directory, Path(options.table))
    write_text(small, _SMALL_TEXT)
    write_text(preset, _text(name, stem, entry(where), [whole, first]))
    print(f"{preset} is written.\n")
    if wrong:
        print(f"It does not run yet: {wrong}\n")
        key = _first_key(wrong, name)
        if key in _EXAMPLES:
            print(f"Complete its line `{name}:`, such as\n\n  {entry(where, f', {key}: {_example(key, wrong)}')}\n")
        elif key:
            print(f"Complete its line `{name}:` in {preset}.")
        print("docs/your-data.md has all keys. Then run")
    else:
        print(summary)
        print(f"\nTo change how it is read, edit the line `{name}:` in {preset}. To tune, train, plot and judge, run")
    print(f"\n{whole}\n\nor at first a small run, with what {small} makes smaller:\n\n{first}")
    return int(bool(wrong))


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


def _text(name: str, stem: str, entry: str, commands: list[str]) -> str:
    lines = "\n\n".join(commands).splitlines()
    comment = "".join(f"#     {line}".rstrip() + "\n" for line in lines)
    return (
        f"# A study of {stem}: docs/your-data.md has the keys that can stand here. To tune, train, plot and judge, the whole\n"
        f"# or at first a small run:\n#\n{comment}"
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


def _command(name: str, presets: Path, folder: Path, *files: str) -> str:
    """The command that runs the study in `folder`, with these files of the folder `presets`."""
    snakefile = configuration.REPOSITORY / "Snakefile"
    if not snakefile.exists():
        raise UserError(
            "The workflow is not here: clone the repository, and run this from its environment (make setup)."
        )
    here = Path(os.path.relpath(snakefile))
    chosen = "" if str(here) == "Snakefile" else f"--snakefile {shlex.quote(str(snakefile))} "
    place = shlex.quote(str(folder))
    given = " ".join(shlex.quote(str(presets / file)) for file in files)
    return (
        f"learner-collusion run --title {name} --results {place}/results --log {place}/run.log -- \\\n"
        f"  snakemake {chosen}--cores all --configfile {given} --directory {place}"
    )


def _read(preset: str, name: str, target: str) -> tuple[str, str]:
    """The summary of the table that a preset declares, as the workflow will read it, or else what is wrong with it.

    Errors: UserError where that is the target.
    """
    from ..data import sources, splits, tabular
    from ..data.declared import Table
    from ..records import parquet

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, PRESET)
        write_text(path, preset)
        config = configuration.load_all([configuration.PAPER, path])
        paper = configuration.load(configuration.PAPER)
        given = settings.take(config, paper, "fetch", name)
        declared = {key: value for key, value in settings.take(config, paper, "prepare", name).items() if key != "kind"}
        raw = Path(folder, given["file"])
        prepared = Path(folder, "prepared.parquet")
        try:
            sources.fetch_own(raw, given.get("path"), given["file"], given["url"], given["retries"], given["timeout"])
            summary = tabular.prepare(raw, prepared, name, settings.convert(declared, Table))
            splits.part_sizes(given["file"], parquet.read_metadata(prepared)["rows"], config["tabular"]["split"])
            return summary, ""
        except UserError as error:
            said = str(error)
    lacks = f"no column {target!r}, which tables.{name} names"
    if lacks in said or _first_key(said, name) == "target":
        said = said.replace(lacks, f"no column {target!r}, which --target names")
        raise UserError(said.replace(f"tables.{name}.target", "--target"))
    return "", said


def _example(key: str, sentence: str) -> str:
    """The value of a key that a sentence speaks of, else one that stands for all."""
    patterns = {
        "thousands": r"\.thousands to ('.'|\".\")",
        "decimal": r"\.decimal to ('.'|\".\")",
        "encoding": r"\.encoding, such as ([\w-]+)",
        "drop": r"[Cc]olumn ('.*?'|\".*?\")(?=:| of )",
        "categorical": r"[Cc]olumn ('.*?'|\".*?\")(?=:| of )",
        "missing": r"[Cc]olumn (?:'.*?'|\".*?\"): ('.*?'|\".*?\") is not",
    }
    found = re.search(patterns.get(key, "$^"), sentence)
    if not found:
        return _EXAMPLES[key]
    value = found[1]
    if value[0] in "'\"":  # as Python writes a word
        value = ast.literal_eval(value)
    if key in ("thousands", "decimal"):
        return json.dumps(value)
    return f"[{_quoted(value)}]" if key in ("drop", "categorical", "missing") else value


def _first_key(sentence: str, name: str) -> str:
    """The key of the table that a sentence says to set; the first, where it offers several."""
    found = re.search(rf"tables\.{re.escape(name)}\.(\w+)", sentence)
    return found[1] if found else ""
