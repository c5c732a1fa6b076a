"""Each stage's part of the configuration, and what a wrong one says."""

import argparse
import copy
from dataclasses import dataclass

import pytest
import yaml
from conftest import ROOT

from learner_collusion.errors import UserError
from learner_collusion.figures.registry import FIGURES
from learner_collusion.plan import sensitivity, settings
from learner_collusion.publishing.registry import TABLES
from learner_collusion.stages import claims, figure, table, train_images, train_tabular, tune
from learner_collusion.stages.evaluate import Settings as Evaluate
from learner_collusion.stages.sensitivity import Settings as Sensitivity


def everything(config):
    """(stage, part) of all settings that the paper's workflow writes."""
    parts = [("tune", ""), ("train_tabular", ""), ("evaluate", "")]
    parts += [
        (stage, name) for stage in ("fetch", "prepare") for name in (*config["tables"], *config["images"]["datasets"])
    ]
    parts += [("train_images", f"{p}-{d}") for p in config["images"]["protocols"] for d in config["images"]["datasets"]]
    parts += [("figure", name) for name in FIGURES] + [("table", name) for name in TABLES]
    parts += [("sensitivity", name) for name in sensitivity.variants(config)]
    return parts + [("claims", part) for part in ("theory", "tabular", "images")]


def test_every_stage_reads_its_part(config):
    kinds = {"tune": tune.Settings, "train_tabular": train_tabular.Settings, "evaluate": Evaluate, "figure": figure.Settings,
             "train_images": train_images.Settings, "table": table.Settings, "claims": claims.Settings,
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
