"""A run's sweep: the same bytes alone or beside others, on one or two threads, and after kill -9."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from learner_collusion import native, records, tabular
from learner_collusion.errors import UserError

BEST = {"learning_rate": 0.01, "batch_size": 16, "weight_decay": 0.001, "learners": 6, "hidden": 10, "layers": 2}
NAMES = ("history.parquet", "predictions.parquet")
exact = pytest.mark.skipif(native.compiled() is None, reason="exactness is the native engine's; no C++ compiler")


def sweep(diabetes, settings, folder, threads=1):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "best.json").write_text(json.dumps(BEST | {"best_epoch": 4}))
    outputs = [str(folder / name) for name in NAMES]
    best, outputs = [str(folder / "best.json")], [[path] for path in outputs]
    tabular.sweep_runs(str(diabetes), best, "diabetes", [0], settings, *outputs, threads)
    return [(folder / name).read_bytes() for name in NAMES]


def test_what_is_written(diabetes, settings, tmp_path):
    sweep(diabetes, settings, tmp_path)
    history = records.read(tmp_path / "history.parquet", records.HISTORY)
    betas, f, y = tabular.read_predictions(str(tmp_path / "predictions.parquet"))
    assert list(betas) == [0, 0.5, 1] and f.shape == (3, len(y), 6) and len(y) == 88
    assert records.metadata_of(history)["hyperparameters"] == BEST
    for beta in betas:
        mine = records.column(history, "beta") == beta
        assert list(records.column(history, "epoch")[mine]) == list(range(1, mine.sum() + 1))
        assert records.column(history, "best")[mine].sum() == 1
        err = records.column(history, "validation_err")[mine]
        assert records.column(history, "best")[mine].argmax() == err.argmin()
        difference = records.column(history, "validation_err_bar")[mine] - err
        np.testing.assert_allclose(records.column(history, "validation_div")[mine], difference, atol=1e-5)


@exact
def test_same_bytes_on_one_and_two_threads(diabetes, settings, tmp_path):
    assert sweep(diabetes, settings, tmp_path / "1", 1) == sweep(diabetes, settings, tmp_path / "2", 2)


@exact
def test_a_beta_alone_has_the_same_bytes(diabetes, settings, tmp_path):
    sweep(diabetes, settings, tmp_path / "all")
    sweep(diabetes, settings | {"betas": [0.5]}, tmp_path / "one")
    _, together, _ = tabular.read_predictions(str(tmp_path / "all" / "predictions.parquet"))
    _, alone, _ = tabular.read_predictions(str(tmp_path / "one" / "predictions.parquet"))
    assert together[1].tobytes() == alone[0].tobytes()


def test_a_beta_alone_on_torch_has_the_same_split_and_agrees(diabetes, settings, tmp_path):
    settings = settings | {"engine": "torch"}
    sweep(diabetes, settings, tmp_path / "all")
    sweep(diabetes, settings | {"betas": [0.5]}, tmp_path / "one")
    _, together, y = tabular.read_predictions(str(tmp_path / "all" / "predictions.parquet"))
    _, alone, same = tabular.read_predictions(str(tmp_path / "one" / "predictions.parquet"))
    assert np.array_equal(y, same)
    np.testing.assert_allclose(together[1], alone[0], atol=0.02)


@pytest.mark.parametrize("engine", [pytest.param("native", marks=exact), "torch"])
def test_several_runs_in_one_call_are_each_alone(diabetes, settings, tmp_path, engine):
    """Runs 0 and 2 have the same shape and other rates, and train as one program on torch; run 1 has another shape."""
    points = [BEST, BEST | {"learners": 5, "hidden": 20}, BEST | {"learning_rate": 0.005, "weight_decay": 0.0}]
    settings, files = settings | {"engine": engine}, {}
    for name in ("best.json", *NAMES):
        files[name] = [str(tmp_path / f"{run}_{name}") for run in range(3)]
    for path, point in zip(files["best.json"], points, strict=True):
        Path(path).write_text(json.dumps(point))
    tabular.sweep_runs(str(diabetes), files["best.json"], "diabetes", [0, 1, 2], settings, *(files[n] for n in NAMES))
    for run in range(3):
        alone = [str(tmp_path / f"alone_{name}") for name in NAMES]
        best = [files["best.json"][run]]
        tabular.sweep_runs(str(diabetes), best, "diabetes", [run], settings, *([path] for path in alone))
        _, together, y = tabular.read_predictions(files[NAMES[1]][run])
        _, single, same = tabular.read_predictions(alone[1])
        assert np.array_equal(y, same)
        if engine == "native":
            assert together.tobytes() == single.tobytes()
        np.testing.assert_allclose(together, single, atol=0.02)


@exact
def test_killed_halfway_and_run_again(diabetes, settings, tmp_path):
    # several seconds of training, so that it is not done when it is killed: 4,000 epochs take half a second
    settings["training"] = settings["training"] | {"max_epochs": 20000, "patience": 20000}
    whole = sweep(diabetes, settings, tmp_path / "whole")
    folder = tmp_path / "killed"
    folder.mkdir()
    (folder / "best.json").write_text(json.dumps(BEST))
    arguments = ["--dataset", "diabetes", "--runs", "0", "--settings", json.dumps(settings), "--table", str(diabetes)]
    for name in ("best.json", *NAMES):
        arguments += [f"--{name.split('.')[0]}", str(folder / name)]
    process = subprocess.Popen([sys.executable, "-m", "learner_collusion", "train", *arguments])
    time.sleep(1.0)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (folder / "predictions.parquet").exists()
    assert sweep(diabetes, settings, folder) == whole


def test_folding_the_validation_part_in(diabetes, settings, tmp_path):
    settings["training"] = settings["training"] | {"fold_validation": True}
    sweep(diabetes, settings, tmp_path)
    history = records.read(tmp_path / "history.parquet", records.HISTORY)
    assert records.column(history, "epoch").max() == 4  # as many epochs as tuning found best


def test_predictions_cut_short_are_told(diabetes, settings, tmp_path):
    sweep(diabetes, settings, tmp_path)
    path = tmp_path / "predictions.parquet"
    table = records.read(path)
    records.write(path, table.slice(0, table.num_rows - 1), records.PREDICTIONS)
    with pytest.raises(UserError, match="every learner for every beta"):
        tabular.read_predictions(str(path))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match="not a whole Parquet file"):
        tabular.read_predictions(str(path))
