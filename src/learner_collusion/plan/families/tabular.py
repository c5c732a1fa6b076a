"""The tabular half."""

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
