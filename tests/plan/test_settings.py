"""Each stage's part of the configuration, and what a wrong one says."""

import argparse
import copy
from dataclasses import dataclass

import pytest
import yaml
from conftest import ROOT

from learner_collusion.errors import UserError
from learner_collusion.figures.registry import FIGURES
from learner_collusion.plan import configuration, sensitivity, settings
from learner_collusion.publishing.registry import TABLES
from learner_collusion.stages import claims, figure, table, train_imagenet, train_images, train_tabular, tune
from learner_collusion.stages.evaluate import Settings as Evaluate
from learner_collusion.stages.sensitivity import Settings as Sensitivity


def everything(config):
    """(stage, part) of all settings that the paper's workflow writes."""
    parts = [("tune", ""), ("train_tabular", ""), ("evaluate", "")]
    parts += [
        (stage, name) for stage in ("fetch", "prepare") for name in (*config["tables"], *config["images"]["datasets"])
    ]
    parts += [("fetch", "shapes"), *(("prepare", name) for name in config["imagenet"]["datasets"])]
    parts += [
        ("train_imagenet", f"{d}-{m}") for d in config["imagenet"]["datasets"] for m in config["imagenet"]["models"]
    ]
    parts += [("train_images", f"{p}-{d}") for p in config["images"]["protocols"] for d in config["images"]["datasets"]]
    parts += [("figure", name) for name in FIGURES] + [("table", name) for name in TABLES]
    parts += [("sensitivity", name) for name in sensitivity.variants(config)]
    return parts + [("claims", part) for part in ("theory", "tabular", "images", "imagenet")]


def test_every_stage_reads_its_part(config):
    kinds = {"tune": tune.Settings, "train_tabular": train_tabular.Settings, "evaluate": Evaluate, "figure": figure.Settings,
             "train_images": train_images.Settings, "train_imagenet": train_imagenet.Settings, "table": table.Settings, "claims": claims.Settings,
             "sensitivity": Sensitivity}  # fmt: skip
    for stage, part in everything(config):
        found = yaml.safe_load(settings.as_yaml(settings.take(config, config, stage, part)))
        assert found == settings.take(config, config, stage, part), (stage, part)
        if stage in kinds:
            settings.convert(found, kinds[stage])


@pytest.mark.parametrize(
    ("change", "concerned"),
    [
        (lambda c: c["tabular"]["tuning"].update(trials=3), {"tune"}),
        (lambda c: c["tabular"].update(betas=[0, 1]), {"train_tabular"}),
        (lambda c: c["tables"]["abalone"].update(title="Snails"), {"claims/tabular"}),
        (lambda c: c["tables"]["abalone"].update(log_target=True), {"prepare/abalone"}),
        (lambda c: c["tabular"].update(threads=7), set()),
        (lambda c: c["images"]["hardware"].update(device="cpu", threads=4, compile=True), set()),
        (lambda c: c["images"]["protocols"]["cnn"].update(epochs=3), {"train_images/cnn-svhn", "claims/images"}),
        (lambda c: c["imagenet"]["hardware"].update(device="cpu", threads=4, workers=0, gpus_per_job=4), set()),
        (
            lambda c: c["imagenet"]["models"]["imagenet_resnet34"].update(learning_rate=0.3),
            {"train_imagenet/imagenet-imagenet_resnet34", "claims/imagenet", "table/table1_imagenet"},
        ),
    ],
)
def test_a_change_concerns_only_its_stages(config, change, concerned):
    """Figures and claims carry the fidelity note as well, so only those without one are looked at here."""
    changed = copy.deepcopy(config)
    change(changed)
    differing = {
        f"{stage}/{part}" if part else stage
        for stage, part in everything(config)
        if settings.take(config, config, stage, part) != settings.take(changed, config, stage, part)
    }
    assert concerned <= differing
    trained = {
        name for name in differing if name.split("/")[0] in ("fetch", "prepare", "tune", "train_tabular", "evaluate")
    }
    assert trained == {
        name for name in concerned if name.split("/")[0] in ("fetch", "prepare", "tune", "train_tabular")
    }
    if not concerned:
        assert not differing


@dataclass(frozen=True)
class Inner:
    trials: int
    rate: float


@dataclass(frozen=True)
class Outer:
    tuning: Inner


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"tuning": {"rate": 1}}, "at tuning are wrong .it lacks the key `trials`"),
        ({"tuning": {"trials": "many", "rate": 1}}, "at tuning.trials are wrong .Expected `int`, got `str`"),
        ({}, "settings are wrong .it lacks the key `tuning`"),
        ({"tuning": {"trials": 1, "rate": 1}, "runs": 2}, "unknown key 'runs'"),
        ({"tuning": {"trials": 1, "rate": 1, "trails": 2}}, "unknown key 'tuning.trails'"),
    ],
)
def test_a_missing_or_mistyped_setting_is_one_sentence(mapping, words):
    with pytest.raises(UserError, match=words) as caught:
        settings.convert(mapping, Outer)
    assert "\n" not in str(caught.value)


def test_a_kind_of_data_set_that_is_none():
    with pytest.raises(UserError, match=r"no kind of data set \(table or images\): correct"):
        settings.of_kind({"kind": "sound"}, table=print, images=print)


def test_a_table_of_a_changed_model_is_marked(config):
    wide = copy.deepcopy(config) | {"fidelity": "wide"}
    wide["images"]["protocols"]["cnn"] |= {"width": 2, "epochs": 3}
    note = settings.take(wide, config, "table", "table3_cnn")["note"]
    assert note == "Fidelity 'wide', not the paper's: width 2 instead of 1."
    assert settings.take(wide, config, "table", "table4_vgg")["note"] == ""


def options(*arguments):
    parser = argparse.ArgumentParser()
    settings.add_settings_arguments(parser)
    return parser.parse_args(list(map(str, arguments)))


def test_by_hand_or_from_the_workflow(config, tmp_path):
    ci = ROOT / "workflow/presets/ci.yaml"
    found = settings.from_options(options("--config", ROOT / "config.yaml", ci), "tune")
    assert found["tuning"]["trials"] == 3 and found["tuning"]["acquisition"] == "gp_hedge"
    (tmp_path / "tune.yaml").write_text(settings.as_yaml(found))
    assert settings.from_options(options("--settings", tmp_path / "tune.yaml"), "tune") == found


@pytest.mark.parametrize(
    ("text", "words"),
    [("tabular: {runs: 0}", "lacks a key"), ("a: [", "is not valid YAML"), (None, "does not exist: check the path")],
)
def test_a_configuration_that_cannot_be_read(tmp_path, text, words):
    if text is not None:
        (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        settings.from_options(options("--config", tmp_path / "c.yaml"), "tune")
    assert "\n" not in str(caught.value)


def test_an_unknown_data_set_or_protocol(config):
    with pytest.raises(UserError, match="'wine' is not declared"):
        settings.take(config, config, "prepare", "wine")
    for part in ("imagewoof-imagenet_resnet18", "imagenet-resnet18"):
        with pytest.raises(
            UserError, match=r"is not declared under imagenet\.(datasets|models) of the configuration: choose"
        ):
            settings.take(config, config, "train_imagenet", part)
    with pytest.raises(
        UserError, match=r"imagenette is not fetched: its pictures are read where imagenet\.datasets\.imagenette"
    ):
        settings.take(config, config, "fetch", "imagenette")
    with pytest.raises(UserError, match="protocol 'adagrad' is not declared"):
        settings.take(config, config, "train_images", "adagrad-cifar10")


def test_without_a_file_the_configuration_here_counts_else_the_papers(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings.configured(options()) == config
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config | {"seed": 7}))
    assert settings.from_options(options(), "tune")["seed"] == 7


@pytest.mark.parametrize("text", ["nan", "-1", "inf", "soon"])
def test_minutes_that_are_none(text):
    with pytest.raises((argparse.ArgumentTypeError, ValueError)):
        settings.minutes(text)
    assert settings.minutes("0.5") == 0.5


def imagenet_preset(config, **top):
    return configuration.overlay(copy.deepcopy(config), {"fidelity": "mine", "imagenet": top})


def test_a_models_own_keys_replace_those_that_all_share(config):
    found = settings.take(config, config, "train_imagenet", "imagenet-imagenet_mobilevit_xs")
    assert (found["protocol"]["size"], found["protocol"]["batch_size"], found["protocol"]["epochs"]) == (256, 32, 90)
    assert "learners" not in found["protocol"] and found["precision"] == "fp32" and found["dataset"]["classes"] == 1000
    own = imagenet_preset(config, models={"imagenet_resnet18": {"precision": "bf16"}})
    assert settings.take(own, config, "train_imagenet", "imagenet-imagenet_resnet18")["precision"] == "bf16"
    assert settings.take(own, config, "train_imagenet", "imagenet-imagenet_resnet34")["precision"] == "fp32"


def test_what_of_imagenet_is_not_the_papers(config):
    """Of all models by name; of the one that Figure 6 shows alone."""
    small = imagenet_preset(
        config, dataset="imagenette", protocol={"epochs": 25},
        models={"imagenet_resnet18": {"precision": "bf16"}, "imagenet_resnet34": {"learners": 2}},
    )  # fmt: skip
    note = configuration.note(small, config, "imagenet")
    assert note == (
        "Fidelity 'mine', not the paper's: dataset imagenette instead of imagenet; epochs 25 instead of 90; "
        "ResNet-18: precision bf16 instead of fp32; ResNet-34: learners 2 instead of 3."
    )
    alone = configuration.differences(small, config, "imagenet.imagenet_resnet18")
    assert alone == [
        "dataset imagenette instead of imagenet",
        "precision bf16 instead of fp32",
        "epochs 25 instead of 90",
    ]
    assert configuration.note(config, config, "imagenet", "imagenet.imagenet_resnet34") == ""


def test_figure_6_reads_the_sides_that_are_made(config):
    def taken(*parts):
        return settings.take(config | {"parts": list(parts)}, config, "figure", "fig6_practical")

    both, left, right = taken("images", "imagenet"), taken("images"), taken("imagenet")
    assert both["experiment"] == left["experiment"] is not None and right["experiment"] is None
    assert both["beside"] == right["beside"] == {
        "model": "imagenet_resnet18", "evaluate_every": 2000, "steps": 90 * 10_010, "dataset": "imagenet", "betas": [0, 1], "runs": 1, "learners": 5,
    }  # fmt: skip
    assert "beside" not in left and "beside" not in settings.take(config, config, "figure", "fig2_diversity")
    assert {"sgd-cifar10", "imagenet-imagenet_resnet18"} <= set(both["made"]["cells"])
    assert list(right["made"]["cells"]) == ["imagenet-imagenet_resnet18"]


def test_the_papers_words_are_about_its_own_pictures(config):
    assert settings.take(config, config, "claims", "imagenet")["paper"] == {"imagenet": ["imagenet"]}
    elsewhere = imagenet_preset(config, datasets={"imagenet": {"folder": "/data/ilsvrc", "title": "ILSVRC 2012"}})
    assert settings.take(elsewhere, config, "claims", "imagenet")["paper"] == {"imagenet": ["imagenet"]}
    for ours in (
        imagenet_preset(config, dataset="imagenette"),
        imagenet_preset(config, datasets={"imagenet": {"classes": 100}}),
    ):
        assert settings.take(ours, config, "claims", "imagenet")["paper"] == {"imagenet": []}
        assert not settings.take(ours, config, "table", "table1_imagenet")["options"]["of_the_paper"]
