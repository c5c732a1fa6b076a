"""A run's arrays: split at random, preprocessed from the training part alone."""

import numpy as np
import pyarrow as pa
import pytest

from learner_collusion.data import splits
from learner_collusion.errors import UserError
from learner_collusion.records import parquet
from learner_collusion.seeds import generator

SPLIT = {"test": 0.2, "validation": 0.2}


def prepared(path, **columns):
    """A prepared table with the target `y`."""
    arrays = {k: v if isinstance(v, pa.Array) else pa.array(v) for k, v in columns.items()}
    parquet.write(path, arrays, pa.schema([(k, v.type) for k, v in arrays.items()]), {"target": "y"})
    return path


def test_statistics_come_from_the_training_part_alone(diabetes):
    data = splits.load_run(diabetes, SPLIT, 1e9, generator(1))
    numeric = data.split.x[:, [i for i in range(10) if len(np.unique(data.split.x[:, i])) > 2]]
    np.testing.assert_allclose(numeric.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(numeric.std(0), 1, atol=1e-5)
    assert abs(data.split.y.mean()) < 1e-5 and abs(data.split.y.std() - 1) < 1e-5
    assert abs(data.test_x.mean(0)).max() > 1e-3  # the test part is not centred on itself


def test_splits_differ_between_runs_and_not_within_one(diabetes):
    first, again, other = (splits.load_run(diabetes, SPLIT, 1.0, generator(r)) for r in (0, 0, 1))
    assert np.array_equal(first.test_rows, again.test_rows) and first.split.x.tobytes() == again.split.x.tobytes()
    assert not np.array_equal(first.test_rows, other.test_rows)
    assert len(set(first.test_rows)) == len(first.test_rows)


def test_test_rows_are_rows_of_the_table(diabetes):
    data = splits.load_run(diabetes, SPLIT, 1.0, generator(0))
    target = parquet.read(diabetes)["target"].to_numpy()
    assert data.test_rows.dtype == np.int32 and data.test_x.dtype == data.test_y.dtype == np.float32
    assert abs(np.corrcoef(target[data.test_rows], data.test_y)[0, 1] - 1) < 1e-6


def test_skewed_features_are_logged(tmp_path, random):
    skewed = np.exp(2 * random.normal(size=200)) - 0.5  # some are negative
    even = random.normal(size=200)
    only = pa.array(["A"] * 200).dictionary_encode()
    path = prepared(tmp_path / "t.parquet", x=skewed, e=even, c=only, y=even)
    data = splits.load_run(path, SPLIT, 1.0, generator(0))
    values = np.concatenate([data.split.x, data.split.validation_x, data.test_x])
    for column, source, logged in ((0, skewed, True), (1, even, False)):
        expected = np.sign(source) * np.log1p(np.abs(source)) if logged else source
        assert abs(np.corrcoef(np.sort(values[:, column]), np.sort(expected))[0, 1]) > 0.9999
    assert (values[:, 2] == 1).all()  # the only category


def test_categories_become_a_column_for_each_level_in_order(tmp_path):
    levels = ["b", "10", "9", "b", "10"] * 10
    path = prepared(tmp_path / "t.parquet", c=pa.array(levels).dictionary_encode(), y=np.arange(50.0))
    data = splits.load_run(path, SPLIT, 1.0, generator(0))
    expected = [[level == known for known in ("10", "9", "b")] for level in np.array(levels)[data.test_rows]]
    np.testing.assert_array_equal(data.test_x, np.array(expected, np.float32))


def test_refitting_on_train_and_validation(diabetes):
    plain = splits.load_run(diabetes, SPLIT, 1.0, generator(0))
    refitted = splits.load_run(diabetes, SPLIT, 1.0, generator(0), refit_on_train_and_validation=True)
    assert len(refitted.split.y) == len(plain.split.y) + len(plain.split.validation_y)
    assert np.array_equal(refitted.split.y, np.concatenate([plain.split.y, plain.split.validation_y]))
    assert np.array_equal(refitted.test_y, plain.test_y)


@pytest.mark.parametrize(
    ("rows", "parts"), [(2, "2 would train, 0 stop and 0 test"), (12, "8 would train, 2 stop and 2 test")]
)
def test_too_few_rows(tmp_path, rows, parts):
    path = prepared(tmp_path / "t.parquet", x=np.arange(float(rows)), y=np.arange(float(rows)))
    with pytest.raises(UserError, match=f"has {rows} rows, too few to split: {parts}, and each part needs 5"):
        splits.load_run(path, SPLIT, 1.0, generator(0))
