"""A class of the user's through tuning, training and evaluation, with a grid of its own."""

from pathlib import Path

import pytest
from conftest import ROOT, converted

from learner_collusion.errors import UserError
from learner_collusion.plan import configuration
from learner_collusion.records import parquet
from learner_collusion.records.tabular import BEST, RECORDS, TRIALS, with_options
from learner_collusion.stages import evaluate, train_tabular, tune


@pytest.fixture
def own(settings, monkeypatch) -> dict:
    """Settings of a small study of a class with an option of each type."""
    monkeypatch.syspath_prepend(ROOT / "tests/training")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests/training"), prepend=":")
    grid = {
        "learning_rate": [0.01],
        "batch_size": [64],
        "weight_decay": [0],
        "learners": [3],
        "hidden_units": [4],
        "layers": [1],
    }
    settings["tuning"] = settings["tuning"] | {
        "grid": grid | {"width": [4, 8], "rate": [0.0, 0.1]},
        "trials": 3,
        "initial_points": 2,
    }
    settings["training"] = settings["training"] | {"max_epochs": 3}
    return settings | {"learner": "users_nets.Normed", "learner_options": {}}


def study(table, settings: dict, folder):
    """Trials, best points and records."""
    folder.mkdir()
    paths = {name: str(folder / f"{name}.parquet") for name in ("trials", "best", "history", "predictions", "records")}
    tune.tune(str(table), "diabetes", converted(tune.Settings, settings), paths["trials"], paths["best"])
    chosen = converted(train_tabular.Settings, settings)
    train_tabular.train(str(table), paths["best"], "diabetes", chosen, paths["history"], paths["predictions"])
    evaluated = converted(evaluate.Settings, settings)
    evaluate.evaluate("diabetes", paths["predictions"], paths["history"], evaluated, paths["records"])
    return paths


def test_a_study(diabetes, own, tmp_path):
    paths = study(diabetes, own, tmp_path / "one")
    options = {"width": [4, 8], "rate": [0.0, 0.1]}
    trials = parquet.read(paths["trials"], with_options(TRIALS, options))
    best = parquet.read(paths["best"], with_options(BEST, options))
    assert trials["width"].isin([4, 8]).all() and trials["rate"].isin([0.0, 0.1]).all() and len(trials) == 3
    assert best["err"].item() == trials["err"].min() and "hidden_units" not in best
    records = parquet.read(paths["records"], RECORDS)
    assert set(records["beta"]) == {0.0, 0.5, 1.0} and {"err", "div", "increase_0.2"} <= set(records["metric"])
    made = parquet.read_metadata(paths["records"])["training"]
    assert made["engine"] == "torch" and made["settings"]["learner"] == made["tuned"]["learner"] == "users_nets.Normed"
    assert made["hyperparameters"]["0"]["width"] in (4, 8)
    again = study(diabetes, own, tmp_path / "two")
    for name in ("trials", "best", "history", "predictions", "records"):
        assert Path(paths[name]).read_bytes() == Path(again[name]).read_bytes(), name


def test_runs_divided_among_processes_are_the_same(diabetes, own, tmp_path):
    own = own | {"runs": 2, "learner_options": {"rate": 0.1}}
    own["tuning"]["grid"] = {name: values for name, values in own["tuning"]["grid"].items() if name != "rate"}
    for processes in (1, 2):
        paths = [str(tmp_path / f"{processes}/{name}.parquet") for name in ("trials", "best")]
        tune.tune(str(diabetes), "diabetes", converted(tune.Settings, own), *paths, processes)
    assert (tmp_path / "1/trials.parquet").read_bytes() == (tmp_path / "2/trials.parquet").read_bytes()


def test_the_mlps_are_recorded_as_before(diabetes, settings, tmp_path):
    paths = study(diabetes, settings, tmp_path / "mlps")
    made = parquet.read_metadata(paths["records"])["training"]
    assert not {"learner", "learner_options"} & {*made["settings"], *made["tuned"]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learner": "users_nets.TwoOutputs"}, "puts out"),
        ({"learner": "nowhere.Net"}, "there is no module 'nowhere'"),
        ({"engine": "native"}, "trains MLPs alone"),
        ({"learner_options": {"depth": 3}}, "does not take"),
        ({"grid": {"depth": [1]}}, "does not take"),
        ({"grid": {"width": [4, "wide"]}}, "numbers, or words"),
    ],
)
def test_what_does_not_fit(diabetes, own, tmp_path, changes, words):
    own["tuning"]["grid"] = own["tuning"]["grid"] | changes.pop("grid", {})
    if own["learner"] != changes.get("learner", own["learner"]):
        own["tuning"]["grid"] = {n: v for n, v in own["tuning"]["grid"].items() if n not in ("width", "rate")}
    with pytest.raises(UserError, match=words):
        study(diabetes, own | changes, tmp_path / "bad")


def test_the_configuration(config):
    tabular = config["tabular"]
    for change, words in (
        ({"learner_options": {"width": 3}}, "learner_options needs tabular.learner"),
        ({"learner": "Net"}, "tabular.learner is wrong"),
        ({"learner": "nets.Net", "learner_options": {"width": [1]}}, "learner_options.width is wrong"),
        ({"tuning": {"grid": {"widht": [3]}}}, "unknown key 'tabular.tuning.grid.widht': allowed here: learning_rate"),
        ({"tuning": {"grid": {"layer": [3]}}}, "unknown key 'tabular.tuning.grid.layer': did you mean 'layers'"),
    ):
        with pytest.raises(UserError) as error:
            configuration.check(configuration.overlay(config, {"tabular": change}))
        assert words in str(error.value)
    right = {
        "tabular": {"learner": "nets.Net", "learner_options": {"act": "relu"}, "tuning": {"grid": {"width": [3, 4]}}}
    }
    configuration.check(configuration.overlay(config, right))
    assert tabular["learner"] is None
