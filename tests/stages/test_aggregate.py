"""Histories of image cells put together with their cells; tabular records are in test_evaluate.py."""

import pandas as pd
import pytest

from learner_collusion.errors import UserError
from learner_collusion.records import parquet
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
