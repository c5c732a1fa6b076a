"""What a job notices of its inputs while it runs; the rest is tested stage by stage."""

import os

import pytest

from learner_collusion.errors import UserError
from learner_collusion.records.identity import Input, Job, begin


def test_an_input_of_equal_size_and_time_is_another_one(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1")
    made = begin(Job("prepare", "a", "0", "0"), Input(str(path)))
    state = path.stat()
    assert made.at(tmp_path / "b.parquet")["stage"] == "prepare"
    path.write_text("2")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(UserError, match="changed while this job read it"):
        made.at(tmp_path / "b.parquet")
    path.write_text("1")  # written anew, with the same bytes
    assert made.at(tmp_path / "b.parquet")
