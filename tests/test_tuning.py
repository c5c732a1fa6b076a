"""Tuning: all trials kept, the same for the same seed, and resumed after kill -9 without repeating a trial."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from learner_collusion import records, tuning
from learner_collusion.errors import UserError
from learner_collusion.tabular import HYPERPARAMETERS


def tune(diabetes, settings, folder, run=0):
    folder.mkdir(parents=True, exist_ok=True)
    tuning.tune(str(diabetes), "diabetes", run, settings, str(folder / "trials.parquet"), str(folder / "best.json"))
    return records.read(folder / "trials.parquet", records.TRIALS).to_pylist(), json.loads(
        (folder / "best.json").read_text()
    )


def test_every_trial_is_kept_and_the_best_chosen(diabetes, settings, tmp_path):
    rows, best = tune(diabetes, settings, tmp_path / "a")
    assert [row["iteration"] for row in rows] == list(range(5))
    for row in rows:
        assert all(row[name] in settings["tuning"]["grid"][name] for name in HYPERPARAMETERS)
        assert row["err"] > 0 and row["err_bar"] >= row["err"] and 1 <= row["best_epoch"] <= row["epochs"] <= 12
    assert best["err"] == min(row["err"] for row in rows)
    assert not list(tmp_path.rglob("*.partial.parquet"))


def test_same_seed_same_trials(diabetes, settings, tmp_path):
    for name in ("a", "b"):
        tune(diabetes, settings, tmp_path / name)
    assert (tmp_path / "a" / "trials.parquet").read_bytes() == (tmp_path / "b" / "trials.parquet").read_bytes()
    other = tune(diabetes, settings, tmp_path / "c", run=1)[0]
    again = records.read(tmp_path / "a" / "trials.parquet").to_pylist()
    assert [r["err"] for r in other] != [r["err"] for r in again]


def test_a_repeated_point_is_looked_up(diabetes, settings, tmp_path, monkeypatch):
    settings["tuning"]["grid"] = {name: values[:1] for name, values in settings["tuning"]["grid"].items()}
    calls = []
    real = tuning.train_sweeps
    monkeypatch.setattr(tuning, "train_sweeps", lambda *a, **k: calls.append(1) or real(*a, **k))
    rows, _ = tune(diabetes, settings, tmp_path)
    assert len(calls) == 1 and [row["repeated"] for row in rows] == [False] + [True] * 4
    assert len({row["err"] for row in rows}) == 1


def test_killed_and_resumed(diabetes, settings, tmp_path):
    """kill -9 in the middle: the finished trials are not trained again, and the file is the same, byte for byte."""
    settings["training"] = settings["training"] | {"max_epochs": 150, "patience": 150}  # slow enough to be caught
    tune(diabetes, settings, tmp_path / "whole")
    folder = tmp_path / "killed"
    folder.mkdir()
    code = (
        "import json, sys; from learner_collusion import tuning;"
        "table, settings, folder = sys.argv[1:];"
        "tuning.tune(table, 'diabetes', 0, json.loads(settings), folder + '/trials.parquet', folder + '/best.json')"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(diabetes), json.dumps(settings), str(folder)])
    partial = folder / "trials.partial.parquet"
    deadline = time.monotonic() + 60
    while not partial.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = records.read(partial, records.TRIALS).num_rows
    assert 1 <= done < 5 and not (folder / "trials.parquet").exists()

    trained = []
    real = tuning.train_sweeps
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "train_sweeps", lambda *a, **k: trained.append(1) or real(*a, **k))
        tune(diabetes, settings, folder)
    assert len(trained) == 5 - done
    for name in ("trials.parquet", "best.json"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_truncated_journal_is_told(diabetes, settings, tmp_path):
    (tmp_path / "trials.partial.parquet").write_bytes(b"PAR1 cut short")
    with pytest.raises(UserError, match="delete it and run again"):
        tune(diabetes, settings, tmp_path)
