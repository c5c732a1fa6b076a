"""The sweep of a data set: the same bytes alone or beside others, in one or two processes, and after kill -9."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import converted, own_part

from learner_collusion import native
from learner_collusion.errors import UserError
from learner_collusion.records import parquet
from learner_collusion.records.tabular import BEST, HISTORY, PREDICTIONS
from learner_collusion.stages import train_tabular as stage
from learner_collusion.stages.evaluate import read_run

POINT = {"learning_rate": 0.01, "batch_size": 16, "weight_decay": 0.001, "learners": 6, "hidden_units": 10, "layers": 2}
NAMES = ("history.parquet", "predictions.parquet")
exact = pytest.mark.skipif(native.compiled() is None, reason="exactness is the native engine's; no C++ compiler")


def write_best(path, points):
    rows = [{"run": run, "trial": 0, "err": 0.5, "err_bar": 0.6, "best_epoch": 4} | p for run, p in enumerate(points)]
    parquet.write(path, pd.DataFrame(rows), BEST)


def sweep(diabetes, settings, folder, points=(POINT,), threads=1, only=None):
    folder.mkdir(parents=True, exist_ok=True)
    write_best(folder / "best.parquet", points)
    chosen = converted(stage.Settings, settings | {"runs": len(points)})
    outputs = [str(folder / name) for name in NAMES]
    stage.train(str(diabetes), str(folder / "best.parquet"), "diabetes", chosen, *outputs, threads, only)
    return [(folder / name).read_bytes() for name in NAMES] if only is None else None


def test_what_is_written(diabetes, settings, tmp_path):
    sweep(diabetes, settings, tmp_path, (POINT, POINT))
    history = parquet.read(tmp_path / NAMES[0], HISTORY)
    assert set(history["run"]) == {0, 1}
    betas, f, y = read_run(str(tmp_path / NAMES[1]), 0)
    assert list(betas) == [0, 0.5, 1] and f.shape == (3, len(y), 6) and len(y) == 88
    metadata = parquet.read_metadata(tmp_path / NAMES[0])
    assert {name: metadata["hyperparameters"]["0"][name] for name in POINT} == POINT
    for _, mine in history.groupby(["run", "beta"]):
        assert mine["epoch"].tolist() == list(range(1, len(mine) + 1)) and mine["best"].sum() == 1
        assert mine["best"].argmax() == mine["validation_err"].argmin()
        difference = mine["validation_err_bar"] - mine["validation_err"]
        np.testing.assert_allclose(mine["validation_div"], difference, atol=1e-5)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["best.parquet", *NAMES])


@exact
def test_same_bytes_in_one_and_two_processes(diabetes, settings, tmp_path):
    points = (POINT, POINT | {"learners": 5})
    assert sweep(diabetes, settings, tmp_path / "1", points, 1) == sweep(diabetes, settings, tmp_path / "2", points, 2)
    # one run left for two processes: its betas are divided among two threads
    assert sweep(diabetes, settings, tmp_path / "3", threads=1) == sweep(diabetes, settings, tmp_path / "4", threads=2)


@exact
def test_a_beta_alone_has_the_same_bytes(diabetes, settings, tmp_path):
    sweep(diabetes, settings, tmp_path / "all")
    sweep(diabetes, settings | {"betas": [0.5]}, tmp_path / "one")
    _, together, _ = read_run(str(tmp_path / "all" / NAMES[1]), 0)
    _, alone, _ = read_run(str(tmp_path / "one" / NAMES[1]), 0)
    assert together[1].tobytes() == alone[0].tobytes()


@exact
def test_the_order_of_the_betas_changes_no_number(diabetes, settings, tmp_path):
    sweep(diabetes, settings, tmp_path / "up")
    sweep(diabetes, settings | {"betas": [1, 0, 0.5]}, tmp_path / "mixed")
    up, mixed = (read_run(str(tmp_path / name / NAMES[1]), 0) for name in ("up", "mixed"))
    for a, b in zip(up, mixed, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_beta_alone_on_torch_has_the_same_split_and_agrees(diabetes, settings, tmp_path):
    settings = settings | {"engine": "torch"}
    sweep(diabetes, settings, tmp_path / "all")
    sweep(diabetes, settings | {"betas": [0.5]}, tmp_path / "one")
    _, together, y = read_run(str(tmp_path / "all" / NAMES[1]), 0)
    _, alone, same = read_run(str(tmp_path / "one" / NAMES[1]), 0)
    assert np.array_equal(y, same)
    np.testing.assert_allclose(together[1], alone[0], atol=0.02)


@pytest.mark.parametrize("engine", [pytest.param("native", marks=exact), "torch"])
def test_several_runs_in_one_call_are_each_alone(diabetes, settings, tmp_path, engine):
    """Runs 0 and 2 have the same shape and other rates, and train as one program on torch; run 1 has another shape."""
    points = [POINT, POINT | {"learners": 5, "hidden_units": 20}, POINT | {"learning_rate": 0.005, "weight_decay": 0.0}]
    settings = settings | {"engine": engine}
    sweep(diabetes, settings, tmp_path / "together", points)
    for run in range(3):
        sweep(diabetes, settings, tmp_path / "alone", points, only=run)
        kept = tmp_path / "alone/train" / f"run{run}.predictions.parquet"
        _, together, y = read_run(str(tmp_path / "together" / NAMES[1]), run)
        _, alone, same = read_run(str(kept), run)
        assert np.array_equal(y, same)
        if engine == "native":
            assert together.tobytes() == alone.tobytes()
        np.testing.assert_allclose(together, alone, atol=0.02)


@exact
def test_killed_halfway_and_run_again(diabetes, settings, tmp_path):
    # several seconds of training, so that it is not done when it is killed: 4,000 epochs take half a second
    settings["training"] = settings["training"] | {"max_epochs": 20000, "patience": 20000}
    whole = sweep(diabetes, settings, tmp_path / "whole")
    folder = tmp_path / "killed"
    folder.mkdir()
    write_best(folder / "best.parquet", (POINT,))
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(own_part(stage.Settings, settings | {"runs": 1})))
    command = [
        sys.executable,
        "-m",
        "learner_collusion",
        "train_tabular",
        "--dataset",
        "diabetes",
        "--table",
        str(diabetes),
    ]
    command += ["--settings", str(tmp_path / "settings.yaml"), "--best", str(folder / "best.parquet")]
    command += ["--history", str(folder / NAMES[0]), "--predictions", str(folder / NAMES[1])]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    time.sleep(1.5)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (folder / NAMES[1]).exists()
    assert sweep(diabetes, settings, folder) == whole


@exact
def test_finished_runs_are_not_trained_again(diabetes, settings, tmp_path, monkeypatch):
    points = (POINT, POINT | {"learners": 5})
    whole = sweep(diabetes, settings, tmp_path / "whole", points)
    for run in (0, 1):
        sweep(diabetes, settings, tmp_path / "parts", points, only=run)
    monkeypatch.setattr(stage, "_train_runs", None)
    assert sweep(diabetes, settings, tmp_path / "parts", points) == whole


def test_training_on_the_validation_part_too(diabetes, settings, tmp_path):
    settings["training"] = settings["training"] | {"refit_on_train_and_validation": True}
    sweep(diabetes, settings, tmp_path)
    assert parquet.read(tmp_path / NAMES[0], HISTORY)["epoch"].max() == 4  # as many epochs as tuning found best


@pytest.mark.parametrize("engine", [pytest.param("native", marks=exact), "torch"])
@pytest.mark.parametrize("refit", [False, True])
def test_a_run_that_diverges_in_its_first_epoch_predicts_nothing(diabetes, settings, tmp_path, capsys, engine, refit):
    """Not with initial weights, which would count as a trained ensemble; the other run is as it is alone."""
    settings["engine"], settings["training"] = engine, settings["training"] | {"refit_on_train_and_validation": refit}
    sweep(diabetes, settings, tmp_path / "alone")
    sweep(diabetes, settings, tmp_path / "both", (POINT, POINT | {"learning_rate": 1e30}))
    assert "run 1: 3 betas" in (printed := capsys.readouterr().out) and "beta 1 diverged in epoch 1" in printed
    history = parquet.read(tmp_path / "both" / NAMES[0], HISTORY)
    assert history[history["run"].eq(1)]["diverged"].all() and not history[history["run"].eq(0)]["diverged"].any()
    path = str(tmp_path / "both" / NAMES[1])
    with pytest.raises(UserError, match="not finite in run 1"):
        read_run(path, 1)
    _, f, y = read_run(path, 1, (0, 0.5, 1))
    assert np.isnan(f).all() and f.shape == (3, 88, 6) and np.isfinite(y).all()
    _, together, _ = read_run(path, 0)
    _, alone, _ = read_run(str(tmp_path / "alone" / NAMES[1]), 0)
    np.testing.assert_array_equal(together, alone)


def test_a_run_that_was_not_tuned_is_told(diabetes, settings, tmp_path):
    write_best(tmp_path / "best.parquet", (POINT,))
    chosen = converted(stage.Settings, settings | {"runs": 2})
    with pytest.raises(UserError, match="has no run 1"):
        stage.train(str(diabetes), str(tmp_path / "best.parquet"), "diabetes", chosen, *map(str, NAMES))


def test_predictions_cut_short_are_told(diabetes, settings, tmp_path):
    sweep(diabetes, settings, tmp_path)
    path = tmp_path / NAMES[1]
    table = parquet.read(path)
    for damaged in (table.iloc[:-1], table.iloc[1:], table.sample(frac=1, random_state=0)):
        parquet.write(path, damaged, PREDICTIONS)
        with pytest.raises(UserError, match="lacks predictions of run 0"):
            read_run(str(path), 0)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match="not a complete Parquet file"):
        read_run(str(path), 0)
