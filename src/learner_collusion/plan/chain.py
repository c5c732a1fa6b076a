"""Print what a figure, a table, a file of claims or any other file of the results was made from, down to the raw files.

Example: learner-collusion provenance results/figures/fig2_diversity.pdf

For each file: the stage that made it, its settings, code, versions and checksum, and whether that is what lies on the disk
now. The status is 1 where something no longer fits.
"""

import argparse
import json
import os
import re
import textwrap
from pathlib import Path

from .. import seals
from ..errors import UserError
from ..records import identity
from . import makers

_WIDTH = 100
_KEYS = 13  # columns of the names before the values


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("file", metavar="FILE", help="a file below results/")
    parser.add_argument(
        "--json", action="store_true", help="for machines: a list of files, each with what it was made from"
    )


def run(options: argparse.Namespace) -> int:
    """Print the chain; 1 where a link is broken."""
    files = chain(options.file)
    print(json.dumps(files, indent=1) if options.json else as_text(files))
    return int(any(not one["fits"] for one in files))


def chain(path: str) -> list[dict]:
    """The file and all that it was made from, each file once, the nearest first.

    A file has its `file`, `fits` (whether all of what follows is as it was), `checksum` (`state` says what of it is wrong), and
    where it tells who made it `stage`, `name`, `settings`, `code`, `versions`, what else is known of `seed`, `engine` and
    `device`, and `inputs`; a raw file its `origin`, which for a file of the user's is compared with what lies there now. UserError where the first file is missing or tells nothing.
    """
    if not Path(path).exists():
        raise UserError(f"{path} does not exist: name a file below results/.")
    found, queue = {}, [(os.path.normpath(path), None)]
    while queue:
        file, wanted = queue.pop(0)
        if file in found:
            if wanted and found[file]["checksum"] not in (wanted, None):
                found[file] |= {"fits": False, "state": "not the file that the others were made from"}
            continue
        found[file], inputs = _link(file, wanted)
        queue += inputs
    first = next(iter(found.values()))
    if "stage" not in first and first["fits"]:
        raise UserError(
            f"{path} does not tell what made it: name a figure, a table, records or claims that this version has made."
        )
    return list(found.values())


def _link(file: str, wanted: str | None) -> tuple[dict, list[tuple[str, str]]]:
    """One file of a chain, and (path, checksum) of its inputs. `wanted`: the checksum that it had."""
    one = {"file": file, "fits": False, "checksum": wanted}
    if not os.path.exists(file):
        return one | {"state": "no longer there"}, []
    try:
        seen = _look(file)
    except UserError as error:
        return one | {"checksum": None, "state": str(error).removeprefix(f"{file} ")}, []
    fits = wanted in (None, seen.checksum)
    one |= {"fits": fits, "checksum": seen.checksum, "state": "fits" if fits else "not the file that was read"}
    if seen.made is None:
        return one, []
    made, folder = seen.made, os.path.dirname(file)
    one |= {key: made[key] for key in ("stage", "name", "settings", "code")}
    one |= _known(file)
    one["versions"] = made["versions"] | one.get("versions", {})
    if "settings_file" in made:
        path = os.path.normpath(os.path.join(folder, made["settings_file"]))
        settings = _settings(path)
        same = settings is not None and identity.digest(settings) == made["settings"]
        one |= {"settings_file": path, "settings_fit": same}
        if same:
            one |= {"seed": settings["seed"]} if "seed" in settings else {}
            one["code_fits"] = makers.code(made["stage"], made["name"], settings) == made["code"]
    elif makers.part_of(made["stage"], made["name"]) is None:
        one["code_fits"] = makers.code(made["stage"], made["name"], {}) == made["code"]
    one["fits"] &= one.get("settings_fit", True) and one.get("code_fits", True)
    if origin := made.get("origin"):
        one["origin"] = origin["where"]
        if "path" in origin and seen.checksum != (now := _now(origin["path"])):
            changed = "which is no longer there" if now is None else "which has changed since: run the workflow again"
            one |= {"fits": False, "origin": f"{origin['where']}, {changed}"}
    inputs = [(os.path.normpath(os.path.join(folder, path)), known) for path, known in made["inputs"].items()]
    return one | {"inputs": [path for path, _ in inputs]}, inputs


def _now(path: str) -> str | None:
    """The checksum of a file of the user's, None where there is none."""
    return seals.checksum(path) if os.path.isfile(path) else None


def _look(file: str) -> identity.Seen:
    """As `identity.look`; of a figure by its PNG or PDF, of Markdown by the Parquet file of its name."""
    path = Path(file)
    if path.suffix not in (".csv", ".pdf", ".png", ".md"):
        return identity.look(file, published=True)
    plain = identity.look(file)
    if plain.made:  # a raw file
        return plain
    holder = path if path.suffix == ".png" else path.with_suffix(".parquet" if path.suffix == ".md" else ".png")
    made = None
    if holder.exists():
        made = _of_picture(holder) if holder.suffix == ".png" else identity.look(holder, published=True).made
    elif path.suffix == ".pdf":
        made = _of_pdf(path)
    known = (made or {}).get("beside", {}).get(path.name)
    if known not in (None, plain.checksum):
        raise UserError(f"{file} is not as it was written: delete it and run the workflow again to make it anew.")
    return identity.Seen(plain.checksum, made)


def _of_picture(path: Path) -> dict | None:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            text = picture.info.get(identity.MADE)
            picture.load()  # looks at the checksums of the format
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and run the workflow again to make it anew.") from None
    return json.loads(text) if text else None


def _of_pdf(path: Path) -> dict | None:
    found = re.search(rb"/Keywords \((.*?)(?<!\\)\)", path.read_bytes(), re.DOTALL)
    try:
        return json.loads(re.sub(r"\\(.)", r"\1", found[1].decode())) if found else None
    except ValueError:
        raise UserError(f"{path} is damaged: delete it and run the workflow again to make it anew.") from None


def _known(file: str) -> dict:
    """What records tell of themselves."""
    if not file.endswith(".parquet"):
        return {}
    from ..records import parquet

    metadata = parquet.read_metadata(file, published=True)
    settings = metadata.get("settings")
    found = {
        "seed": settings.get("seed") if isinstance(settings, dict) else None,
        "engine": metadata.get("engine"),
        "device": metadata["hardware"].get("device") if isinstance(metadata.get("hardware"), dict) else None,
        "versions": metadata.get("provenance"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _settings(path: str) -> dict | None:
    from .configuration import load

    try:
        return load(path) if os.path.exists(path) else None
    except UserError:
        return None


def as_text(files: list[dict]) -> str:
    """The chain for people, a paragraph a file, in lines of at most 100 columns where paths allow it."""
    number = {one["file"]: str(place) for place, one in enumerate(files, 1)}
    return "\n\n".join(_paragraph(one, number) for one in files)


def _paragraph(one: dict, number: dict[str, str]) -> str:
    rows = [("checksum", f"{one['checksum'] or 'none'}, {one['state']}")]
    if "stage" in one:
        rows.insert(0, ("made by", f"{one['stage']}, for {one['name']}"))
        place = one.get("settings_file")
        told = "" if place is None else f", as in {place}" if one["settings_fit"] else f", not those of {place} now"
        rows.append(("settings", "none" if one["settings"] == identity.digest(None) else one["settings"] + told))
        known = {True: ", as it is now", False: ", which has changed since"}
        rows.append(("code", one["code"] + known.get(one.get("code_fits"), "")))
        rows += [(name, str(one[name])) for name in ("seed", "engine", "device") if name in one]
        rows.append(("versions", ", ".join(f"{name} {version}" for name, version in sorted(one["versions"].items()))))
        rows.append(
            (
                "made from",
                ", ".join(number[path] for path in one["inputs"]) or one.get("origin", "nothing but its settings"),
            )
        )
    lines = [f"{number[one['file']]}  {one['file']}"]
    for name, value in rows:
        lines += textwrap.wrap(
            value,
            _WIDTH,
            initial_indent=f"   {name:{_KEYS - 3}}",
            subsequent_indent=" " * _KEYS,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
