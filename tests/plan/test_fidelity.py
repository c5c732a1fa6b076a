"""The label on what is drawn by hand: what the records were made with, beside the configuration that was given."""

import copy
import json
from dataclasses import asdict, dataclass, field

import pytest
import yaml

from learner_collusion.plan import fidelity, settings
from learner_collusion.stages import train_imagenet, train_images


@dataclass(frozen=True)
class Drawn:
    note: str = ""
    made: dict = field(default_factory=dict)


def of_tables(config, *datasets) -> dict:
    """The metadata of tabular records that this configuration makes."""
    take = {stage: settings.take(config, config, stage) for stage in ("tune", "train_tabular", "evaluate")}
    training = {"settings": fidelity.recorded(take["train_tabular"]), "tuned": fidelity.recorded(take["tune"])}
    return {name: {"training": training | {"dataset": name}, "settings": take["evaluate"]} for name in datasets}


def of_cells(config, stage, *names) -> dict:
    """The metadata of the records of cells: their settings as the stage reads them, with all defaults."""
    known = {"train_images": train_images.Settings, "train_imagenet": train_imagenet.Settings}[stage]
    taken = {name: settings.take(config, config, stage, name) for name in names}
    found = {"settings": {name: [asdict(settings.convert(one, known))] for name, one in taken.items()}}
    return json.loads(json.dumps(found))


def of_images(config, *names) -> dict:
    return of_cells(config, "train_images", *names)


def label(config, stage, part, metadata) -> str:
    made = yaml.safe_load(settings.as_yaml(settings.take(config, config, stage, part)))["made"]
    return fidelity.labelled(Drawn(made=made), metadata).note


@pytest.mark.parametrize(("stage", "part"), [("figure", "fig2_diversity"), ("claims", "tabular")])
def test_tables(config, stage, part):
    names = config["tabular"]["datasets"]
    assert label(config, stage, part, of_tables(config, *names)) == ""
    small = copy.deepcopy(config)
    small["tabular"]["tuning"]["trials"] = 3
    small["tabular"]["training"]["max_epochs"] = 12
    small["tabular"]["codependence"]["draws"] = 5
    small["tabular"] |= {"runs": 2, "engine": "torch"}
    assert label(config, stage, part, of_tables(small, *names)) == (
        "The records were not made with this configuration: runs 2 instead of 10; max epochs 12 instead of 200; "
        "trials 3 instead of 20; draws 5 instead of 100."
    )
    one = of_tables(config, "abalone")
    told = "datasets abalone instead of abalone bioconcentration facebook weather"
    assert told in label(config, stage, part, one) and told in label(config, stage, part, one["abalone"])
    assert "do not say" in label(config, stage, part, {}) and "do not say" in label(
        config, stage, part, {"abalone": {}}
    )


@pytest.mark.parametrize(("stage", "part"), [("figure", "fig15_cnn"), ("claims", "images")])
def test_images(config, stage, part):
    cells = settings.take(config, config, stage, part)["made"]["cells"]
    assert "cnn-cifar10" in cells
    assert label(config, stage, part, of_images(config, *cells)) == ""
    small = copy.deepcopy(config)
    small["images"]["protocols"]["cnn"] |= {"epochs": 3}
    small["images"]["hardware"]["precision"] = "bf16"
    told = label(config, stage, part, of_images(small, "cnn-cifar10"))
    assert "epochs 3 instead of 80" in told and "precision bf16 instead of fp32" in told
    both = {
        "settings": {"cnn-cifar10": [cells["cnn-cifar10"], *of_images(small, "cnn-cifar10")["settings"]["cnn-cifar10"]]}
    }
    assert "epochs 3 instead of 80" in label(config, stage, part, both)
    assert "do not say" in label(config, stage, part, {})


def test_what_reads_no_records_is_not_checked(config):
    for stage, part in (("figure", "fig1_collusion"), ("figure", "fig7_summary"), ("claims", "theory")):
        assert label(config, stage, part, {}) == ""
    assert fidelity.labelled(Drawn("a note"), {}).note == "a note"


@pytest.mark.parametrize(
    ("stage", "part"), [("table", "table1_imagenet"), ("claims", "imagenet"), ("figure", "fig6_practical")]
)
def test_imagenet(config, stage, part):
    small = copy.deepcopy(config)
    small["imagenet"]["protocol"]["epochs"] = 3
    name = "imagenet-imagenet_resnet18"
    assert label(config, stage, part, of_cells(config, "train_imagenet", name)) == ""
    told = of_cells(small, "train_imagenet", name)
    assert "epochs 3 instead of 90" in label(config, stage, part, told)
