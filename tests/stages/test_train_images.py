"""One cell from prepared images to its history."""

import argparse
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT

from learner_collusion import native
from learner_collusion.data import digits, image_arrays
from learner_collusion.errors import UserError
from learner_collusion.plan import cells
from learner_collusion.plan.settings import convert
from learner_collusion.records import parquet
from learner_collusion.records.images import CELL_HISTORY
from learner_collusion.stages import train_images
from learner_collusion.training.protocol import Cell, Hardware

CELL = Cell("sgd", "digits", "cnn", 2, "probability", drop_rate=0.0, beta=1.0, run=0)


@pytest.fixture(scope="module")
def mapping(config) -> dict:
    """The stage's settings as the workflow writes them, small."""
    protocol = config["images"]["protocols"]["sgd"] | {
        "epochs": 2,
        "batch_size": 32,
        "width": 0.5,
        "learning_rate": 0.02,
        "subset": {"train": 200, "test": 50},
    }
    dataset = {key: config["images"]["datasets"]["digits"][key] for key in ("classes", "mean", "std")}
    return {"seed": 0, "protocol": protocol, "precision": "fp32", "dataset": dataset}


@pytest.fixture
def settings(mapping) -> train_images.Settings:
    return convert(mapping, train_images.Settings)


@pytest.fixture(scope="module")
def npz(tmp_path_factory) -> str:
    """scikit-learn's digits, prepared."""
    path = str(tmp_path_factory.mktemp("digits") / "digits.npz")
    train, test = digits.read("digits", {}, {})
    image_arrays.write(path, dict(zip(image_arrays.ARRAYS, (*train, *test), strict=True)), {"dataset": "digits"})
    return path


def test_a_cell_is_written_evaluation_by_evaluation(npz, settings, tmp_path):
    history = tmp_path / "h.parquet"
    train_images.train(CELL, settings, Hardware(), npz, str(history), str(tmp_path / "c"))
    rows = parquet.read(history, CELL_HISTORY)
    values = rows.set_index(["evaluation", "split", "metric", "learner"])["value"]
    assert len(values) == 2 * 3 * (4 + 2) + 1 and values.index.is_unique
    for evaluation in (1, 2):
        for split in ("train", "validation", "test"):
            err, err_bar, div = (values[evaluation, split, name, -1] for name in ("err", "err_bar", "div"))
            assert div == pytest.approx(err_bar - err, abs=1e-5)
            assert all(0 <= values[evaluation, split, "accuracy", learner] <= 1 for learner in (-1, 0, 1))
    best = rows[rows["metric"] == "best"]
    lowest = min((1, 2), key=lambda evaluation: values[evaluation, "validation", "err", -1])
    assert best.values.tolist() == [[lowest, "validation", "best", -1, 1.0]]
    metadata = parquet.read_metadata(history)
    assert metadata["cell"] == dataclasses.asdict(CELL)
    assert (metadata["best_evaluation"], metadata["diverged"], metadata["precision"]) == (lowest, 0, "fp32")
    assert metadata["settings"]["protocol"]["subset"] == {"train": 200, "test": 50}
    assert not (tmp_path / "c").exists()


def test_the_history_tells_what_its_last_bits_depend_on(npz, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("LEARNER_COLLUSION_ISA", "portable")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    train_images.train(CELL, settings, Hardware(threads=2), npz, str(tmp_path / "h.parquet"))
    found = parquet.read_metadata(tmp_path / "h.parquet")
    hardware = found["hardware"]
    assert (hardware["device"], hardware["threads"], hardware["compile"]) == ("cpu", 2, False)
    assert hardware["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert hardware["native"] == (native.instruction_set() if native.compiled() else None)
    assert hardware["limits"] == {"LEARNER_COLLUSION_ISA": "portable"}
    assert found["provenance"]["torch"]


def test_divergence_is_a_row(npz, settings, tmp_path):
    wild = dataclasses.replace(settings, protocol=dataclasses.replace(settings.protocol, learning_rate=1e12))
    train_images.train(CELL, wild, Hardware(), npz, str(tmp_path / "h.parquet"))
    rows = parquet.read(tmp_path / "h.parquet", CELL_HISTORY)
    diverged = parquet.read_metadata(tmp_path / "h.parquet")["diverged"]
    assert diverged >= 1
    assert rows[rows["metric"] == "diverged"].values.tolist() == [[diverged, "train", "diverged", -1, 1.0]]


def test_data_that_are_not_available_give_an_empty_history_that_says_why(settings, tmp_path, capsys):
    image_arrays.write(tmp_path / "svhn.npz", {}, {"dataset": "svhn", "missing": "its origin does not answer"})
    cell, path = dataclasses.replace(CELL, dataset="svhn"), tmp_path / "h.parquet"
    train_images.train(cell, settings, Hardware(), str(tmp_path / "svhn.npz"), str(path))
    assert len(parquet.read(path, CELL_HISTORY)) == 0
    metadata = parquet.read_metadata(path)
    assert metadata["missing"] == "its origin does not answer" and metadata["cell"]["dataset"] == "svhn"
    assert "svhn is not available" in capsys.readouterr().out


def test_a_subset_is_the_same_for_every_cell(settings):
    arrays = {"train_x": np.arange(1000), "train_y": np.arange(1000), "test_x": np.arange(40)}
    chosen = train_images.choose(arrays, CELL, settings)
    for other in ({"beta": 0.0}, {"run": 3}, {"model": "vgg"}):
        again = train_images.choose(arrays, dataclasses.replace(CELL, **other), settings)
        np.testing.assert_array_equal(chosen["train_x"], again["train_y"])
    assert len(np.unique(chosen["train_x"])) == 200 and chosen["test_x"] is arrays["test_x"]


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train_images.add_arguments(parser)
    return parser.parse_args(arguments)


FLAGS = ("--dataset", "digits", "--protocol", "sgd", "--model", "cnn", "--learners", "2", "--beta", "1", "--run", "0")


def test_the_command_needs_no_more_than_the_cell(npz, mapping, settings, tmp_path, monkeypatch):
    """Paths default to the workflow's; the numbers are those of the same cell by other means."""
    monkeypatch.chdir(tmp_path)
    Path("results/datasets").mkdir(parents=True)
    Path("results/datasets/digits.npz").write_bytes(Path(npz).read_bytes())
    Path("settings.yaml").write_text(yaml.safe_dump(mapping))
    train_images.run(options(*FLAGS, "--settings", "settings.yaml"))
    path = cells.history_path(**dataclasses.asdict(CELL))
    train_images.train(CELL, settings, Hardware(), npz, "other.parquet")
    one, other = parquet.read_arrow(path), parquet.read_arrow("other.parquet")
    assert one.equals(other) and parquet.read_metadata(path) == parquet.read_metadata("other.parquet")
    made = parquet.read_made(path)[1]
    assert (made["stage"], next(iter(made["inputs"]))[-11:]) == ("train_images", "/digits.npz") and made["name"] in path


def test_hardware_is_that_of_the_options_else_of_the_configuration():
    configured = {"device": "cuda", "precision": "bf16", "compile": True, "threads": 4, "checkpoint_minutes": 1}
    chosen = train_images.chosen_hardware(options(*FLAGS), "fp32", configured)
    assert chosen == Hardware("cuda", "fp32", True, 4, 1)
    own = options(*FLAGS, "--device", "cpu", "--no-compile", "--threads", "2", "--checkpoint-minutes", "0")
    assert train_images.chosen_hardware(own, "fp32", configured) == Hardware("cpu", "fp32", False, 2, 0)
    assert train_images.chosen_hardware(options(*FLAGS), "tf32", {}) == Hardware(precision="tf32")
    for wrong in ("nan", "-1"):
        with pytest.raises(SystemExit):
            options(*FLAGS, "--checkpoint-minutes", wrong)


def test_a_beta_beyond_1_is_one_sentence(mapping, tmp_path):
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(mapping))
    flags = [*FLAGS[:-3], "1.2", *FLAGS[-2:], "--settings", str(tmp_path / "settings.yaml")]
    with pytest.raises(UserError, match=r"beta is 1\.2, but must lie in \[0, 1\]"):
        train_images.run(options(*flags))


@pytest.mark.parametrize(("key", "value", "words"), [("epochs", "many", "epochs"), ("optimiser", "lbfgs", "optimiser")])
def test_a_setting_of_another_type_is_one_sentence(mapping, key, value, words):
    with pytest.raises(UserError, match=words):
        convert(mapping | {"protocol": mapping["protocol"] | {key: value}}, train_images.Settings)


def test_the_stage_is_light_at_import():
    code = (
        "import sys; import learner_collusion.stages.train_images;"
        "assert not {'torch', 'numpy', 'pandas', 'pyarrow'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})


@pytest.mark.parametrize("evaluate_every", [None, 3])
def test_killed_and_started_again_ends_with_the_same_bytes(npz, mapping, tmp_path, evaluate_every):
    """The stage itself, killed with SIGKILL wherever it stands, three times."""
    protocol = mapping["protocol"] | {
        "epochs": 3,
        "subset": {"train": 400, "test": 100},
        "evaluate_every": evaluate_every,
    }
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(mapping | {"protocol": protocol}))

    def command(folder: Path) -> list[str]:
        return [sys.executable, "-m", "learner_collusion", "train_images", *FLAGS, "--images", npz,
                "--settings", str(tmp_path / "settings.yaml"), "--checkpoint-minutes", "0",
                "--history", str(folder / "history.parquet"), "--checkpoint", str(folder / "checkpoint")]  # fmt: skip

    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    one, two = tmp_path / "one", tmp_path / "two"
    subprocess.run(command(one), check=True, env=environment, capture_output=True)
    kills = 0
    for wait in (0.05, 0.15, 0.3):
        process = subprocess.Popen(command(two), env=environment, stdout=subprocess.DEVNULL)
        before = (two / "checkpoint").stat().st_mtime_ns if (two / "checkpoint").exists() else 0
        while process.poll() is None and not (
            (two / "checkpoint").exists() and (two / "checkpoint").stat().st_mtime_ns > before
        ):
            time.sleep(0.01)
        time.sleep(wait)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        if (two / "history.parquet").exists():
            break
    assert kills >= 1
    subprocess.run(command(two), check=True, env=environment, capture_output=True)
    assert (one / "history.parquet").read_bytes() == (two / "history.parquet").read_bytes()
    assert not (two / "checkpoint").exists()
