"""Who makes what, as the configuration and the code have it now: the settings and the fingerprint of each job, and of those that
make its inputs. The workflow hands them to its jobs, which compare (`records.identity`)."""

import argparse
import functools
from collections.abc import Callable

from ..data.registry import IMAGE_SOURCES
from ..errors import UserError
from ..figures.registry import FIGURES
from ..models.registry import builder_code
from ..publishing.registry import TABLES
from ..training.registry import learner_code
from . import cells, families, parts, sensitivity
from .provenance import fingerprint
from .settings import take


def roots(stage: str, name: str, settings: dict) -> tuple[str, ...]:
    """The roots of the code of a job (`provenance.fingerprint`): of its stage, and of what that picks by name."""
    whole, first = f"stages.{stage}", name.split("/")
    if stage in ("fetch", "prepare"):  # of one kind of data set
        kind = settings["kind"]
        read = {"fetch": "fetch", "prepare": "read"}[stage]
        source = (f"data.{_source(settings)}:{read}",) if kind == "images" else ()
        return (f"{whole}:{stage}_{kind}", *source, f"{whole}:run!")
    if stage == "aggregate":
        return (f"{whole}:{first[0]}", f"{whole}:run!")
    if stage == "claims":
        own = ("combine",) if name == "all" else (f"judge_{name}",)
        judges = () if name == "all" else (f"claims.{name}",)
        return (*(f"{whole}:{function}" for function in own), *judges, f"{whole}:run!")
    if stage == "figure":
        return (whole, f"figures.{FIGURES[name].draw}")
    if stage == "table":
        model = TABLES[name].model
        return (whole, f"publishing.{TABLES[name].make}", *(builder_code(model) if model else ()))
    if stage == "illustrate":
        return (whole,)
    if stage in ("train_images", "train_imagenet"):
        return (whole, *builder_code(first[2 if stage == "train_images" else 1]))
    learner = settings.get("train_tabular", settings).get("learner")
    return (whole, *learner_code(learner))


def _source(settings: dict) -> str:
    name = settings.get("source")
    if name not in IMAGE_SOURCES:
        raise UserError(f"The image source {name!r} is unknown: choose one of {', '.join(IMAGE_SOURCES)}.")
    return IMAGE_SOURCES[name]


def code(stage: str, name: str, settings: dict) -> str:
    """The fingerprint of the code of a job."""
    return fingerprint(*roots(stage, name, settings))


def part_of(stage: str, name: str) -> str | None:
    """The part of a stage's settings that a job reads; None where it reads none."""
    first = name.split("/")
    if stage in ("tune", "train_tabular", "evaluate", "illustrate"):
        return ""
    if stage == "aggregate":
        return "sensitivity" if first[0] == "sensitivity" else None
    if stage in ("train_images", "train_imagenet"):
        return "-".join(first[:2])
    return None if (stage, name) == ("claims", "all") else name


def job(options: argparse.Namespace, stage: str, name: str, settings: dict | None = None):
    """The job that a command was called for, as `records.identity` has it; `settings` as they were read.

    Errors: UserError where the workflow has planned it with other code.
    """
    from ..records.identity import Job, digest, key
    from ..seals import checksum

    found, planned = (digest(settings), code(stage, name, settings or {})), dict(options.planned or [])
    # The settings were compared when they were read.
    if planned and planned[key(stage, name)].rpartition("/")[2] != found[1]:
        raise UserError("The code has changed since this job was planned: run the workflow again.")
    file = options.settings if planned and settings is not None else None
    return Job(stage, name, *found, planned, file, checksum(file) if file else None)


def recorded(found, records: list[str]) -> list:
    """The records of a figure, a table or of claims as inputs of their job (or of none): by hand they may be any records, and lie
    anywhere. The functions that read them trust this check, and take records that are published without a seal."""
    from ..records.identity import Input

    planned = found is not None and found.planned
    return [Input(path, "aggregate", name_of(path)) if planned else Input(path) for path in records]


def planner(config: dict, paper: dict) -> Callable[[str, str], list[str]]:
    """A function of (stage, name) that gives what a job is planned with, as the option `--planned` takes it: the settings and the
    code of the job itself, then of those that make its inputs."""
    from ..records.identity import digest, key

    @functools.cache
    def of(found: str, stage: str, name: str) -> str:
        part = part_of(stage, name)
        settings = None if part is None else take(config, paper, stage, part)
        return f"{found}={digest(settings)}/{code(stage, name, settings or {})}"

    @functools.cache
    def planned(stage: str, name: str) -> tuple[str, ...]:
        jobs = [(stage, name), *_makers(config, stage, name)]
        return tuple(dict.fromkeys(of(key(*one), *_shared(*one)) for one in jobs))

    return lambda stage, name: list(planned(*_shared(stage, name)))


def _shared(stage: str, name: str) -> tuple[str, str]:
    """A job by what decides its settings and its code, so that those of thousands of cells are worked out once."""
    kept = {"train_images": 3, "train_imagenet": 2}.get(stage)
    return stage, "/".join(name.split("/")[:kept]) if kept else name


def _makers(config: dict, stage: str, name: str) -> list[tuple[str, str]]:
    """(stage, name) of the jobs that make the inputs of a job."""
    first, datasets = name.split("/"), config["tabular"]["datasets"]
    if stage in ("tune", "train_tabular"):
        return [("prepare", name), *([("tune", name)] if stage == "train_tabular" else [])]
    if stage == "evaluate":
        return [("train_tabular", name)]
    if stage == "sensitivity":
        shared = [(stage, "") for stage in ("tune", "train_tabular", "evaluate")]
        return [*(("prepare", dataset) for dataset in datasets), *shared]
    if stage in ("train_images", "train_imagenet"):
        return [("prepare", first[1 if stage == "train_images" else 0])]
    if stage == "claims" and name == "all":
        return [("claims", part) for part in config["parts"] if part in parts.JUDGED]
    if stage == "aggregate":
        return {
            "tabular": lambda: [("evaluate", "")],
            "sensitivity": lambda: [
                ("aggregate", "tabular"),
                *(("sensitivity", variant) for variant in sensitivity.variants(config)),
            ],
            "images": lambda: _names(cells.cells(config, first[1:] or config["images"]["enabled"]), "train_images"),
            "imagenet": lambda: _names(cells.imagenet(config, first[1:]), "train_imagenet"),
        }[first[0]]()
    return [("aggregate", name_of(path)) for path in records_of(config, stage, name)]


def _names(histories: list[str], stage: str) -> list[tuple[str, str]]:
    return list(dict.fromkeys(_shared(stage, cells.name_of(path)) for path in histories))


def records_of(config: dict, stage: str, name: str) -> list[str]:
    """The records that a figure, a table or a part of the claims reads."""
    if stage == "figure":
        sources = families.sources(config, FIGURES[name])
    elif stage == "table":
        sources = [(TABLES[name].part, None)] if TABLES[name].reads else []
    else:
        sources = [(name, None)] if stage == "claims" else []
    return [path for path in (parts.records(*source) for source in sources) if path]


def name_of(records: str) -> str:
    """What `aggregate` calls the records at a path of the workflow."""
    return records.removeprefix("results/records/").removesuffix(".parquet")
