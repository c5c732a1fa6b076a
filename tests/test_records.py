"""Parquet in and out."""

import pytest

from learner_collusion import records
from learner_collusion.errors import UserError
from learner_collusion.files import replacing, write_json

ROW = {"experiment": ["tabular"], "dataset": ["d"], "run": [0], "beta": [0.5], "metric": ["err"], "value": [1.0]}


def test_round_trip_with_provenance_and_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        records.write(tmp_path / name, ROW, records.RECORDS, {"x": 1, "provenance": records.provenance("torch")})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    table = records.read(tmp_path / "a", records.RECORDS)
    assert table.to_pydict() == ROW
    assert records.metadata_of(table)["provenance"]["torch"]


def test_concatenate(tmp_path):
    for name in ("a", "b"):
        records.write(tmp_path / f"{name}.parquet", ROW, records.RECORDS, {"of": name})
    records.concatenate([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "c.parquet", records.RECORDS)
    table = records.read(tmp_path / "c.parquet", records.RECORDS)
    assert table.num_rows == 2 and records.metadata_of(table) == {"a": {"of": "a"}, "b": {"of": "b"}}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-100]), "not a whole Parquet file: delete it"),
        (lambda p: p.write_bytes(b""), "not a whole Parquet file"),
        (lambda p: p.unlink(), "is not there"),
        (
            lambda p: records.write(p, {"beta": [1.0]}, records.RECORDS.empty_table().select(["beta"]).schema),
            "other columns",
        ),
    ],
)
def test_damage_is_told(tmp_path, damage, words):
    path = tmp_path / "t.parquet"
    records.write(path, ROW, records.RECORDS)
    damage(path)
    with pytest.raises(UserError, match=words):
        records.read(path, records.RECORDS)


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    write_json(tmp_path / "f", 1)
    with pytest.raises(RuntimeError), replacing(tmp_path / "f") as beside:
        beside.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["f"] and (tmp_path / "f").read_text() == "1\n"


def test_provenance_holds_no_time_and_no_host():
    import platform

    found = records.provenance("no-such-package")
    assert found["no-such-package"] == "not installed" and platform.node() not in found.values()
