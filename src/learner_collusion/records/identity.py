"""Who made a file, from what: written into each file of the workflow, and compared by whoever reads it.

A job begins with `begin`: each of its inputs must be whole, be what belongs in its place, be made from what lies on the disk
now, and, in the workflow, be made with the settings and the code of the present plan. What it writes says all this of itself.
By hand there is no plan, so there the settings and the code of an input may be any.

A raw file has no room for this: it has a file beside it. Figures have it among their metadata.
"""

import hashlib
import json
import os
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from .. import seals
from ..errors import UserError
from ..files import write_text

# `parquet` is imported where it is used: Snakemake reads this module while it parses, and waits for no pyarrow.

BESIDE = ".made.json"
MADE = "Provenance"  # where a PNG has it among its texts; a PDF among its keywords
_ANEW = "delete it and run the workflow again to make it anew"


@dataclass(frozen=True)
class Job:
    """A job: its stage and the name of what it makes, digests of its settings and its code.

    `planned`: by `key` the settings and the code ("<digest>/<fingerprint>") of this job and of those that made its inputs, as
    the workflow has planned them; empty by hand. `file`: its settings file, whose digest at the start is `file_sum`.
    """

    stage: str
    name: str
    settings: str
    code: str
    planned: dict[str, str] = field(default_factory=dict)
    file: str | None = None
    file_sum: str | None = None


class Input(NamedTuple):
    """A file that a job reads, and the stage and the name that must have made it; None: any."""

    path: str
    stage: str | None = None
    name: str | None = None


class Seen(NamedTuple):
    """A file as it lies there: its checksum, and what it says of who made it (None: nothing)."""

    checksum: str
    made: dict | None


@dataclass(frozen=True)
class Made:
    """What a job has begun with, to be written into its outputs. `inputs`: by path the checksum and the state of the file;
    `beside`: files that belong to an output, whose checksums it has, too."""

    job: Job
    inputs: dict[str, tuple[str, tuple]]
    beside: tuple[str, ...] = ()

    def at(self, output: str | Path) -> dict:
        """What `output` says of itself. UserError where inputs or settings changed while the job ran: then it writes nothing."""
        for path, (checksum, state) in self.inputs.items():
            if _state(path) != state and _checksum(path) != checksum:
                raise UserError(
                    f"{path} changed while this job read it, so nothing is written: run the workflow again."
                )
        from . import parquet

        job, folder = self.job, Path(output).parent
        if job.file and _checksum(job.file) != job.file_sum:
            raise UserError(f"{job.file} changed while this job ran, so nothing is written: run the workflow again.")
        found = {"stage": job.stage, "name": job.name, "settings": job.settings, "code": job.code}
        found |= {"versions": parquet.provenance()}
        found |= {"settings_file": _relative(job.file, folder)} if job.file else {}
        found["inputs"] = {_relative(path, folder): checksum for path, (checksum, _) in self.inputs.items()}
        if self.beside:
            found["beside"] = {_relative(path, folder): seals.checksum(path) for path in self.beside}
        return found


def digest(settings: dict | None) -> str:
    """Sixteen hex digits of a stage's part of the configuration; the same for the same values, however they are written."""
    text = json.dumps(settings or {}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def key(stage: str, name: str) -> str:
    """What of a stage and a name decides its settings and its code."""
    if stage in ("tune", "train_tabular", "evaluate"):  # the same for all data sets
        return stage
    if stage == "train_images":
        protocol, dataset, model = name.split("/")[:3]
        return f"{stage}/{protocol}-{dataset}/{model}"
    if stage == "train_imagenet":
        dataset, model = name.split("/")[:2]
        return f"{stage}/{dataset}-{model}"
    return f"{stage}/{name}"


def begin(job: Job | None, *inputs: Input) -> Made | None:
    """Check the inputs of a job before it starts; None without a job.

    Errors: UserError, one sentence, for the first that is missing, damaged, another file's place, made from something else than
    what lies there now, or in the workflow with other settings or code than those of the plan.
    """
    if job is None:
        return None
    states = {one.path: _state(one.path) for one in inputs}
    return Made(job, {one.path: (_checked(job, one), states[one.path]) for one in inputs})


def with_beside(made: Made | None, *paths: str | Path) -> Made | None:
    """The same with files that are written already, and belong to the output."""
    return made and replace(made, beside=(*made.beside, *map(str, paths)))


def look(path: str | Path, published: bool = False) -> Seen:
    """The checksum of a file, and what it says of who made it. UserError where it is missing or damaged; with `published` a
    Parquet file may have no seal."""
    path = Path(path)
    if path.suffix == ".parquet":
        from . import parquet

        seal, made = parquet.read_made(path, published)
        return Seen(seal or seals.checksum(path), made)
    if not path.exists():
        raise UserError(f"{path} does not exist: run the workflow to make it.")
    if path.suffix == ".npz":
        seal, fits = seals.zip_seal(path)
        if not fits:
            raise UserError(f"{path} is damaged, its checksum {'does not fit' if seal else 'is missing'}: {_ANEW}.")
        with zipfile.ZipFile(path) as archive:
            return Seen(seal, json.loads(archive.read("description.json")).get("made"))
    checksum, beside = seals.checksum(path), _beside(path)
    if not beside.exists():
        return Seen(checksum, None)
    try:
        known = json.loads(beside.read_text(encoding="utf-8"))
        fits, made = known["sha256"] == checksum, known["made"]
        right = known["seal"] == _sum_of(known)
    except (ValueError, KeyError, TypeError, AttributeError):
        right = False
    if not right:
        raise UserError(f"{beside} is damaged: delete {path} and run the workflow again to make both anew.")
    if not fits:
        raise UserError(f"{path} is damaged, its checksum does not fit: {_ANEW}.")
    return Seen(checksum, made)


def write_beside(path: str | Path, made: Made | None, origin: dict | None = None) -> None:
    """Write down who made a file that has no room for it, and where its content is from: `origin` has `where` in words, and the
    `path` of a file of the user's."""
    if made is not None:
        known = {"sha256": seals.checksum(path), "made": made.at(path) | ({"origin": origin} if origin else {})}
        write_text(_beside(Path(path)), json.dumps(known | {"seal": _sum_of(known)}, indent=1, sort_keys=True) + "\n")


def _checked(job: Job, one: Input) -> str:
    path, planned = one.path, bool(job.planned)
    seen = look(path, published=not planned)
    made = seen.made
    if made is None:
        if planned:
            raise UserError(f"{path} does not say what made it: {_ANEW}.")
        return seen.checksum
    for wanted, found in ((one.stage, made["stage"]), (one.name, made["name"])):
        if wanted not in (None, found):
            what = f"{made['stage']} made for {made['name']}"
            raise UserError(f"{path} is what {what}, in the place of {one.name} of {one.stage}: {_ANEW}.")
    if planned and one.stage != "fetch":  # how a raw file was fetched is no matter: its content is checked
        settings, _, code = job.planned[key(made["stage"], made["name"])].partition("/")
        for what, now, then in (("settings", settings, made["settings"]), ("code", code, made["code"])):
            if now != then:
                raise UserError(
                    f"{path} was made with other {what} than those of this plan, as by a job that outlived its workflow: {_ANEW}."
                )
    for other, checksum in made["inputs"].items():
        place = os.path.normpath(os.path.join(os.path.dirname(path), other))
        if os.path.exists(place) and _known(place) != checksum:
            raise UserError(f"{path} was made from another {place} than the one that lies there now: {_ANEW}.")
    return seen.checksum


_looked: dict[tuple, str] = {}  # many inputs of a job were made from one file


def _known(path: str) -> str:
    state = (path, *_state(path))
    if state not in _looked:
        _looked[state] = _checksum(path)
    return _looked[state]


def _checksum(path: str) -> str:
    return look(path, published=True).checksum


def _state(path: str) -> tuple:
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns  # the last one cannot be set back


def _relative(path: str | Path, folder: Path) -> str:
    """So that results that are moved as a whole still name what they were made from."""
    return Path(os.path.relpath(path, folder)).as_posix()


def _beside(path: Path) -> Path:
    return path.with_name(path.name + BESIDE)


def _sum_of(known: dict) -> str:
    text = json.dumps({name: known[name] for name in ("sha256", "made")}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
