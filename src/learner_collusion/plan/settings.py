"""Each stage's part of the configuration: taken out by the workflow or by a command, and read into a frozen dataclass.

A stage's settings are one YAML mapping, `results/settings/<stage>[/<part>].yaml` in the workflow. A change to the configuration
changes the files of the stages that it concerns, and only those run again.
"""

import argparse
import dataclasses
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from ..claims.catalogue import CLAIMS, PARTS
from ..errors import UserError
from ..figures.registry import FIGURES
from ..models.registry import MODELS
from ..publishing.registry import TABLES
from ..records.identity import digest
from . import configuration, families, sensitivity, tables
from .compare import compare, marked
from .families import FAMILIES, imagenet, images
from .parts import RECORDED

T = TypeVar("T")
VARIED = ("prepare", "tune", "train_tabular", "evaluate")  # by `sensitivity`, in the order of the data


def take(config: dict, paper: dict, stage: str, part: str = "") -> dict:
    """The settings of a stage; `part` names the data set, figure, table, part of the paper, or what is trained: `<protocol>-<dataset>`,
    `<dataset>-<model>`."""
    for family in FAMILIES.values():
        if stage in family.STAGES:
            return family.STAGES[stage](config, part)
    return _TAKE[stage](config, paper, part)


def _of_dataset(what: str):
    """The settings of a stage that makes a data set, as its family has them."""

    def found(config: dict, paper: dict, part: str) -> dict:
        return getattr(families.of_dataset(config, part), what)(config, part)

    return found


def _figure(config: dict, paper: dict, part: str) -> dict:
    figure = FIGURES[part]
    read = [source for source in families.sources(config, figure) if source[0] in RECORDED]
    own = (figure.part, figure.experiment) in read
    experiment = config["images"]["experiments"][figure.experiment] if figure.experiment and own else None
    draws = figure.draw.startswith("collusion:")
    concerns = ["illustration"] if draws else [".".join(filter(None, source)) for source in read]
    note = configuration.note(config, paper, *concerns)
    mark = f"Fidelity {config['fidelity']!r}, not the paper's: see this file's metadata."
    study = {}
    if configuration.own_study(config, paper, *concerns):  # no warning, but a label
        short = f"{note.partition(' but for')[0]} but for what report.html lists." if " but for" in note else note
        mark, study = "", {"study": short}
    return {
        "note": note,
        "mark": mark if note else "",  # what the figure itself says of it
        **study,
        "titles": {k: v for source in read for k, v in _titles(config, source[0], [source[1]]).items()},
        "experiment": experiment,
        "evaluate_every": images.protocol(config, experiment["protocol"])["evaluate_every"] if experiment else None,
        "options": figure.options,
        "seed": config["seed"],
        "illustration": config["illustration"] if draws else None,
        "made": merged(_made(config, part, [name] if name else []) for part, name in read),
    } | ({"beside": _beside(config, figure)} if figure.beside in read else {})


def _beside(config: dict, figure) -> dict:
    """The cells that stand beside a figure's own, how often they are evaluated, and after how many steps for the last time."""
    model = figure.beside[1]
    every, steps = imagenet.protocol(config, model)["evaluate_every"], imagenet.steps(config, model)
    return {"model": model, "evaluate_every": every, "steps": steps, **imagenet.experiments(config, [model])[model]}


def _made(config: dict, part: str, within: list[str]) -> dict:
    """What the records of a part must have been made with; see `fidelity`."""
    return FAMILIES[part].made(config, within) if part in FAMILIES else {}


def merged(found: Iterable[dict]) -> dict:
    """Several mappings as one, level by level; of equal keys the last one counts."""
    merged: dict = {}
    for one in found:
        merged = configuration.overlay(merged, one)
    return merged


def _titles(config: dict, part: str, within: Iterable[str | None] = ()) -> dict:
    """Of data sets and models; variants of the tabular half are about its data sets."""
    family = FAMILIES.get({"sensitivity": "tabular"}.get(part, part))
    return family.titles(config, [name for name in within if name]) if family else {}


def _table(config: dict, paper: dict, part: str) -> dict:
    table = TABLES[part]
    if table.model is None:
        note, options = configuration.note(config, paper, table.part), {}
    else:
        options, papers = (_model_options(one, table.model) for one in (config, paper))
        note = marked(config, compare("", options, papers))
    if table.part == "imagenet":
        options = imagenet.table(config, paper)
    printed = {"title": table.title, "remark": table.remark}  # read from the registry; here so that a change redraws it
    own = {"seed": config["seed"], "cases": config["theory"]["cases"], "model": table.model, "options": options}
    made = _made(config, table.part, []) if table.reads else {}
    return {"note": note, **own, **printed, "titles": _titles(config, table.part)} | ({"made": made} if made else {})


def _model_options(config: dict, model: str) -> dict:
    """What a model of Tables 3 and 4 is built with: the paper trains it by the protocol of the same name."""
    protocol = images.protocol(config, model)
    return {key: protocol[key] for key in ("width", *MODELS[model].options) if key in protocol}


def _claims(config: dict, paper: dict, part: str) -> dict:
    family = FAMILIES.get(part)
    own = {"runs": None, "experiments": {}} | (family.claims(config) if family else {})
    within = list(own["experiments"])
    concerns = [*([f"{part}.{name}" for name in within] or [part]), "claims"] if part in RECORDED else [part]
    return {
        "part": part,
        "note": configuration.note(config, paper, *concerns),
        "heading": PARTS[part],
        "titles": _titles(config, part, within),
        "seed": config["seed"],
        **config["claims"],
        "claims": [_entry(claim) for claim in CLAIMS if claim.part == part],
        "paper": family.of_the_paper(config, paper) if family else {},
        **own,
        "cases": config["theory"]["cases"] if part == "theory" else None,
        "made": _made(config, part, within),
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


def _illustrate(config: dict, paper: dict, part: str) -> dict:
    """What the report's picture that moves is trained with."""
    betas = config.get("report", paper["report"])["betas"]
    return {"seed": config["seed"], "illustration": config["illustration"], "betas": betas}


def _report(config: dict, paper: dict, part: str) -> dict:
    """What the report shows, in the order of the paper: figures and tables that this configuration makes."""
    own = tables.own_names(config, paper)
    return {
        "fidelity": config["fidelity"],
        "study": {name: config["tables"][name]["title"] for name in own},
        "figures": made_figures(config),
        "tables": made_tables(config),
    }


def made_figures(config: dict) -> list[str]:
    """The figures that `all` makes: of the images the experiments, of ImageNet the models that are enabled."""
    return [
        name
        for name, figure in FIGURES.items()
        if any(families.makes(config, *source) for source in families.sources(config, figure))
    ]


def made_tables(config: dict) -> list[str]:
    """The tables that `all` makes."""
    return [name for name, table in TABLES.items() if table.part in config["parts"]]


def _entry(claim) -> dict:
    return {name: dict(v) if isinstance(v, dict) else v for name, v in vars(claim).items()}


_TAKE = {
    "fetch": _of_dataset("fetch"),
    "prepare": _of_dataset("prepare"),
    "figure": _figure,
    "table": _table,
    "claims": _claims,
    "sensitivity": _sensitivity,
    "aggregate": _variants,
    "illustrate": _illustrate,
    "report": _report,
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
    parser.add_argument(
        "--planned",
        nargs="+",
        type=_planned,
        metavar="JOB",
        help="settings and code of this job and of those that made its inputs, as the workflow plans them",
    )


def _planned(text: str) -> tuple[str, str]:
    """ "<key>=<settings>/<code>", for argparse."""
    found = re.fullmatch(r"(.+)=([0-9a-f]+/[0-9a-f]+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}, but must be KEY=SETTINGS/CODE")
    return found[1], found[2]


_MOST = 4096  # as in the configuration


def positive(text: str) -> int:
    """A whole number of at least 1, of threads or processes, for argparse."""
    number = int(text)
    if not 1 <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"{number}, but must be at least 1{f' and at most {_MOST}' * (number > 1)}")
    return number


def from_options(options: argparse.Namespace, stage: str, part: str = "") -> dict:
    """The settings of a stage as a command was given them. UserError where a file or a setting is wrong."""
    if not options.settings:
        return take(configured(options), configuration.load(configuration.PAPER), stage, part)
    anew = "delete it and run the workflow again"
    planned = getattr(options, "planned", None)  # of this job first
    try:
        found = configuration.load(options.settings)
    except UserError:
        if planned and Path(options.settings).exists():
            raise UserError(f"{options.settings} is damaged: {anew}.") from None
        raise
    if not isinstance(found, dict):
        raise UserError(f"{options.settings} holds no settings: {anew}.")
    # before their names and types are looked at, which would be a mistake in the configuration
    if planned and digest(found) != planned[0][1].partition("/")[0]:
        raise UserError(f"{options.settings} holds other settings than the workflow has written: {anew}.")
    return found


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
    """The function of the kind of data set that the settings name, and the rest of them.

    Another family's function is found by its name, such as `prepare_pictures` beside `prepare_table`: named by the caller, it
    would make the results of the others stale (`provenance`).
    """
    kind = settings.get("kind")
    first = next(iter(families.values()))
    name = f"{first.__name__.partition('_')[0]}_{kind}"
    found = families.get(kind) or getattr(sys.modules[first.__module__], name, None)
    if found is None:
        raise UserError(
            f"The settings name no kind of data set ({' or '.join(families)}): correct them in the configuration."
        )
    return found, {key: value for key, value in settings.items() if key != "kind"}


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
