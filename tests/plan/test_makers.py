"""What jobs are planned with: the settings and the code of each, and of those that make its inputs."""

import argparse

import pytest
import yaml
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from learner_collusion.errors import UserError
from learner_collusion.figures.registry import FIGURES
from learner_collusion.plan import cells, configuration, makers, parts, sensitivity
from learner_collusion.plan import settings as plan
from learner_collusion.publishing.registry import TABLES
from learner_collusion.records.identity import digest, key


@pytest.fixture(scope="module")
def paper():
    return configuration.load(ROOT / "config.yaml")


def jobs(config):
    """(stage, name) of every kind of job of a configuration."""
    for name in [*config["tables"], *config["images"]["datasets"]]:
        yield from (("fetch", name), ("prepare", name))
    yield from (("prepare", name) for name in config["imagenet"]["datasets"])
    for stage in ("tune", "train_tabular", "evaluate"):
        yield stage, "abalone"
    yield from (("sensitivity", variant) for variant in sensitivity.variants(config))
    enabled = config["images"]["enabled"]
    yield from (("train_images", cells.name_of(path)) for path in cells.cells(config, enabled)[::20])
    yield from (("train_imagenet", cells.name_of(path)) for path in cells.imagenet(config, [])[::5])
    yield from (("aggregate", name) for name in (*parts.RECORDED, *(f"images/{name}" for name in enabled)))
    yield from (("figure", name) for name in FIGURES)
    yield from (("table", name) for name in TABLES)
    yield from (("claims", name) for name in (*parts.JUDGED, "all"))


def test_a_command_finds_what_was_planned_for_it(paper, tmp_path):
    """From the text of its settings file, as Snakemake writes it."""
    planned = makers.planner(paper, paper)
    for stage, name in jobs(paper):
        found = planned(stage, name)
        part = makers.part_of(stage, name)
        settings = None
        if part is not None:
            settings = yaml.safe_load(plan.as_yaml(plan.take(paper, paper, stage, part)))
            (tmp_path / "s.yaml").write_text("x")
        parser = argparse.ArgumentParser()
        plan.add_settings_arguments(parser)
        options = parser.parse_args(["--settings", str(tmp_path / "s.yaml"), "--planned", *found])
        job = makers.job(options, stage, name, settings)
        assert job.planned[key(stage, name)] == f"{job.settings}/{job.code}"
        assert len(" ".join(found)) < 8000, (stage, name)


def test_the_makers_of_all_inputs_are_named(paper):
    planned = makers.planner(paper, paper)

    def keys(stage, name):
        return [one.partition("=")[0] for one in planned(stage, name)]

    assert keys("tune", "abalone") == ["tune", "prepare/abalone"]
    assert keys("train_tabular", "abalone") == ["train_tabular", "prepare/abalone", "tune"]
    assert keys("evaluate", "abalone") == ["evaluate", "train_tabular"]
    assert keys("aggregate", "tabular") == ["aggregate/tabular", "evaluate"]
    assert keys("figure", "fig2_diversity") == ["figure/fig2_diversity", "aggregate/tabular"]
    assert keys("figure", "fig9_gat_alpha") == ["figure/fig9_gat_alpha"]
    assert keys("claims", "theory") == ["claims/theory"] and "claims/theory" in keys("claims", "all")
    assert "train_images/cnn-cifar10/cnn" in keys("aggregate", "images/cnn")
    for path in cells.cells(paper, paper["images"]["enabled"]):
        assert key("train_images", cells.name_of(path)) in keys("aggregate", "images"), path
    for path in cells.imagenet(paper, []):
        assert key("train_imagenet", cells.name_of(path)) in keys("aggregate", "imagenet"), path


def test_a_change_of_an_input_s_maker_is_a_change_of_the_plan(paper):
    changed = configuration.overlay(paper, {"tabular": {"tuning": {"trials": 7}}})
    one, other = makers.planner(paper, paper), makers.planner(changed, paper)
    assert one("tune", "abalone") != other("tune", "abalone")
    assert one("train_tabular", "abalone") != other("train_tabular", "abalone")
    assert one("evaluate", "abalone") == other("evaluate", "abalone")
    assert one("train_images", "cnn/cifar10/cnn") == other("train_images", "cnn/cifar10/cnn")


@pytest.mark.parametrize("text", ["x", "x=1", "x=1/", "x=g/1", "=1/2"])
def test_a_plan_that_is_none_is_refused(text, capsys):
    parser = argparse.ArgumentParser()
    plan.add_settings_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--planned", text])
    assert "must be KEY=SETTINGS/CODE" in capsys.readouterr().err


def test_other_code_than_planned_is_told():
    options = argparse.Namespace(settings=None, planned=[("claims/all", f"{digest(None)}/0123456789ab")])
    with pytest.raises(UserError, match="The code has changed since this job was planned"):
        makers.job(options, "claims", "all")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_", min_size=1), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text("abc_", min_size=1), values, max_size=4))
def test_settings_have_the_same_digest_once_written_down(settings):
    assert digest(yaml.safe_load(plan.as_yaml(settings))) == digest(settings)
    assert digest({**settings, "one more": 1}) != digest(settings)
