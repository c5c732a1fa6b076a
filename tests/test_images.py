"""One cell from prepared images to its history, and all histories put together."""

import numpy as np
import pytest

from learner_collusion import images, records
from learner_collusion.datasets import images as datasets

CELL = {"protocol": "sgd", "dataset": "digits", "model": "cnn", "learners": 2, "averaging": "probability",
        "dropped": 0.0, "beta": 1.0, "run": 0}  # fmt: skip
HARDWARE = {"device": "cpu", "precision": "fp32", "compile": False, "threads": 1, "checkpoint_minutes": 60}


@pytest.fixture
def settings(config) -> dict:
    known = config["images"]["datasets"]["digits"]
    protocol = config["images"]["protocols"]["sgd"] | {
        "epochs": 2,
        "batch_size": 32,
        "width": 0.5,
        "learning_rate": 0.02,
        "subset": {"train": 200, "test": 50},
    }
    dataset = {key: known[key] for key in ("classes", "mean", "std")}
    return {
        "seed": 0,
        "protocol": protocol,
        "precision": "fp32",
        "dataset": dataset,
    }


@pytest.fixture
def npz(tmp_path, config) -> str:
    path = str(tmp_path / "digits.npz")
    datasets.prepare("digits", config["images"]["datasets"]["digits"] | {"missing": "fail"}, path, None)
    return path


def test_a_cell_is_written_epoch_by_epoch(npz, settings, tmp_path):
    images.train_cell(npz, CELL, settings, HARDWARE, str(tmp_path / "h.parquet"), str(tmp_path / "c"))
    table = records.read(tmp_path / "h.parquet", records.IMAGE_HISTORY)
    rows = table.to_pylist()
    found = {(r["epoch"], r["split"], r["metric"], r["learner"]): r["value"] for r in rows}
    assert len(found) == len(rows) == 2 * 3 * (4 + 2) + 1
    for epoch in (1, 2):
        for split in ("train", "validation", "test"):
            err, err_bar, div = (found[epoch, split, name, -1] for name in ("err", "err_bar", "div"))
            assert div == pytest.approx(err_bar - err, abs=1e-5)
            assert all(0 <= found[epoch, split, "accuracy", learner] <= 1 for learner in (-1, 0, 1))
    best = [key for key in found if key[2] == "best"]
    lowest = min((1, 2), key=lambda epoch: found[epoch, "validation", "err", -1])
    assert best == [(lowest, "validation", "best", -1)]
    assert records.metadata_of(table)["cell"] == CELL
    assert not (tmp_path / "c").exists()


def test_data_that_cannot_be_had_give_an_empty_history_that_says_why(settings, tmp_path):
    datasets.write(str(tmp_path / "svhn.npz"), {}, {"dataset": "svhn", "missing": "its origin does not answer"})
    paths = []
    for run in (0, 1):
        paths.append(str(tmp_path / f"{run}.parquet"))
        cell = CELL | {"dataset": "svhn", "run": run}
        images.train_cell(str(tmp_path / "svhn.npz"), cell, settings, HARDWARE, paths[-1])
    images.aggregate(paths, str(tmp_path / "all.parquet"))
    table = records.read(tmp_path / "all.parquet", records.IMAGES)
    assert table.num_rows == 0
    assert records.metadata_of(table)["missing"] == {"svhn": "its origin does not answer"}


def test_histories_are_put_together_with_their_cells(npz, settings, tmp_path):
    paths = []
    for beta in (0.0, 1.0):
        paths.append(str(tmp_path / f"{beta}.parquet"))
        images.train_cell(npz, CELL | {"beta": beta}, settings, HARDWARE, paths[-1])
    images.aggregate(paths, str(tmp_path / "all.parquet"))
    table = records.read(tmp_path / "all.parquet", records.IMAGES)
    betas = records.column(table, "beta")
    assert set(betas) == {0.0, 1.0} and set(records.column(table, "model")) == {"cnn"}
    for beta, path in zip((0.0, 1.0), paths, strict=True):
        own = records.column(records.read(path), "value")
        np.testing.assert_array_equal(records.column(table, "value")[betas == beta], own)


def test_a_subset_is_the_same_for_every_cell(settings):
    array = np.arange(1000)
    chosen = images._subset(array, "train_x", CELL, settings)
    for other in ({"beta": 0.0}, {"run": 3}, {"model": "vgg"}):
        np.testing.assert_array_equal(chosen, images._subset(array, "train_y", CELL | other, settings))
    assert len(np.unique(chosen)) == 200
    whole = settings | {"protocol": settings["protocol"] | {"subset": {"train": None, "test": 5000}}}
    assert images._subset(array, "train_x", CELL, whole) is array
    assert images._subset(array, "test_x", CELL, whole) is array
