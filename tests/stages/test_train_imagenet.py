"""One cell of Table 1 from a list of pictures to its history."""

import argparse
import dataclasses
import os
import re
import shutil
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
from sessions import all_end, members

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
    return index_in(tmp_path_factory.mktemp("tiny"))


def index_in(folder: Path) -> Path:
    """Twelve pictures to train on, six to validate, of three classes."""
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


@pytest.fixture(scope="module")
def slow(mapping, tmp_path_factory) -> Path:
    """Settings under which rounding stays small: at a high rate it grows to percents within a dozen steps."""
    path = tmp_path_factory.mktemp("slow") / "settings.yaml"
    path.write_text(yaml.safe_dump(mapping | {"protocol": mapping["protocol"] | {"epochs": 4, "learning_rate": 2e-4}}))
    return path


def command(index: Path, settings: Path, folder: Path, *more: str) -> list[str]:
    """The command that trains the cell in a folder, without Python."""
    return ["-m", "learner_collusion", "train_imagenet", *FLAGS, "--index", str(index),
            "--settings", str(settings), "--checkpoint-minutes", "0",
            "--history", str(folder / "history.parquet"), "--checkpoint", str(folder / "checkpoint"), *more]  # fmt: skip


@pytest.fixture(scope="module")
def alone(index, slow, tmp_path_factory) -> Path:
    """The history of one process."""
    folder = tmp_path_factory.mktemp("alone")
    train_imagenet.run(options(*command(index, slow, folder)[3:]))
    return folder / "history.parquet"


def is_of_two(history: Path, alone: Path) -> bool:
    """Whether two processes wrote it; its numbers are those of one."""
    found, expected = parquet.read(history, CELL_HISTORY), parquet.read(alone, CELL_HISTORY)
    assert len(found) == len(expected)
    decided = expected["metric"].isin(["err", "err_bar", "div"])  # a hit more or less is no rounding
    np.testing.assert_allclose(found[decided]["value"], expected[decided]["value"], rtol=5e-3, atol=1e-4)
    return parquet.read_metadata(history)["hardware"]["processes"] == 2


ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT / "src")}
TEAM = ENVIRONMENT | {
    "GLOO_SOCKET_IFNAME": "lo",
    "OMP_NUM_THREADS": "1",
}  # nobody else takes part, and there may be no network


def test_killed_on_one_process_and_resumed_on_two_ends_with_the_same_numbers(index, slow, alone, tmp_path):
    """The command itself, killed with SIGKILL when it has written a checkpoint."""
    train = [sys.executable, *command(index, slow, tmp_path)]
    process = subprocess.Popen(train, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    while process.poll() is None and not (tmp_path / "checkpoint").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "history.parquet").exists()
    subprocess.run([*train, "--processes", "2"], check=True, env=ENVIRONMENT, capture_output=True)
    assert is_of_two(tmp_path / "history.parquet", alone) and not (tmp_path / "checkpoint").exists()


@pytest.fixture
def training(index, mapping, tmp_path):
    """A training that takes long, in a session of its own, after its first epoch; as a function of more options."""
    endless = mapping | {"protocol": mapping["protocol"] | {"epochs": 100000, "patience": None, "minimum_rate": 0.0}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(endless))
    started = []

    def start(*more: str) -> subprocess.Popen:
        train = [
            sys.executable,
            *command(index, tmp_path / "settings.yaml", tmp_path),
            "--checkpoint-minutes",
            "60",
            *more,
        ]
        with open(tmp_path / "log", "w") as log:
            started.append(subprocess.Popen(train, env=TEAM, stdout=log, stderr=log, start_new_session=True))
        after(0)
        return started[0]

    def after(epochs: int) -> None:
        """Wait until so many more lines than now are told."""
        known, end = len(lines()), time.monotonic() + 200
        while len(lines()) <= known + epochs:
            assert started[0].poll() is None and time.monotonic() < end, (tmp_path / "log").read_text()
            time.sleep(0.05)

    def lines() -> list[str]:
        return re.findall("^epoch.*", (tmp_path / "log").read_text(), re.M)

    start.after = after
    yield start
    for process in members(started[0].pid):
        os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("more", [("--workers", "1"), ("--workers", "1", "--processes", "2")], ids=str)
def test_sigterm_that_reaches_every_process_ends_it_with_a_checkpoint(training, tmp_path, more):
    """Those that decode pictures get it first, and go on: the step in hand may wait for them."""
    process = training(*more)
    helpers = [pid for pid in members(process.pid) if "forkserver" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert helpers
    for pid in helpers:
        os.kill(pid, signal.SIGTERM)
    training.after(3)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(100) == 143, (tmp_path / "log").read_text()
    assert (tmp_path / "checkpoint").exists() and not (tmp_path / "history.parquet").exists()
    told = (tmp_path / "log").read_text()
    assert told.count("Ended by SIGTERM: its checkpoint is written") == 1 and "Traceback" not in told


def test_sigterm_at_the_first_process_alone_is_handed_on(training, tmp_path):
    """As in a container, or by `kill`."""
    process = training("--processes", "2")
    process.terminate()
    assert process.wait(100) == 143 and (tmp_path / "checkpoint").exists()
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_killed_training_leaves_no_worker_behind(training):
    process = training("--workers", "1")
    assert len(members(process.pid)) >= 3  # a server of processes and what it started
    process.kill()
    process.wait()
    assert all_end(process.pid)


def test_torchrun_starts_the_command(index, slow, alone, tmp_path):
    """As docs/several_gpus.md has it, on two processes of the CPU; without `--` torchrun takes `--run` for an option of its own."""
    assert "-m -- learner_collusion train_imagenet" in (ROOT / "docs/several_gpus.md").read_text(encoding="utf-8")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    module, *arguments = command(index, slow, tmp_path)
    train = [*torchrun, module, "--", *arguments]
    result = subprocess.run(train, env=TEAM, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-3000:]
    told = re.findall("^epoch.*", result.stdout, re.M)
    assert is_of_two(tmp_path / "history.parquet", alone) and told and len(told) == len(set(told))


def test_srun_starts_the_command(slow, alone, slurm):
    """The same on a real SLURM, whose nodes share the file system of the clone."""
    folder = ROOT / "runs/srun-test"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(slow, folder / "settings.yaml")
    srun = ["srun", "--ntasks=2", "--cpus-per-task=1", "--time=5", sys.executable]
    train = [*srun, *command(index_in(folder), folder / "settings.yaml", folder)]
    result = subprocess.run(train, env=TEAM, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-3000:]
    assert is_of_two(folder / "history.parquet", alone)
    shutil.rmtree(folder)
