"""Image records: what is asked of them is what was written."""

import numpy as np
import pandas as pd
import pytest
from made_images import BEST, EPOCHS, write

from learner_collusion.errors import UserError
from learner_collusion.records import images, parquet

CELL = {"protocol": "sgd", "dataset": "cifar10", "model": "resnet18", "learners": 3, "averaging": "probability"}


@pytest.fixture
def path(tmp_path, random):
    return write(tmp_path, random)


@pytest.fixture
def records(path):
    return parquet.read(path, images.IMAGES)


def test_the_test_metric_at_the_best_evaluation_by_beta(records):
    found = images.at_best(records, "accuracy", "beta", drop_rate=0.0, **CELL)
    assert found.columns.tolist() == [0, 0.5, 1] and found.index.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found, np.broadcast_to([0.8, 0.8, 0.6], (3, 3)), rtol=0.011)
    chosen = images.select(records, split="test", metric="accuracy", evaluation=BEST, learner=-1, drop_rate=0.0, **CELL)
    for run, beta, value in zip(chosen["run"], chosen["beta"], chosen["value"], strict=True):
        assert found.loc[run, beta] == value


def test_the_accuracy_of_the_learners(records):
    found = images.at_best(records, "accuracy", "beta", of_learners=True, drop_rate=0.0, **CELL)
    np.testing.assert_allclose(found, np.broadcast_to([0.78, 0.78, 0.28], (3, 3)), rtol=0.011)


def test_by_drop_rate(records):
    found = images.at_best(records, "div", "drop_rate", beta=1.0, **CELL)
    assert found.columns.tolist() == [0, 0.4]
    assert (found[0.4] < found[0.0]).all()


def test_the_levels_that_are_wanted_in_any_order(records):
    every = images.at_best(records, "accuracy", "beta", drop_rate=0.0, **CELL)
    for levels in ([1, 0], [0, 1.0]):
        found = images.at_best(records, "accuracy", "beta", levels=levels, drop_rate=0.0, **CELL)
        assert found.equals(every[[0.0, 1.0]])
    assert images.at_best(records, "accuracy", "beta", levels=[0, 0.2, 1], drop_rate=0.0, **CELL).empty


def test_the_order_of_the_rows_does_not_matter(records, random):
    shuffled = records.sample(frac=1, random_state=1)
    for by, cell in (("beta", {"drop_rate": 0.0}), ("drop_rate", {"beta": 1.0})):
        found = [images.at_best(r, "accuracy", by, **cell, **CELL) for r in (records, shuffled)]
        assert found[0].equals(found[1])
    curves = [images.curve(r, "train", "err", beta=1.0, drop_rate=0.0, **CELL) for r in (records, shuffled)]
    assert curves[0].equals(curves[1])


def test_curves(records):
    found = images.curve(records, "train", "err", beta=1.0, drop_rate=0.0, **(CELL | {"protocol": "curves"}))
    assert found.shape == (3, EPOCHS) and found.notna().all(axis=None)
    assert found.columns.tolist() == list(range(1, EPOCHS + 1)) and (found.mean().diff().dropna() < 0).all()


def test_a_run_that_stopped_early_ends_in_nan(records):
    cell = {"split": "train", "metric": "err", "beta": 1.0, "drop_rate": 0.0, **(CELL | {"protocol": "curves"})}
    stopped = records[~((records["protocol"] == "curves") & (records["run"] == 1) & (records["evaluation"] > 4))]
    found = images.curve(stopped, **cell)
    assert found.shape == (3, EPOCHS) and found.loc[1].isna().tolist() == [False] * 4 + [True] * 2
    assert found.loc[[0, 2]].notna().all(axis=None)


def test_what_is_missing_is_known(path, records):
    assert parquet.read_metadata(path)["missing"] == {"svhn": "its origin does not answer"}
    assert images.at_best(records, "accuracy", "beta", **(CELL | {"dataset": "svhn"})).shape == (0, 0)
    assert images.curve(records, "train", "err", **(CELL | {"dataset": "svhn"})).empty


def test_a_run_without_all_levels_does_not_count(records):
    some = records[~((records["run"] == 1) & (records["beta"] == 0.5))]
    found = images.at_best(some, "accuracy", "beta", drop_rate=0.0, **CELL)
    assert found.shape == (2, 3) and found.index.tolist() == [0, 2]


def test_without_all_levels_there_is_nan_where_the_query_says_so(records):
    some = records[~((records["run"] == 1) & (records["beta"] == 0.5))]
    found = images.at_best(some, "accuracy", "beta", complete=False, drop_rate=0.0, **CELL)
    assert found.index.tolist() == [0, 1, 2] and found.isna().to_numpy().nonzero() == (1, 1)


def test_the_mean_over_learners_needs_each_of_them(records):
    some = records[~((records["run"] == 1) & (records["beta"] == 0.5) & (records["learner"] == 2))]
    found = images.at_best(some, "accuracy", "beta", of_learners=True, drop_rate=0.0, **CELL)
    assert found.index.tolist() == [0, 2]
    assert len(images.at_best(some, "accuracy", "beta", drop_rate=0.0, **CELL)) == 3


def test_a_number_twice_is_refused(records):
    again = pd.concat([records, records])
    with pytest.raises(UserError, match="twice"):
        images.at_best(again, "accuracy", "beta", drop_rate=0.0, **CELL)
    with pytest.raises(UserError, match="train err of cifar10, resnet18 twice"):
        images.curve(again, "train", "err", beta=1.0, drop_rate=0.0, **CELL)


def test_runs_that_diverged(records):
    mark = records[(records["run"] == 1) & (records["beta"] == 1) & (records["drop_rate"] == 0)].head(1)
    marked = pd.concat([records, mark.assign(metric="diverged", evaluation=4, value=1.0)])
    protocol = mark["protocol"].iloc[0]
    assert images.diverged(marked, drop_rate=0.0, protocol=protocol) == [(1, 1.0, 4)]
    assert images.diverged(records) == []
