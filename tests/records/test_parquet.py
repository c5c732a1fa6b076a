"""Parquet in and out."""

import platform
import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from learner_collusion.errors import UserError
from learner_collusion.files import replacing, write_text
from learner_collusion.records import parquet
from learner_collusion.records.tabular import RECORDS

ROW = {"experiment": ["tabular"], "dataset": ["d"], "run": [0], "beta": [0.5], "metric": ["err"], "value": [1.0]}


def test_round_trip_with_provenance_and_the_same_bytes(tmp_path):
    for name, table in (("a", ROW), ("b", ROW), ("c", pd.DataFrame(ROW))):
        parquet.write(tmp_path / name, table, RECORDS, {"x": 1, "provenance": parquet.provenance("torch")})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    found = parquet.read(tmp_path / "a", RECORDS)
    assert found.to_dict("list") == ROW and found["run"].dtype == "int32"
    metadata = parquet.read_metadata(tmp_path / "a")
    assert metadata["x"] == 1 and metadata["provenance"]["torch"]


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_columns_give_the_bytes_of_a_frame(tmp_path, rows):
    schema = pa.schema([("number", pa.int32()), ("text", pa.string()), ("value", pa.float64())])
    columns = {"number": [1, -2, 3], "text": ["", "größer", "b"], "value": [float("nan"), -0.0, 1]}
    columns = {name: values[:rows] for name, values in columns.items()}
    parquet.write(tmp_path / "a", columns, schema)
    parquet.join([pa.table(columns, schema)], tmp_path / "b", schema, {})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert parquet.read(tmp_path / "a", schema)["text"].tolist() == columns["text"]


def test_a_number_that_a_column_cannot_hold_is_an_error(tmp_path):
    for wrong in (2**40, "one"):
        with pytest.raises((pa.ArrowException, OverflowError)):
            parquet.write(tmp_path / "a", {"number": [wrong]}, pa.schema([("number", pa.int32())]))
    assert not (tmp_path / "a").exists()


def test_who_writes_columns_does_not_wait_for_pandas(tmp_path):
    code = (
        "import sys; from learner_collusion.records import images, parquet;"
        "columns = {'evaluation': [1], 'split': ['test'], 'metric': ['err'], 'learner': [-1], 'value': [0.5]};"
        f"parquet.write({str(tmp_path / 'a')!r}, columns, images.CELL_HISTORY);"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_concatenate(tmp_path):
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path in paths:
        parquet.write(path, ROW, RECORDS, {"of": path.stem})
    parquet.concatenate(paths, tmp_path / "c.parquet", RECORDS)
    assert len(parquet.read(tmp_path / "c.parquet", RECORDS)) == 2
    assert parquet.read_metadata(tmp_path / "c.parquet") == {"a": {"of": "a"}, "b": {"of": "b"}}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-100]), "not a complete Parquet file: delete it"),
        (lambda p: p.write_bytes(b""), "not a complete Parquet file"),
        (lambda p: p.unlink(), "does not exist"),
        (lambda p: parquet.write(p, {"beta": [1.0]}, pa.schema([("beta", pa.float64())])), "other columns"),
    ],
)
def test_damage_is_reported(tmp_path, damage, words):
    path = tmp_path / "t.parquet"
    parquet.write(path, ROW, RECORDS)
    damage(path)
    with pytest.raises(UserError, match=words):
        parquet.read(path, RECORDS)


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    write_text(tmp_path / "f", "1\n")
    with pytest.raises(RuntimeError), replacing(tmp_path / "f") as beside:
        beside.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["f"] and (tmp_path / "f").read_text() == "1\n"


def test_provenance_holds_no_time_and_no_host():
    found = parquet.provenance("no-such-package")
    assert found["no-such-package"] == "not installed" and platform.node() not in found.values()


READERS = [parquet.read, parquet.read_arrow, parquet.read_metadata, lambda path: parquet.read(path, published=True)]


@pytest.mark.parametrize("read", READERS)
def test_no_flipped_bit_is_read(tmp_path, read):
    """In a page, the footer, the metadata or the seal itself."""
    path = tmp_path / "t.parquet"
    parquet.write(path, {**ROW, "value": [0.599]}, RECORDS, {"settings": {"seed": 7}})
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        if read is READERS[-1] and b"learner-collusion sha256:" not in path.read_bytes():
            continue  # a published file may have no seal at all; the mark is 25 bytes of hundreds
        with pytest.raises(UserError, match=r"t\.parquet (is damaged|is not a complete|has no checksum)"):
            read(path)
    path.write_bytes(whole)
    read(path)


def test_a_file_without_a_seal_is_for_those_who_read_what_is_published(tmp_path):
    pq.write_table(pa.table(ROW, RECORDS), tmp_path / "t.parquet")
    for read in READERS[:3]:
        with pytest.raises(UserError, match="has no checksum, as another version or program wrote it"):
            read(tmp_path / "t.parquet")
    assert READERS[3](tmp_path / "t.parquet").to_dict("list") == ROW
    for path in (ROOT / "docs/gallery").rglob("*.parquet"):
        assert len(parquet.read_arrow(path, published=True)), path
