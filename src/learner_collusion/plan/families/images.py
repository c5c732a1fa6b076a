"""The image experiments, by experiment."""

from ...data.registry import CLASSES
from ...errors import UserError
from ...figures.registry import FIGURES
from ...models.registry import title
from .alike import alike
from .distinct import check_distinct
from .users_class import check_has_class

PLACE = "images.datasets"


def datasets(config: dict) -> dict:
    return config["images"]["datasets"]


def fetch(config: dict, name: str) -> dict:
    images, declared = config["images"], config["images"]["datasets"][name]
    network = {key: config["datasets"][key] for key in ("retries", "timeout")}
    source, md5 = declared["source"], declared.get("md5", {})
    return {"kind": "images", "source": source, "md5": md5, "missing": images["missing"], **network}


def prepare(config: dict, name: str) -> dict:
    images = config["images"]["datasets"][name]
    return {"kind": "images", **{k: images[k] for k in ("source", "classes", "train", "test", "content_sha256")}}


def train(config: dict, part: str) -> dict:
    """The settings of a cell; `part` is "<protocol>-<data set>"."""
    name, _, dataset = part.partition("-")
    if name not in config["images"]["protocols"]:
        choices = ", ".join(config["images"]["protocols"])
        raise UserError(f"The protocol {name!r} is not declared in the configuration: choose from {choices}.")
    if dataset not in config["images"]["datasets"]:
        choices = ", ".join(config["images"]["datasets"])
        raise UserError(f"The data set {dataset!r} is not declared under images.datasets: choose from {choices}.")
    images = config["images"]["datasets"][dataset]
    return {
        "seed": config["seed"],
        "protocol": protocol(config, name),
        "precision": config["images"]["hardware"]["precision"],
        "dataset": {key: images[key] for key in ("classes", "mean", "std")},
    }


STAGES = {"train_images": train}


def protocol(config: dict, name: str) -> dict:
    """How the cells of a protocol are trained: its keys over those of its `base`, with the `subset` of the images that it
    takes (that of all protocols unless it has one). UserError for a missing key."""
    protocols = config["images"]["protocols"]
    keys, seen = dict(protocols[name]), [name]
    while base := keys.pop("base", None):
        if base not in protocols or base in seen:
            raise UserError(
                f"The configuration's images.protocols.{name}.base names {base!r}: choose another of {', '.join(protocols)}."
            )
        seen.append(base)
        keys = protocols[base] | keys
    for key in (key for key in protocols["sgd"] if key != "learner_options"):
        if key not in keys:
            raise UserError(
                f"The configuration's images.protocols.{name} lacks {key!r}: add it, or name a protocol that has it as `base`."
            )
    return {"subset": config["images"]["subset"]} | keys


def titles(config: dict, within: list[str]) -> dict:
    found = {name: known["title"] for name, known in config["images"]["datasets"].items()}
    models = {model for name in within for model in config["images"]["experiments"][name]["models"]}
    return found | {model: title(model) for model in sorted(models)}


def made(config: dict, within: list[str]) -> dict:
    used = [config["images"]["experiments"][name] for name in within]
    names = dict.fromkeys(f"{e['protocol']}-{dataset}" for e in used for dataset in e["datasets"])
    return {"cells": {name: train(config, name) for name in names}}


def claims(config: dict) -> dict:
    images = config["images"]
    return {"experiments": {name: images["experiments"][name] for name in images["enabled"]}}


def of_the_paper(config: dict, paper: dict) -> dict[str, list[str]]:
    """By experiment its "<data set>/<model>" that are the paper's."""
    found = {}
    for name in config["images"]["enabled"]:
        ours, theirs = (known["images"]["experiments"].get(name, {}) for known in (config, paper))
        chosen, models = (sorted(set(ours[key]) & set(theirs.get(key, []))) for key in ("datasets", "models"))
        chosen = [dataset for dataset in chosen if alike(datasets(config), datasets(paper), dataset, ("title",))]
        found[name] = [f"{dataset}/{model}" for dataset in chosen for model in models]
    return found


def compared(config: dict, paper: dict, within: list[str]) -> list[tuple]:
    sides = (config["images"], paper["images"])
    ours, papers = (images["hardware"]["precision"] for images in sides)
    found: list[tuple] = [("", "precision", ours, papers)]
    several = len(within) > 1
    for name in within:
        # one that a preset adds has no counterpart in the paper
        ours, papers = (images["experiments"].get(name, {}) for images in sides)
        trained = (protocol(one, e["protocol"]) if e else {} for one, e in ((config, ours), (paper, papers)))
        found.append((ours["protocol"] if several else "", "protocol", *trained))
        found.append((name if several else "", name, ours, papers))
    return found


def made_by_all(config: dict, experiment: str | None) -> bool:
    return experiment is None or experiment in config["images"]["enabled"]


def check(config: dict) -> None:
    """Names that must be declared, and keys for which a figure has no axis."""
    images = config["images"]
    for name in images["enabled"]:
        if name not in images["experiments"]:
            raise UserError(
                f"The configuration's images.enabled names {name!r}: choose from {', '.join(images['experiments'])}."
            )
    for name, declared in images["datasets"].items():
        _check_classes(name, declared)
    for name in images["protocols"]:
        if protocol(config, name).get("learner_options"):
            using = [e for e in images["experiments"].values() if e["protocol"] == name]
            check_has_class(f"images.protocols.{name}", [model for e in using for model in e["models"]])
    for name, experiment in images["experiments"].items():
        where = f"The configuration's images.experiments.{name}"
        check_distinct(experiment, f"images.experiments.{name}")
        for key, choices in (("protocol", images["protocols"]), ("datasets", images["datasets"])):
            named = [experiment[key]] if key == "protocol" else experiment[key]
            for wrong in sorted(set(named) - set(choices)):
                raise UserError(f"{where}.{key} names {wrong!r}: choose from {', '.join(choices)}.")
        shown = [figure for figure in FIGURES.values() if figure.experiment == name]
        single = {key for figure in shown for key in figure.single}
        for key, needed in (("betas", [1] if "betas" in single else [0, 1]), ("drop_rates", [0])):
            for number in needed:
                if number not in experiment[key]:
                    raise UserError(f"{where}.{key} lacks {number}, which the claims compare with: add it.")
        for key in sorted(single):
            if len(experiment[key]) != 1:
                raise UserError(
                    f"{where}.{key} must hold one value, as its figure has no axis for a second: choose one."
                )


def _check_classes(name: str, declared: dict) -> None:
    """What a source has is known before anything is fetched."""
    known = CLASSES.get(declared["source"], {"": declared["classes"]})
    classes = known.get(name, known.get(""))
    where = f"The configuration's images.datasets.{name}"
    if classes is None:
        raise UserError(f"{where} has the source {declared['source']}, which has {' and '.join(known)}: rename it.")
    if declared["classes"] != classes:
        raise UserError(f"{where}.classes is {declared['classes']}, but its source has {classes}: correct it there.")
