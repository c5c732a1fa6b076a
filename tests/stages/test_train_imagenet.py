"""One cell of Table 1 from a list of pictures to its history."""

import argparse
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import drawn_pictures
import numpy as np
import pytest
import yaml
from conftest import ROOT

from learner_collusion.data import imagenet
from learner_collusion.errors import UserError
from learner_collusion.plan import cells
from learner_collusion.plan.settings import convert
from learner_collusion.records import parquet
from learner_collusion.records.images import CELL_HISTORY
from learner_collusion.stages import train_imagenet
from learner_collusion.stages.train_imagenet import Job
from learner_collusion.training.protocol import Cell, Hardware

CELL = Cell("imagenet", "tiny", "imagenet_resnet18", 2, "probability", drop_rate=0.0, beta=1.0, run=0)
FLAGS = ("--dataset", "tiny", "--model", CELL.model, "--learners", "2", "--beta", "1", "--run", "0")


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Path:
    """Twelve pictures to train on, six to validate, of three classes."""
    folder = tmp_path_factory.mktemp("tiny")
    drawn_pictures.write(folder / "pictures", drawn_pictures.drawn())
    imagenet.prepare("tiny", drawn_pictures.settings(folder / "pictures"), folder / "tiny.pictures.parquet", None)
    return folder / "tiny.pictures.parquet"


@pytest.fixture(scope="module")
def mapping() -> dict:
    """The stage's settings as the workflow writes them, small: three steps an epoch."""
    protocol = {
        "optimiser": "sgd", "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 1e-4, "epochs": 2, "milestones": [],
        "decay": 0.2, "rate_patience": 6, "minimum_rate": 1e-8, "patience": 15, "batch_size": 4, "accumulate": 1,
        "evaluate_every": 2, "width": 0.125, "size": 48, "evaluation_size": None, "scale": [0.5, 1], "flip": True,
        "subset": {"train": None, "test": None},
    }  # fmt: skip
    return {"seed": 0, "protocol": protocol, "precision": "fp32",
            "dataset": {"classes": 3, "mean": [123.7, 116.3, 103.5], "std": [58.4, 57.1, 57.4]}}  # fmt: skip


@pytest.fixture
def job(index, mapping, tmp_path) -> Job:
    settings = convert(mapping, train_imagenet.Settings)
    return Job(CELL, settings, Hardware(), str(index), str(tmp_path / "h.parquet"), str(tmp_path / "c"))


def values(history) -> np.ndarray:
    return parquet.read(history, CELL_HISTORY)["value"].to_numpy()


def test_a_cell_is_written_evaluation_by_evaluation(job, mapping):
    train_imagenet.train(None, job)
    rows = parquet.read(job.history, CELL_HISTORY)
    found = rows.set_index(["evaluation", "split", "metric", "learner"])["value"]
    assert len(found) == 3 * 2 * (4 + 2 + 1) + 1 and found.index.is_unique
    for evaluation in (1, 2, 3):
        for split in ("train", "validation"):
            err, err_bar, div = (found[evaluation, split, name, -1] for name in ("err", "err_bar", "div"))
            assert div == pytest.approx(err_bar - err, abs=1e-5)
            assert found[evaluation, split, "top5", -1] == 1  # of three classes
    metadata = parquet.read_metadata(job.history)
    assert metadata["cell"] == dataclasses.asdict(CELL) and metadata["hardware"]["processes"] == 1
    assert metadata["settings"] == {key: mapping[key] for key in ("seed", "dataset")} | {
        "protocol": mapping["protocol"] | {"cache": None, "scaled": False, "learner_options": {}}
    }
    assert not Path(job.checkpoint).exists()


def test_pictures_that_are_not_available_give_an_empty_history_that_says_why(job, tmp_path, capsys):
    gone = drawn_pictures.settings(tmp_path / "nowhere", missing="leave_out")
    imagenet.prepare("tiny", gone, tmp_path / "gone.parquet", None)
    train_imagenet.train(None, dataclasses.replace(job, index=str(tmp_path / "gone.parquet")))
    assert len(values(job.history)) == 0
    metadata = parquet.read_metadata(job.history)
    assert metadata["missing"] and metadata["cell"]["dataset"] == "tiny"
    assert "tiny is not available" in capsys.readouterr().out


def test_what_does_not_fit_is_one_sentence(job):
    other = dataclasses.replace(job, cell=dataclasses.replace(CELL, dataset="imagenet"))
    with pytest.raises(UserError, match="lists tiny, not imagenet"):
        train_imagenet.train(None, other)
    from learner_collusion.training.distributed import Place

    compiled = dataclasses.replace(job, hardware=Hardware(compile=True))
    with pytest.raises(UserError, match="single process"):
        train_imagenet.train(Place(0, 2, ""), compiled)


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train_imagenet.add_arguments(parser)
    return parser.parse_args(arguments)


def test_the_command_needs_no_more_than_the_cell(job, index, mapping, monkeypatch, tmp_path):
    """Paths default to the workflow's; a score average is another cell."""
    monkeypatch.chdir(tmp_path)
    Path("results/datasets").mkdir(parents=True)
    Path("results/datasets/tiny.pictures.parquet").write_bytes(index.read_bytes())
    Path("settings.yaml").write_text(yaml.safe_dump(mapping))
    train_imagenet.run(options(*FLAGS, "--settings", "settings.yaml"))
    train_imagenet.train(None, job)
    path = cells.imagenet_path(dataset="tiny", model=CELL.model, learners=2, beta=1, run=0)
    one, other = parquet.read_arrow(path), parquet.read_arrow(job.history)
    assert one.equals(other) and parquet.read_metadata(path) == parquet.read_metadata(job.history)
    assert parquet.read_made(path)[1]["name"] in path


def test_the_stage_is_light_at_import():
    code = (
        "import sys; import learner_collusion.stages.train_imagenet;"
        "assert not {'torch', 'numpy', 'pandas', 'pyarrow'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})


def test_killed_on_one_process_and_resumed_on_two_ends_with_the_same_numbers(index, mapping, tmp_path):
    """The command itself, killed with SIGKILL when it has written a checkpoint."""
    slow = {"epochs": 4, "learning_rate": 2e-4}  # at a high rate rounding grows to percents within a dozen steps
    longer = mapping | {"protocol": mapping["protocol"] | slow}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(longer))

    def command(folder: Path, *more: str) -> list[str]:
        return [sys.executable, "-m", "learner_collusion", "train_imagenet", *FLAGS, "--index", str(index),
                "--settings", str(tmp_path / "settings.yaml"), "--checkpoint-minutes", "0",
                "--history", str(folder / "history.parquet"), "--checkpoint", str(folder / "checkpoint"), *more]  # fmt: skip

    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    one, two = tmp_path / "one", tmp_path / "two"
    train_imagenet.run(options(*command(one)[4:]))
    process = subprocess.Popen(command(two), env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None and not (two / "checkpoint").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (two / "history.parquet").exists()
    subprocess.run(command(two, "--processes", "2"), check=True, env=environment, capture_output=True)
    whole, resumed = (parquet.read(folder / "history.parquet", CELL_HISTORY) for folder in (one, two))
    assert len(whole) == len(resumed)
    decided = whole["metric"].isin(["err", "err_bar", "div"])  # a hit more or less is no rounding
    np.testing.assert_allclose(resumed[decided]["value"], whole[decided]["value"], rtol=5e-3, atol=1e-4)
    assert parquet.read_metadata(two / "history.parquet")["hardware"]["processes"] == 2
    assert not (two / "checkpoint").exists()
