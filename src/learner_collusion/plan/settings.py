"""Each stage's part of the configuration: taken out by the workflow or by a command, and read into a frozen dataclass.

A stage's settings are one YAML mapping, `results/settings/<stage>[/<part>].yaml` in the workflow. A change to the configuration
changes the files of the stages that it concerns, and only those run again.
"""

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..claims.catalogue import CLAIMS, PARTS
from ..errors import UserError
from ..figures.registry import FIGURES
from ..models.registry import MODELS, title
from ..publishing.registry import TABLES
from . import configuration, fidelity, sensitivity
from .parts import RECORDED

T = TypeVar("T")
VARIED = ("prepare", "tune", "train_tabular", "evaluate")  # by `sensitivity`, in the order of the data


def take(config: dict, paper: dict, stage: str, part: str = "") -> dict:
    """The settings of a stage; `part` names the data set, figure, table, part of the paper, or `<protocol>-<dataset>`."""
    return _TAKE[stage](config, paper, part)


def _fetch(config: dict, paper: dict, part: str) -> dict:
    network = {key: config["datasets"][key] for key in ("retries", "timeout")}
    if part in config["tables"]:
        table = config["tables"][part]
        return {"kind": "table", **{k: table[k] for k in ("source", "url", "file", "sha256") if k in table}, **network}
    source = _image_set(config, part)
    missing = config["images"]["missing"]
    return {"kind": "images", "source": source["source"], "md5": source.get("md5", {}), "missing": missing, **network}


def _prepare(config: dict, paper: dict, part: str) -> dict:
    if part in config["tables"]:
        table = config["tables"][part]
        return {"kind": "table", **{k: v for k, v in table.items() if k not in ("title", "source", "url", "sha256")}}
    images = _image_set(config, part)
    return {"kind": "images", **{k: images[k] for k in ("source", "classes", "train", "test", "content_sha256")}}


def _image_set(config: dict, name: str) -> dict:
    if name not in config["images"]["datasets"]:
        known = [*config["tables"], *config["images"]["datasets"]]
        raise UserError(f"The data set {name!r} is not declared in the configuration: choose from {', '.join(known)}.")
    return config["images"]["datasets"][name]


def _tabular(*keys: str):
    def found(config: dict, paper: dict, part: str) -> dict:
        own = config["tabular"]
        learner = {key: own[key] for key in ("learner", "learner_options") if key in own}
        trained = "training" in keys and learner.get("learner")  # else the MLPs', which need no word
        return {"seed": config["seed"], **{key: own[key] for key in keys}, **(learner if trained else {})}

    return found


def _train_images(config: dict, paper: dict, part: str) -> dict:
    protocol, _, dataset = part.partition("-")
    if protocol not in config["images"]["protocols"]:
        choices = ", ".join(config["images"]["protocols"])
        raise UserError(f"The protocol {protocol!r} is not declared in the configuration: choose from {choices}.")
    images = _image_set(config, dataset)
    return {
        "seed": config["seed"],
        "protocol": configuration.protocol(config, protocol),
        "precision": config["images"]["hardware"]["precision"],
        "dataset": {key: images[key] for key in ("classes", "mean", "std")},
    }


def _figure(config: dict, paper: dict, part: str) -> dict:
    figure = FIGURES[part]
    experiments = [figure.experiment] if figure.experiment else []
    experiment = config["images"]["experiments"][figure.experiment] if figure.experiment else None
    draws = figure.draw.startswith("collusion:")
    note = configuration.note(config, paper, *(["illustration"] if draws else _concerns(figure.part, experiments)))
    mark = f"Fidelity {config['fidelity']!r}, not the paper's: see this file's metadata."
    return {
        "note": note,
        "mark": mark if note else "",  # what the figure itself says of it
        "titles": _titles(config, figure.part) | _model_titles(config, experiments),
        "experiment": experiment,
        "evaluate_every": configuration.protocol(config, experiment["protocol"])["evaluate_every"]
        if experiment
        else None,
        "options": figure.options,
        "seed": config["seed"],
        "illustration": config["illustration"] if draws else None,
        "made": _made(config, paper, figure.part, experiments),
    }


def _concerns(part: str, experiments: list[str]) -> list[str]:
    """What the note of a figure, or of claims, compares with the paper's settings."""
    if part in RECORDED:
        return [f"{part}.{name}" for name in experiments] if experiments else [part]
    return []


def _made(config: dict, paper: dict, part: str, experiments: list[str]) -> dict:
    """What the records of a part must have been made with; see `fidelity`."""
    if part not in ("tabular", "images"):
        return {}
    if not experiments:
        stages = ("tune", "train_tabular", "evaluate")
        made = {stage: fidelity.recorded(take(config, paper, stage)) for stage in stages}
        return {"datasets": config["tabular"]["datasets"], **made}
    used = [config["images"]["experiments"][name] for name in experiments]
    names = dict.fromkeys(f"{e['protocol']}-{dataset}" for e in used for dataset in e["datasets"])
    return {"cells": {name: take(config, paper, "train_images", name) for name in names}}


def _titles(config: dict, part: str) -> dict:
    if part in ("tabular", "sensitivity"):
        return {name: config["tables"][name]["title"] for name in config["tabular"]["datasets"]}
    if part == "images":
        return {name: known["title"] for name, known in config["images"]["datasets"].items()}
    return {}


def _model_titles(config: dict, experiments: list[str]) -> dict:
    models = {model for name in experiments for model in config["images"]["experiments"][name]["models"]}
    return {model: title(model) for model in sorted(models)}


def _table(config: dict, paper: dict, part: str) -> dict:
    table = TABLES[part]
    if table.model is None:
        note, options = configuration.note(config, paper, table.part), {}
    else:
        options, papers = (_model_options(one, table.model) for one in (config, paper))
        note = configuration.marked(config, configuration.compare("", options, papers))
    printed = {"title": table.title, "remark": table.remark}  # read from the registry; here so that a change redraws it
    own = {"seed": config["seed"], "cases": config["theory"]["cases"], "model": table.model, "options": options}
    return {"note": note, **own, **printed, "titles": _titles(config, table.part)}


def _model_options(config: dict, model: str) -> dict:
    """What a model of Tables 3 and 4 is built with: the paper trains it by the protocol of the same name."""
    protocol = configuration.protocol(config, model)
    return {key: protocol[key] for key in ("width", *MODELS[model].options) if key in protocol}


def _claims(config: dict, paper: dict, part: str) -> dict:
    enabled = config["images"]["enabled"]
    experiments = {name: config["images"]["experiments"][name] for name in enabled} if part == "images" else {}
    concerns = [*_concerns(part, list(experiments)), "claims"] if part in RECORDED else [part]
    return {
        "part": part,
        "note": configuration.note(config, paper, *concerns),
        "heading": PARTS[part],
        "titles": _titles(config, part) | _model_titles(config, list(experiments)),
        "seed": config["seed"],
        **config["claims"],
        "claims": [_entry(claim) for claim in CLAIMS if claim.part == part],
        "paper": _of_the_paper(config, paper, part),
        "runs": config["tabular"]["runs"] if part == "tabular" else None,
        "experiments": experiments,
        "cases": config["theory"]["cases"] if part == "theory" else None,
        "made": _made(config, paper, part, list(experiments)),
    }


def _sensitivity(config: dict, paper: dict, part: str) -> dict:
    """The settings of the stages that a variant makes anew, of each data set from the first one that it changes on."""
    known = sensitivity.variants(config)
    if part not in known:
        raise UserError(f"The variant {part!r} is not one of the configuration: choose from {', '.join(known)}.")
    variant = known[part]
    changed = configuration.overlay(config, variant.change)
    first, prepare = {}, {}
    for dataset in config["tabular"]["datasets"]:
        differing = [
            s for s in VARIED if _of_variant(config, paper, s, dataset) != _of_variant(changed, paper, s, dataset)
        ]
        first[dataset] = differing[0] if differing else None
        if first[dataset] == "prepare":
            prepare[dataset] = {k: v for k, v in take(changed, paper, "prepare", dataset).items() if k != "kind"}
    return {
        "variant": variant.name,
        "first": first,
        "prepare": prepare,
        **{stage: take(changed, paper, stage) for stage in VARIED[1:]},
    }


def _variants(config: dict, paper: dict, part: str) -> dict:
    """What the variants are, and how they are judged: as the configuration, since an open choice makes no data set another."""
    known = sensitivity.variants(config).values()
    described = [{"name": one.name, "shows": one.shows, "joint": one.joint} for one in known]
    return {"variants": described, "claims": take(config, paper, "claims", "tabular")}


def _of_variant(config: dict, paper: dict, stage: str, dataset: str) -> dict:
    """What decides the numbers of a stage: tuning does not look at the refit."""
    found = take(config, paper, stage, dataset)
    if stage == "tune":
        found["training"] = {k: v for k, v in found["training"].items() if k != "refit_on_train_and_validation"}
    return found


def _of_the_paper(config: dict, paper: dict, part: str) -> dict[str, list[str]]:
    """Which data sets the paper's words are about: those that it has, declared as there, wherever the file lies."""

    def declared_alike(kind: list[str], name: str) -> bool:
        ours, theirs = config, paper
        for key in (*kind, name):
            ours, theirs = ours[key], theirs.get(key, {})
        place = ("title", "url", "file", "sha256")
        return {k: v for k, v in ours.items() if k not in place} == {k: v for k, v in theirs.items() if k not in place}

    if part == "tabular":
        names = set(config["tabular"]["datasets"]) & set(paper["tabular"]["datasets"])
        return {part: sorted(name for name in names if declared_alike(["tables"], name))}
    found = {}
    for name in config["images"]["enabled"] if part == "images" else ():
        ours, theirs = (known["images"]["experiments"].get(name, {}) for known in (config, paper))
        datasets, models = (sorted(set(ours[key]) & set(theirs.get(key, []))) for key in ("datasets", "models"))
        datasets = [dataset for dataset in datasets if declared_alike(["images", "datasets"], dataset)]
        found[name] = [f"{dataset}/{model}" for dataset in datasets for model in models]
    return found


def _entry(claim) -> dict:
    return {name: dict(v) if isinstance(v, dict) else v for name, v in vars(claim).items()}


_TAKE = {
    "fetch": _fetch,
    "prepare": _prepare,
    "tune": _tabular("runs", "split", "preprocessing", "training", "tuning", "engine", "device"),
    "train_tabular": _tabular("runs", "split", "preprocessing", "training", "betas", "engine", "device"),
    "evaluate": _tabular("codependence"),
    "train_images": _train_images,
    "figure": _figure,
    "table": _table,
    "claims": _claims,
    "sensitivity": _sensitivity,
    "aggregate": _variants,
}


def as_yaml(settings: dict) -> str:
    """The text of a settings file: the same for equal settings."""
    import yaml

    return yaml.dump(
        settings, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, allow_unicode=True
    )


def add_settings_arguments(parser: argparse.ArgumentParser) -> None:
    """`--config`, for people, and `--settings`, for the workflow."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--config",
        nargs="+",
        metavar="FILE",
        help="the configuration, and presets to lay over it (default: config.yaml here, else the paper's)",
    )
    either.add_argument("--settings", metavar="FILE", help="this stage's part of it alone, as the workflow writes it")


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}, but must be at least 1")
    return number


def from_options(options: argparse.Namespace, stage: str, part: str = "") -> dict:
    """The settings of a stage as a command was given them. UserError where a file or a setting is wrong."""
    if options.settings:
        found = configuration.load(options.settings)
        if not isinstance(found, dict):
            raise UserError(f"{options.settings} holds no settings: delete it and run the workflow again.")
        return found
    return take(configured(options), configuration.load(configuration.PAPER), stage, part)


def configured(options: argparse.Namespace) -> dict | None:
    """The configuration that a command was given: by default config.yaml here, else the paper's. None with `--settings`."""
    if options.settings:
        return None
    default = Path("config.yaml")
    config = configuration.load_all(options.config or [default if default.exists() else configuration.PAPER])
    configuration.use_mirror(config, Path.cwd())
    return config


def convert(mapping: dict, kind: type[T]) -> T:
    """`mapping` as the frozen dataclass `kind`; UserError, one sentence, where a setting is missing, unknown, or has another
    type."""
    import msgspec

    try:
        found = msgspec.convert(mapping, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        place = where.strip("`").removeprefix("$").removeprefix(".")
        what = what.replace("Object missing required field", "it lacks the key")
        raise UserError(
            f"The settings{f' at {place}' if place else ''} are wrong ({what}): correct them in the configuration."
        ) from None
    if unknown := _unknown(mapping, found):
        raise UserError(f"The settings have an unknown key {unknown!r}: correct it, or remove it.")
    return found


def _unknown(mapping, found) -> str | None:
    """The path of the first key of `mapping` that has no field in what became of it."""
    if isinstance(mapping, list) and isinstance(found, list | tuple):
        inner = (_unknown(*pair) for pair in zip(mapping, found, strict=True))
        return next(filter(None, inner), None)
    if not dataclasses.is_dataclass(found):
        return None
    names = {field.name for field in dataclasses.fields(found)}
    for key, value in mapping.items():
        if key not in names:
            return key
        if below := _unknown(value, getattr(found, key)):
            return f"{key}.{below}"
    return None


def of_kind(settings: dict, **families: Callable) -> tuple[Callable, dict]:
    """The function of the kind of data set (table or images) that the settings name, and the rest of them."""
    kind = settings.get("kind")
    if kind not in families:
        raise UserError(
            f"The settings name no kind of data set ({' or '.join(families)}): correct them in the configuration."
        )
    return families[kind], {key: value for key, value in settings.items() if key != "kind"}


def parquet_beside(markdown: str, given: str | None) -> str:
    """Where the Parquet form of a Markdown file goes, unless a path is given. UserError where both would be one file."""
    parquet = given or str(Path(markdown).with_suffix(".parquet"))
    if Path(parquet) == Path(markdown):
        raise UserError(f"{markdown} cannot be both Markdown and Parquet: give --output a name that ends in .md.")
    return parquet


def minutes(text: str) -> float:
    """A time of at least 0, for argparse."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}, but must be a number of at least 0")
    return number


def results(path: str) -> str:
    """A default path of a stage's input or output, below the current folder."""
    return str(Path("results", path))
