"""SIGTERM ends a training after its next step, with a checkpoint, and it goes on to the same numbers."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from conftest import ROOT
from image_cells import CELL, HARDWARE, replaced, train

from learner_collusion.data import digits, image_arrays
from learner_collusion.training import interrupt

RARELY = replaced(HARDWARE, checkpoint_minutes=1e9)


def after(steps: int):
    """`interrupt.asked` as it is when the signal comes after so many steps."""
    asked = iter([False] * (steps - 1) + [True] * 1000)
    return lambda: next(asked)


@pytest.mark.parametrize("steps", [1, 5, 7, 15])
def test_ended_after_any_step_it_goes_on_to_the_same_numbers(images, protocol, tmp_path, monkeypatch, capsys, steps):
    path, calm = tmp_path / "c", train(images, protocol)
    with monkeypatch.context() as patch:
        patch.setattr(interrupt, "asked", after(steps))
        with pytest.raises(SystemExit) as ended:
            train(images, protocol, checkpoint=path, hardware=RARELY)
    assert ended.value.code == 143 and path.exists()
    assert "its checkpoint is written" in capsys.readouterr().out
    again = train(images, protocol, checkpoint=path, hardware=RARELY)
    np.testing.assert_array_equal(calm.values, again.values)


def test_without_a_checkpoint_it_ends_as_well(images, protocol, monkeypatch, capsys):
    monkeypatch.setattr(interrupt, "asked", after(2))
    with pytest.raises(SystemExit):
        train(images, protocol, CELL, None, RARELY)
    assert "no checkpoint" in capsys.readouterr().out


def test_the_signal_reaches_every_process_of_the_rule(tmp_path):
    """The shell command of the rule, as a scheduler ends it: shell, training and `tee` all get the signal."""
    rule = (ROOT / "workflow/rules/images.smk").read_text()
    before, behind = re.search(r'f"""(.*?)python -m learner_collusion.*?(2>&1.*?)"""', rule, re.S).groups()
    data = tmp_path / "digits.npz"
    (train_x, train_y), (test_x, test_y) = digits.read("digits", {}, {})
    arrays = (train_x[:300], train_y[:300], test_x[:50], test_y[:50])
    image_arrays.write(str(data), dict(zip(image_arrays.ARRAYS, arrays, strict=True)), {"dataset": "digits"})
    config = yaml.safe_load((ROOT / "config.yaml").read_text())["images"]
    protocol = config["protocols"]["cnn"] | {"epochs": 2000, "patience": None, "width": 0.5, "batch_size": 32}
    dataset = {key: config["datasets"]["digits"][key] for key in ("classes", "mean", "std")}
    settings = {"seed": 0, "protocol": protocol, "precision": "fp32", "dataset": dataset}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    command = (
        f"set -euo pipefail; {before} {sys.executable} -m learner_collusion train_images --settings settings.yaml "
        f"--images digits.npz --protocol cnn --dataset digits --model cnn --learners 2 --beta 1 --run 0 --device cpu "
        f"--history history.parquet --checkpoint-minutes 60 {behind}"
    ).replace("{{log:q}}", "log")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    job = subprocess.Popen(["bash", "-c", command], cwd=tmp_path, env=environment, start_new_session=True)
    deadline = time.monotonic() + 200
    while "epoch 1 " not in ((tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""):
        assert job.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(job.pid, signal.SIGTERM)
    assert job.wait(60) == 143
    assert (tmp_path / "history.parquet.checkpoint").exists() and not (tmp_path / "history.parquet").exists()
    assert "Ended by SIGTERM: its checkpoint is written" in (tmp_path / "log").read_text()
