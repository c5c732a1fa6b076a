"""Finished parts of a job."""

import pyarrow as pa
import pytest

from learner_collusion.errors import UserError
from learner_collusion.records.kept import Kept

SCHEMA = pa.schema([("x", pa.int64())])


def test_a_part_is_there_for_who_made_it_alone(tmp_path):
    kept, other = Kept(tmp_path, {"settings": 1}), Kept(tmp_path, {"settings": 2})
    assert kept.read("run0", SCHEMA) is None
    kept.write("run0", {"x": [1, 2]}, SCHEMA)
    assert kept.finished("run0", SCHEMA)["x"].tolist() == [1, 2] and other.read("run0", SCHEMA) is None


def test_a_part_that_another_run_removed_is_one_sentence(tmp_path):
    kept = Kept(tmp_path / "tune", {"settings": 1})
    kept.write("run0", {"x": [1]}, SCHEMA)
    kept.clear()
    with pytest.raises(UserError, match=r"run0\.parquet is gone, as if another run worked in this folder"):
        kept.finished("run0", SCHEMA)
