"""Tuning: all trials kept, the same for the same seed, and resumed after kill -9 without repeating a trial."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml
from conftest import converted, own_part

from learner_collusion.cli import main
from learner_collusion.errors import UserError
from learner_collusion.plan.fidelity import recorded
from learner_collusion.records import parquet
from learner_collusion.records.tabular import BEST, HYPERPARAMETERS, RECORDS, TRIALS
from learner_collusion.stages import tune as stage
from learner_collusion.training import engines

NAMES = ("trials.parquet", "best.parquet")


def tune(diabetes, settings, folder, runs=1, threads=1, only=None):
    chosen = converted(stage.Settings, settings | {"runs": runs})
    paths = [str(folder / name) for name in NAMES]
    stage.tune(str(diabetes), "diabetes", chosen, *paths, threads, only)
    if only is None:
        return parquet.read(paths[0], TRIALS), parquet.read(paths[1], BEST)
    return None


def test_every_trial_is_kept_and_the_best_chosen(diabetes, settings, tmp_path):
    trials, best = tune(diabetes, settings, tmp_path, runs=2)
    for run, rows in trials.groupby("run"):
        assert rows["trial"].tolist() == list(range(5))
        for name in HYPERPARAMETERS:
            assert rows[name].isin(settings["tuning"]["grid"][name]).all()
        assert (rows["err"] > 0).all() and (rows["err_bar"] >= rows["err"]).all()
        assert rows["best_epoch"].between(1, rows["epochs"]).all() and (rows["epochs"] <= 12).all()
        winner = best[best["run"] == run].iloc[0]
        assert winner["err"] == rows["err"].min() and winner["trial"] == rows.set_index("trial")["err"].idxmin()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(NAMES)


def test_same_seed_same_bytes_in_one_or_two_processes(diabetes, settings, tmp_path):
    for name, threads in (("a", 1), ("b", 2)):
        tune(diabetes, settings, tmp_path / name, runs=3, threads=threads)
    for name in NAMES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    errors = parquet.read(tmp_path / "a" / NAMES[0]).groupby("run")["err"].apply(tuple)
    assert errors.nunique() == 3


def test_a_repeated_point_is_looked_up(diabetes, settings, tmp_path, monkeypatch):
    settings["tuning"]["grid"] = {name: values[:1] for name, values in settings["tuning"]["grid"].items()}
    calls, real = [], engines.train_sweeps
    monkeypatch.setattr(engines, "train_sweeps", lambda *a, **k: calls.append(1) or real(*a, **k))
    trials, _ = tune(diabetes, settings, tmp_path)
    assert len(calls) == 1 and trials["repeated"].tolist() == [False] + [True] * 4
    assert trials["err"].nunique() == 1


def test_one_run_by_hand_is_kept_for_the_whole_job(diabetes, settings, tmp_path, monkeypatch):
    """Runs tuned one by one give the files that one job gives, and the job tunes none of them again."""
    tune(diabetes, settings, tmp_path / "whole", runs=2)
    for run in (1, 0):
        tune(diabetes, settings, tmp_path / "parts", runs=2, only=run)
    assert [p.name for p in (tmp_path / "parts").iterdir()] == ["tune"]
    monkeypatch.setattr(engines, "train_sweeps", None)
    tune(diabetes, settings, tmp_path / "parts", runs=2)
    for name in NAMES:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def test_a_run_of_which_every_trial_diverges_is_told(diabetes, settings, tmp_path):
    settings["tuning"] |= {"grid": settings["tuning"]["grid"] | {"learning_rate": [1e30]}}
    with pytest.raises(
        UserError, match="All 5 trials of diabetes, run 0, diverged in their first epoch: lower the learning"
    ):
        tune(diabetes, settings, tmp_path)
    assert not (tmp_path / NAMES[1]).exists()


def test_a_trial_that_diverged_is_never_the_best(diabetes, settings, tmp_path):
    """Not even where the others are worse than what it counts as for the optimiser."""
    rates = [1e30, 1e4]  # the second ends with a validation ERR far above 10
    settings["tuning"] |= {
        "trials": 8,
        "initial_points": 8,
        "grid": settings["tuning"]["grid"] | {"learning_rate": rates},
    }
    trials, best = tune(diabetes, settings, tmp_path)
    finite = trials["err"].notna()
    assert finite.any() and not finite.all() and trials["err"].min() > stage.DIVERGED
    assert best["err"].tolist() == [trials["err"].min()]


def test_what_was_kept_from_other_settings_is_not_used(diabetes, settings, tmp_path):
    other = settings | {"tuning": settings["tuning"] | {"beta": 1}}
    tune(diabetes, other, tmp_path / "a", only=0)
    tune(diabetes, settings, tmp_path / "a")
    tune(diabetes, settings, tmp_path / "b")
    assert (tmp_path / "a" / NAMES[0]).read_bytes() == (tmp_path / "b" / NAMES[0]).read_bytes()


@pytest.mark.parametrize("threads", ["1", "2"])
def test_killed_and_resumed(diabetes, settings, tmp_path, threads):
    """kill -9 in the middle: the finished trials are not trained again, and the files are byte-identical."""
    settings["training"] = settings["training"] | {"max_epochs": 150, "patience": 150}  # slow enough to be caught
    tune(diabetes, settings, tmp_path / "whole", runs=2)
    folder = tmp_path / "killed"
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(own_part(stage.Settings, settings | {"runs": 2})))
    command = [sys.executable, "-m", "learner_collusion", "tune", "--dataset", "diabetes", "--table", str(diabetes)]
    command += ["--settings", str(tmp_path / "settings.yaml"), "--processes", threads]
    command += ["--trials", str(folder / NAMES[0]), "--best", str(folder / NAMES[1])]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (folder / "tune/run0.parquet").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path.stem: len(parquet.read(path, TRIALS)) for path in (folder / "tune").glob("run*.parquet")}
    assert 1 <= sum(finished.values()) < 10 and not (folder / NAMES[0]).exists()

    trained, real = [], engines.train_sweeps
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "train_sweeps", lambda *a, **k: trained.append(1) or real(*a, **k))
        tune(diabetes, settings, folder, runs=2)
    assert len(trained) <= 10 - sum(finished.values())
    for name in NAMES:
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_damaged_part_is_told_and_made_anew(diabetes, settings, tmp_path, capsys):
    tune(diabetes, settings, tmp_path / "plain")
    part = tmp_path / "damaged/tune/run0.parquet"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"PAR1 cut short")
    tune(diabetes, settings, tmp_path / "damaged")
    assert f"{part} is not a complete Parquet file: it is made anew." in capsys.readouterr().out
    names = ("trials.parquet", "best.parquet")
    assert all((tmp_path / "plain" / n).read_bytes() == (tmp_path / "damaged" / n).read_bytes() for n in names)


@pytest.mark.parametrize(("table", "run", "words"), [("none.parquet", 0, "does not exist"), (None, 7, "choose one")])
def test_mistakes_are_told(diabetes, settings, tmp_path, table, run, words):
    with pytest.raises(UserError, match=words):
        tune(table or diabetes, settings, tmp_path, only=run)
    assert not list(tmp_path.iterdir())


def published(path, settings, runs=2, dataset="diabetes"):
    """Records whose metadata hold the points of some runs, out of order."""
    point = {
        "learning_rate": 0.01,
        "batch_size": 16,
        "weight_decay": 0.0,
        "learners": 5,
        "hidden_units": 10,
        "layers": 1,
    }
    points = {
        str(run): point | {"trial": run, "err": 0.5, "err_bar": 0.6, "best_epoch": 3} for run in range(runs)[::-1]
    }
    tuned = recorded(dataclasses.asdict(converted(stage.Settings, settings)))
    parquet.write(path, {name: [] for name in RECORDS.names}, RECORDS,
                  {dataset: {"training": {"hyperparameters": points, "tuned": tuned}}})  # fmt: skip
    return points


def test_published_points_take_the_place_of_a_search_by_torch_alone(diabetes, settings, tmp_path, monkeypatch):
    settings |= {"runs": 2}
    points = published(tmp_path / "records.parquet", settings)
    (tmp_path / "tune.yaml").write_text(yaml.safe_dump(own_part(stage.Settings, settings)))
    paths = {name: tmp_path / f"{name}.parquet" for name in ("trials", "best")}
    command = ["tune", "--settings", str(tmp_path / "tune.yaml"), "--dataset", "diabetes", "--table", str(diabetes)]
    command += ["--published", str(tmp_path / "records.parquet"), "--processes", "1"]
    command += [argument for name, path in paths.items() for argument in (f"--{name}", str(path))]
    searched = []
    monkeypatch.setattr(stage, "tune", lambda *_: searched.append(1))
    for engine in ("native", "torch"):
        monkeypatch.setattr(engines, "choose_engine", lambda *_, engine=engine: engine)
        assert main(command) == 0
    assert len(searched) == 1  # by the native engine
    best, trials = parquet.read(paths["best"], BEST), parquet.read(paths["trials"], TRIALS)
    assert best["run"].tolist() == [0, 1] and best["trial"].tolist() == [0, 1] == trials["trial"].tolist()
    assert best.drop(columns="run").to_dict("records") == [points["0"], points["1"]]
    assert parquet.read_metadata(paths["best"])["published"] == "records.parquet"


@pytest.mark.parametrize("change", [{"seed": 1}, {"runs": 3}])
def test_points_of_other_settings_are_refused(settings, tmp_path, change):
    settings |= {"runs": 2}
    published(tmp_path / "records.parquet", settings)
    chosen = converted(stage.Settings, settings | change)
    with pytest.raises(UserError, match="no hyper-parameters of diabetes"):
        stage.take_published(str(tmp_path / "records.parquet"), "diabetes", chosen, "trials", "best")
    with pytest.raises(UserError, match="no hyper-parameters of abalone"):
        stage.take_published(str(tmp_path / "records.parquet"), "abalone", chosen, "trials", "best")
