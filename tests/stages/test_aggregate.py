"""Histories of image cells put together with their cells; tabular records are in test_evaluate.py."""

import dataclasses
import shutil
from pathlib import Path

import pandas as pd
import pytest

from learner_collusion.errors import UserError
from learner_collusion.records import identity, parquet
from learner_collusion.records.images import CELL, CELL_HISTORY, IMAGES
from learner_collusion.stages import aggregate

ONE = {"protocol": "sgd", "dataset": "digits", "model": "cnn", "learners": 2, "averaging": "probability",
       "drop_rate": 0.0, "beta": 1.0, "run": 0}  # fmt: skip


def history(path, cell, value=0.5, missing=None, seed=0, threads=None):
    rows = {
        "evaluation": [1, 2],
        "split": ["test"] * 2,
        "metric": ["err"] * 2,
        "learner": [-1] * 2,
        "value": [value, 0.4],
    }
    metadata = {"cell": cell, "settings": {"seed": seed}, "precision": "fp32"} | (
        {"missing": missing} if missing else {}
    )
    metadata |= {"hardware": {"threads": threads}} if threads else {}
    parquet.write(path, {k: [] for k in rows} if missing else rows, CELL_HISTORY, metadata)
    return str(path)


def test_each_row_has_its_cell(tmp_path):
    paths = [history(tmp_path / f"{beta}.parquet", ONE | {"beta": beta}, beta) for beta in (0.0, 1.0)]
    aggregate.images(paths, str(tmp_path / "all.parquet"))
    table = parquet.read(tmp_path / "all.parquet", IMAGES)
    assert len(table) == 4 and set(table["model"]) == {"cnn"}
    for beta, path in zip((0.0, 1.0), paths, strict=True):
        mine = table[table["beta"] == beta].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine[CELL_HISTORY.names], parquet.read(path))
        assert (mine[list(CELL)] == pd.Series(ONE | {"beta": beta})).all(axis=None)
    assert parquet.read_metadata(tmp_path / "all.parquet")["settings"] == {
        "sgd-digits": [{"seed": 0, "precision": "fp32"}]
    }


PATH = "results/images/sgd/digits/cnn/m2-probability/drop0/beta{beta}/run0/history.parquet"


def planned_cells(folder) -> identity.Job:
    """The histories of beta 0 and beta 1 in their places, and the job that puts them together."""
    planned = {"train_images/sgd-digits/cnn": "aa/cc", "aggregate/images": "bb/dd"}
    for beta in (0, 1):
        path = PATH.format(beta=beta)
        history(folder / path, ONE | {"beta": float(beta)}, beta)
        table, metadata = parquet.read_arrow(folder / path), parquet.read_metadata(folder / path)
        maker = identity.Job("train_images", PATH[15:-16].format(beta=beta), "aa", "cc", planned)
        columns = dict(zip(table.column_names, table.columns, strict=True))
        parquet.write(folder / path, columns, CELL_HISTORY, metadata, identity.begin(maker))
    return identity.Job("aggregate", "images", "bb", "dd", planned)


def test_a_cell_in_anothers_place_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job, paths = planned_cells(tmp_path), [PATH.format(beta=beta) for beta in (0, 1)]
    aggregate.images(paths, "all.parquet", job)
    made = parquet.read_made("all.parquet")[1]
    assert (made["stage"], made["name"], made["settings"], made["code"]) == ("aggregate", "images", "bb", "dd")
    assert list(made["inputs"]) == paths
    Path("all.parquet").unlink()
    shutil.copy(paths[0], paths[1])
    for one in (job, dataclasses.replace(job, planned={})):  # by hand, too
        with pytest.raises(
            UserError, match=r"beta1/run0/history.parquet is what train_images made for .*/beta0/run0, in the place"
        ):
            aggregate.images(paths, "all.parquet", one)
    assert not Path("all.parquet").exists()


def test_all_settings_that_differ_are_kept(tmp_path):
    """Cells of two configurations, two data sets: nothing is overwritten by the last one."""
    paths = [
        history(tmp_path / "a.parquet", ONE),
        history(tmp_path / "b.parquet", ONE | {"run": 1}),
        history(tmp_path / "c.parquet", ONE | {"run": 2}, seed=1),
        history(tmp_path / "d.parquet", ONE | {"dataset": "svhn"}, seed=2),
    ]
    aggregate.images(paths, str(tmp_path / "all.parquet"))
    found = parquet.read_metadata(tmp_path / "all.parquet")["settings"]
    assert {name: [one["seed"] for one in known] for name, known in found.items()} == {
        "sgd-digits": [0, 1],
        "sgd-svhn": [2],
    }


def test_settings_of_imagenet_cells_are_those_of_the_model(tmp_path):
    one = ONE | {"protocol": "imagenet", "dataset": "imagenette", "model": "imagenet_resnet18"}
    paths = [
        history(tmp_path / "a.parquet", one),
        history(tmp_path / "b.parquet", one | {"model": "imagenet_resnet34"}, seed=1),
    ]
    aggregate.imagenet(paths, str(tmp_path / "all.parquet"))
    found = parquet.read_metadata(tmp_path / "all.parquet")["settings"]
    assert {name: [one["seed"] for one in known] for name, known in found.items()} == {
        "imagenette-imagenet_resnet18": [0], "imagenette-imagenet_resnet34": [1],
    }  # fmt: skip


def test_each_machine_is_listed_once(tmp_path):
    """Among cells of an older version, which do not say."""
    paths = [
        history(tmp_path / f"{run}.parquet", ONE | {"run": run}, threads=threads)
        for run, threads in enumerate((1, None, 2, 1))
    ]
    aggregate.images(paths, str(tmp_path / "all.parquet"))
    assert parquet.read_metadata(tmp_path / "all.parquet")["trained"] == [{"hardware": {"threads": n}} for n in (1, 2)]


def test_data_that_are_not_available_are_named(tmp_path):
    paths = [
        history(tmp_path / f"{run}.parquet", ONE | {"dataset": "svhn", "run": run}, missing="no answer")
        for run in (0, 1)
    ]
    aggregate.images(paths, str(tmp_path / "all.parquet"))
    assert parquet.read(tmp_path / "all.parquet", IMAGES).empty
    assert parquet.read_metadata(tmp_path / "all.parquet")["missing"] == {"svhn": "no answer"}
    both = [*paths, history(tmp_path / "there.parquet", ONE)]
    aggregate.images(both, str(tmp_path / "both.parquet"))
    assert len(parquet.read(tmp_path / "both.parquet", IMAGES)) == 2


def test_a_damaged_history_is_told(tmp_path):
    path = history(tmp_path / "one.parquet", ONE)
    (tmp_path / "one.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="not a complete Parquet file"):
        aggregate.images([path], str(tmp_path / "all.parquet"))
    assert not (tmp_path / "all.parquet").exists()
