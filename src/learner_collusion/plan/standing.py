"""Whether finished files are what this run would make, by what they say of themselves.

Snakemake goes by times, and by what it has written down in `.snakemake`. Neither tells of files that were copied with their times, as
by a backup, of results that were moved without that folder, of an own table that was replaced by an older one, or of `--touch`. No job
would run then, and no reader look at anything. Only what stands at the end of a file is read, so this takes well under a millisecond a
file; whether its bytes are whole is for its reader.
"""

import json
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

from .. import seals
from ..records import identity


def not_as_planned(jobs: Iterable) -> str:
    """A sentence, where the files of these jobs of Snakemake are not those that they would make; else empty."""
    wrong, anew = {}, set()
    for job in jobs:
        outputs = list(map(str, job.output))
        found = [(path, what) for path in outputs if (what := _difference(path, job))]
        if found:
            wrong[found[0][0]] = found[0][1], set(map(str, job.input))
            anew.update(outputs)
    # What is made from them is made anew with them. Deleted alone they would not be: Snakemake wants no file whose readers finished.
    first = sorted(path for path, (_, inputs) in wrong.items() if inputs.isdisjoint(anew))
    if not first:
        return ""
    more = f" ({len(wrong):,} files are not this run's)" * (len(wrong) > 1)
    return (
        f"{first[0]} {wrong[first[0]][0]}{more}, as after files were copied or .snakemake was removed: "
        f"run the same command with --forcerun {' '.join(first)}"
    )


def _difference(path: str, job) -> str:
    """What is wrong with a finished file, empty if nothing is known to be."""
    params = dict(job.params.items())
    if "text" in params:  # a settings file
        if not os.path.isfile(path):
            return "is missing"  # deleted, as a job may have asked for
        with open(path, "rb") as file:
            return "" if file.read() == str(params["text"]).encode() else "holds other settings than this run's"
    if not os.path.isfile(path):  # data that was deleted to save room
        return ""
    try:
        _, made = told(path)
    except (OSError, ValueError, KeyError, TypeError):
        return "is damaged"
    if made is None or not params.get("planned"):
        return ""
    settings, _, code = str(next(iter(params["planned"]))).rpartition("=")[2].partition("/")
    if made["settings"] != settings:
        return "was made with other settings than this run's"
    if made["code"] != code:
        return "was made with other code than this run's"
    inputs = set(map(os.path.normpath, map(str, job.input)))
    for name, checksum in made["inputs"].items():
        place = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if place not in inputs:
            return f"was made from {place}, so it is another file in its place"
        if os.path.isfile(place) and _told_sum(place) not in (None, checksum):
            return f"was made from another {place} than the one that lies there now"
    own = made.get("origin", {}).get("path")
    if own and os.path.isfile(own) and seals.checksum(own) != _told_sum(path):
        return f"is a copy of {own} from before it was changed"
    return ""


def told(path: str) -> tuple[str | None, dict | None]:
    """(the checksum that a file says it has, what it says of who made it), None where it says nothing; neither is compared with
    its bytes. OSError, ValueError, KeyError or TypeError where it cannot be read."""
    suffix = Path(path).suffix
    if suffix == ".parquet":
        from ..records import parquet

        return parquet.told(path)
    if suffix == ".npz":
        try:
            with zipfile.ZipFile(path) as archive:
                seal = archive.comment.decode("ascii").rpartition(":")[2] or None
                return seal, json.loads(archive.read("description.json")).get("made")
        except zipfile.BadZipFile as error:
            raise ValueError(str(error)) from None
    if suffix == ".png":
        from PIL import Image

        with Image.open(path) as picture:
            text = picture.info.get(identity.MADE)
        return None, json.loads(text) if text else None
    beside = Path(path + identity.BESIDE)
    if not beside.exists():
        return None, None
    known = json.loads(beside.read_text(encoding="utf-8"))
    return known["sha256"], known["made"]


def _told_sum(path: str) -> str | None:
    try:
        return told(path)[0]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # its own job tells
