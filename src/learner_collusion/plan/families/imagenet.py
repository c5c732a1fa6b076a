"""The ImageNet experiment, by model: Table 1 and Figure 6, right."""

import os
from pathlib import Path

from ...data.registry import MIRROR_VARIABLE
from ...errors import UserError
from ...models.registry import options_of, title
from ...training.protocol import count_batches
from .alike import alike
from .users_class import check_has_class

PLACE = "imagenet.datasets"
_OF_THE_MODEL = ("learners", "precision")  # keys of a model that are none of the protocol


def datasets(config: dict) -> dict:
    return config["imagenet"]["datasets"]


def fetch(config: dict, name: str) -> dict:
    """The settings of drawing; pictures on disk are not fetched."""
    declared = datasets(config)[name]
    if not declared.get("drawn"):
        raise UserError(f"{name} is not fetched: its pictures are read where {PLACE}.{name} of the configuration says.")
    return {"kind": "pictures", "seed": config["seed"], **{key: declared[key] for key in ("classes", "train", "val")}}


def prepare(config: dict, name: str) -> dict:
    found = {key: datasets(config)[name].get(key) for key in ("folder", "file", "classes", "train", "val")}
    return {"kind": "pictures", **found, "missing": config["imagenet"]["missing"]}


def train(config: dict, part: str) -> dict:
    """The settings of a cell; `part` is "<data set>-<model>"."""
    dataset, _, model = part.partition("-")
    for key, name in (("datasets", dataset), ("models", model)):
        if name not in config["imagenet"][key]:
            choices = ", ".join(config["imagenet"][key])
            raise UserError(
                f"{name!r} is not declared under imagenet.{key} of the configuration: choose from {choices}."
            )
    return {
        "seed": config["seed"],
        "protocol": protocol(config, model),
        "precision": precision(config, model),
        "dataset": {key: datasets(config)[dataset][key] for key in ("classes", "mean", "std")},
    }


STAGES = {"train_imagenet": train}


def protocol(config: dict, model: str) -> dict:
    """How the cells of a model are trained: its own keys over those that all share."""
    own = config["imagenet"]["models"].get(model, {})
    return config["imagenet"]["protocol"] | {k: v for k, v in own.items() if k not in _OF_THE_MODEL}


def precision(config: dict, model: str) -> str:
    """The precision of a model's cells: its own, else that of all."""
    return config["imagenet"]["models"].get(model, {}).get("precision", config["imagenet"]["hardware"]["precision"])


def cells(config: dict, within: list[str]) -> list[dict]:
    """The cells of some models, as fields of a path: model after model, beta after beta."""
    imagenet = config["imagenet"]
    return [
        {"dataset": imagenet["dataset"], "model": model, "learners": imagenet["models"][model]["learners"], "beta": beta, "run": run}
        for model in within or imagenet["enabled"] for beta in imagenet["betas"] for run in range(imagenet["runs"])
    ]  # fmt: skip


def titles(config: dict, within: list[str]) -> dict:
    found = {name: known["title"] for name, known in datasets(config).items()}
    return found | {model: title(model) for model in within or config["imagenet"]["enabled"]}


def made(config: dict, within: list[str]) -> dict:
    dataset = config["imagenet"]["dataset"]
    names = [f"{dataset}-{model}" for model in within or config["imagenet"]["enabled"]]
    return {"cells": {name: train(config, name) for name in names}}


def experiments(config: dict, within: list[str]) -> dict[str, dict]:
    """By model what its cells are, as figure, table and claims read it."""
    imagenet = config["imagenet"]
    shared = {key: imagenet[key] for key in ("dataset", "betas", "runs")}
    return {
        model: {**shared, "learners": imagenet["models"][model]["learners"]} for model in within or imagenet["enabled"]
    }


def steps(config: dict, model: str) -> int | None:
    """How many batches a training takes that nothing ends early; None where the number of pictures is not in the configuration."""
    keys = protocol(config, model)
    pictures = keys["subset"]["train"] or datasets(config)[config["imagenet"]["dataset"]]["train"]
    return pictures and keys["epochs"] * count_batches(pictures, keys["batch_size"])


def claims(config: dict) -> dict:
    return {"experiments": experiments(config, [])}


def table(config: dict, paper: dict) -> dict:
    """What Table 1 takes: its lines, what a learner is built with, and whether the data set is the paper's."""
    classes = datasets(config)[config["imagenet"]["dataset"]]["classes"]
    protocols = {model: protocol(config, model) for model in config["imagenet"]["enabled"]}
    built = {model: {"width": keys["width"], "options": options_of(model, keys)} for model, keys in protocols.items()}
    same = bool(of_the_paper(config, paper)["imagenet"])
    return {"experiments": experiments(config, []), "classes": classes, "built": built, "of_the_paper": same}


def of_the_paper(config: dict, paper: dict) -> dict[str, list[str]]:
    """The data set in use, where it is the paper's."""
    used = config["imagenet"]["dataset"]
    place = ("title", "folder", "file")
    same = used == paper["imagenet"]["dataset"] and alike(datasets(config), datasets(paper), used, place)
    return {"imagenet": [used] if same else []}


def compared(config: dict, paper: dict, within: list[str]) -> list[tuple]:
    sides = (config["imagenet"], paper["imagenet"])
    found = [("", key, *(one[key] for one in sides)) for key in ("dataset", "betas", "runs")]
    if len(within) == 1:
        [model] = within
        found.append(("", "precision", *(precision(one, model) for one in (config, paper))))
        found.append(("", "learners", *(one["models"].get(model, {}).get("learners") for one in sides)))
        return [*found, ("", "protocol", protocol(config, model), protocol(paper, model))]
    found.append(("", "precision", *(one["hardware"]["precision"] for one in sides)))
    found += [("", key, *(one[key] for one in sides)) for key in ("enabled", "protocol")]
    for model in config["imagenet"]["enabled"]:
        own = config["imagenet"]["models"][model]
        papers = paper["imagenet"]["models"].get(model, {}) | {"precision": precision(paper, model)}
        found.append((title(model), model, own, papers))
    return found


def made_by_all(config: dict, experiment: str | None) -> bool:
    return experiment is None or experiment in config["imagenet"]["enabled"]


def check(config: dict) -> None:
    imagenet = config["imagenet"]
    where = "The configuration's imagenet"
    for key, names, choices in (
        ("dataset", [imagenet["dataset"]], imagenet["datasets"]),
        ("enabled", imagenet["enabled"], imagenet["models"]),
    ):
        for wrong in sorted(set(names) - set(choices)):
            raise UserError(f"{where}.{key} names {wrong!r}: choose from {', '.join(choices)}.")
    if 0 not in imagenet["betas"] or 1 not in imagenet["betas"]:
        raise UserError(f"{where}.betas must hold 0 and 1, which the claims compare: add them.")
    for name, declared in imagenet["datasets"].items():
        given = [key for key in ("folder", "file", "drawn") if declared.get(key)]
        if len(given) != 1:
            said = " and ".join(given) or "none"
            raise UserError(f"{where}.datasets.{name} needs one of folder, file and drawn, and has {said}: keep one.")
    processes, nodes = imagenet["hardware"]["gpus_per_job"], imagenet["hardware"]["nodes"]
    if processes % nodes:
        raise UserError(
            f"{where}.hardware has {processes} gpus_per_job on {nodes} nodes: choose a multiple of the nodes."
        )
    if imagenet["protocol"].get("learner_options"):
        check_has_class("imagenet.protocol", imagenet["enabled"])
    for model in imagenet["enabled"]:
        keys = protocol(config, model)
        if imagenet["models"][model].get("learner_options"):
            check_has_class(f"imagenet.models.{model}", [model])
        if keys["batch_size"] % (processes * keys["accumulate"]):
            raise UserError(
                f"{where}.models.{model} has a batch_size of {keys['batch_size']}, which {processes} GPUs and "
                f"accumulate {keys['accumulate']} cannot share evenly: choose a multiple of {processes * keys['accumulate']}."
            )
        if keys["scale"][0] > keys["scale"][1]:
            raise UserError(f"{where}.models.{model} has the scale {keys['scale']}: give the smaller share first.")
        if keys["evaluation_size"] is not None and keys["evaluation_size"] < keys["size"]:
            raise UserError(
                f"{where}.models.{model} has an evaluation_size of {keys['evaluation_size']}, below its size {keys['size']}, which "
                "is cropped of it: raise it."
            )


def absence(config: dict, name: str) -> str | None:
    """One sentence, where the pictures of a data set do not lie where the configuration says; None where they do, are drawn, or
    may be left out. Looks whether the folder or the file is there, as `data.imagenet` will, and no further."""
    declared = datasets(config)[name]
    kind = next((key for key in ("folder", "file") if declared.get(key)), None)
    if kind is None or config["imagenet"]["missing"] != "fail":
        return None
    given, mirror = declared[kind], os.environ.get(MIRROR_VARIABLE)
    from ...data.sources import folder_with  # not needed to read a configuration

    places = [Path(given).expanduser(), *([Path(mirror, given)] if mirror else [])]
    if any(place.exists() for place in places) or (kind == "file" and folder_with(mirror, given)):
        return None
    return (
        f"{declared['title']} is not available: there is no {given} here{' or below the mirror' * bool(mirror)}. Set "
        f"imagenet.datasets.{name}.{kind} to where its train and val are, or put it below a folder and set {MIRROR_VARIABLE} to that, or "
        "leave imagenet out of `parts`."
    )
