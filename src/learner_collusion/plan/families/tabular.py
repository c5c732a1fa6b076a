"""The tabular half."""

import math

from ...errors import UserError
from .. import fidelity, tables
from .alike import alike
from .distinct import check_distinct

PLACE = "tables"  # where the configuration declares its data sets


def _keys(*keys: str):
    def found(config: dict, part: str) -> dict:
        own = config["tabular"]
        learner = {key: own[key] for key in ("learner", "learner_options") if key in own}
        trained = "training" in keys and learner.get("learner")  # else the MLPs', which need no word
        return {"seed": config["seed"], **{key: own[key] for key in keys}, **(learner if trained else {})}

    return found


STAGES = {
    "tune": _keys("runs", "split", "preprocessing", "training", "tuning", "engine", "device"),
    "train_tabular": _keys("runs", "split", "preprocessing", "training", "betas", "engine", "device"),
    "evaluate": _keys("codependence"),
}


def datasets(config: dict) -> dict:
    return config["tables"]


def fetch(config: dict, name: str) -> dict:
    table = config["tables"][name]
    network = {key: config["datasets"][key] for key in ("retries", "timeout")}
    found = {k: table[k] for k in ("source", "url", "file", "sha256") if k in table}
    if tables.is_own(table):
        found |= {"path": table["file"], "file": tables.file_name(table)}
    elif not (table["sha256"] or table["content_sha256"]):
        found["mirror"] = False  # nothing would tell another file of that name
    return {"kind": "table", **found, **network}


def prepare(config: dict, name: str) -> dict:
    table = config["tables"][name]
    own = {k: v for k, v in table.items() if k not in ("title", "source", "url", "sha256")}
    return {"kind": "table", **own, "file": tables.file_name(table)}


def titles(config: dict, within: list[str]) -> dict:
    return {name: config["tables"][name]["title"] for name in config["tabular"]["datasets"]}


def made(config: dict, within: list[str]) -> dict:
    stages = {stage: fidelity.recorded(take(config, "")) for stage, take in STAGES.items()}
    return {"datasets": config["tabular"]["datasets"], **stages}


def claims(config: dict) -> dict:
    return {"runs": config["tabular"]["runs"]}


def of_the_paper(config: dict, paper: dict) -> dict[str, list[str]]:
    names = set(config["tabular"]["datasets"]) & set(paper["tabular"]["datasets"])
    place = ("title", "url", "file", "sha256")
    return {"tabular": sorted(name for name in names if alike(config["tables"], paper["tables"], name, place))}


def made_by_all(config: dict, experiment: str | None) -> bool:
    return True


def check(config: dict) -> None:
    tabular = config["tabular"]
    unknown = [name for name in tabular["datasets"] if name not in config["tables"]]
    if unknown:
        raise UserError(
            f"The configuration's tabular.datasets names {unknown[0]!r}, which is not declared: declare it under "
            f"tables, or choose from {', '.join(config['tables'])}."
        )
    if 0 not in tabular["betas"] or 1 not in tabular["betas"]:
        raise UserError("The configuration's tabular.betas must hold 0 and 1, which the claims compare: add them.")
    check_distinct(tabular, "tabular")
    check_distinct(tabular["codependence"], "tabular.codependence")
    tuning = tabular["tuning"]
    if tuning["initial_points"] > tuning["trials"]:
        raise UserError(
            f"The configuration's tabular.tuning.initial_points is {tuning['initial_points']}, more than its "
            f"{tuning['trials']} trials: lower it."
        )
    _check_size(tabular)


_MOST_WEIGHTS = 10**9  # of an ensemble: four gigabytes, and twelve with what Adam keeps
_MOST_POINTS = 10**9  # of a grid


def _check_size(tabular: dict) -> None:
    """Sizes that are harmless one by one, and not together."""
    grid = tabular["tuning"]["grid"]
    points = math.prod(len(values) for values in grid.values())
    if points > _MOST_POINTS:
        raise UserError(f"The configuration's tabular.tuning.grid has {points:.1e} points: leave values out.")
    if tabular.get("learner"):
        return
    learners, hidden, layers = (max(grid[key]) for key in ("learners", "hidden_units", "layers"))
    if (weights := learners * layers * hidden**2) > _MOST_WEIGHTS:
        raise UserError(
            f"The configuration's tabular.tuning.grid has ensembles of {weights:.1e} weights ({learners} learners of {layers} layers "
            f"with {hidden} hidden_units): choose smaller ones."
        )
