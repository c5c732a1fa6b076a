"""Tables: encodings, types, content, and what is refused."""

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from learner_collusion.data import kinds, sources, splits, tabular
from learner_collusion.errors import UserError
from learner_collusion.records import parquet
from learner_collusion.seeds import generator

SPLIT = {"test": 0.2, "validation": 0.2}
SHAPES = {"bioconcentration": (779, 9), "weather": (7588, 46), "facebook": (495, 23), "abalone": (4177, 10)}
MISSING_ROWS = {"bioconcentration": 0, "weather": 164, "facebook": 5, "abalone": 0}


def table(**changes) -> tabular.Table:
    given = {"file": "t.csv", "content_sha256": None, "target": "y", "drop": (), "categorical": ("c",)}
    return tabular.Table(**given | {"log_target": False} | changes)


def write(tmp_path, text, encoding="utf-8"):
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    return tmp_path / "t.csv"


def prepared(tmp_path, text, **changes) -> dict[str, list]:
    tabular.prepare(write(tmp_path, text), tmp_path / "t.parquet", "t", table(**changes))
    return parquet.read(tmp_path / "t.parquet").to_dict("list")


PLAIN = "when,x,c,y\n2013-06-30,1.5,A,2\n2013-07-01,,B,3.25\n2013-07-02,-.25,B,1e-3\n"
ENCODINGS = {
    "point": PLAIN,
    "byte-order mark": "\ufeff" + PLAIN,
    "semicolon": PLAIN.replace(",", ";"),
    "semicolon and comma": "\ufeffwhen;x;c;y\r\n30/06/2013;1,5;A;2\r\n1/7/2013;;B;3,25\r\n2.7.2013;-,25;B;1e-3\r\n",
    "tab and comma": "when\tx\tc\ty\n30/06/2013\t1,5\tA\t2\n1/7/2013\t\tB\t3,25\n2.7.2013\t-0,25\tB\t0,001\n",
    "spaces, quotes, empty lines": 'when, x, c, y\n\na, 1.5 , "A" ,2\n"b",  ,B ,"3.25"\nc,-0.25,B,1E-3\n\n',
    "missing value as NaN": PLAIN.replace(",,", ",NaN,"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings_of_the_same_table_give_the_same_values(tmp_path, encoding):
    values = prepared(tmp_path, ENCODINGS[encoding], drop=("when",))
    assert values == {"x": [1.5, -0.25], "c": ["A", "B"], "y": [2.0, 0.001]}
    checksum = parquet.read_metadata(tmp_path / "t.parquet")["content_sha256"]
    tabular.prepare(write(tmp_path, PLAIN), tmp_path / "p.parquet", "t", table(drop=("when",)))
    assert checksum == parquet.read_metadata(tmp_path / "p.parquet")["content_sha256"]
    changed = PLAIN.replace("3.25", "3.26")  # in a row that is dropped for its missing value
    prepared(tmp_path, changed, drop=("when",))
    assert checksum != parquet.read_metadata(tmp_path / "t.parquet")["content_sha256"]


def test_numbers_are_read_exactly(tmp_path, random):
    values = np.concatenate(
        [random.normal(size=500) * 10.0 ** random.integers(-30, 30, 500), [5e-324, 1.7e149, 0.1, -0.3]]
    )
    for decimal, separator in ((".", ","), (",", ";")):
        lines = [separator.join((repr(float(v)), "a", f"{v:.25e}")).replace(".", decimal) for v in values]
        found = prepared(tmp_path, "\n".join([separator.join("xcy"), *lines]))
        assert found["x"] == values.tolist() and found["y"] == values.tolist()


def test_declared_separator_and_decimal_mark(tmp_path):
    assert prepared(tmp_path, 'x,c,y\n"1,5",1;2,"3,25"\n', separator=",", decimal=",") == {
        "x": [1.5], "c": ["1;2"], "y": [3.25],
    }  # fmt: skip
    assert prepared(tmp_path, "x|c|y\n1.5|;|3\n", separator="|")["c"] == [";"]
    # a dropped column of words that look like numbers with a point
    text = "version;x;c;y\n1.5;1,5;A;2\n"
    assert prepared(tmp_path, text, drop=("version",), decimal=",")["x"] == [1.5]


def test_a_file_without_a_header(tmp_path):
    assert prepared(tmp_path, "1,A,2\n3,B,4\n", columns=("x", "c", "y")) == {"x": [1, 3], "c": ["A", "B"], "y": [2, 4]}


def test_missing_values_are_filled_with_the_mean_where_target_and_categories_are_there(tmp_path):
    text = "x,c,y,n\n1,A,2,a\n,A,3,a\n4,B,5,\n6,,7,b\n8,B,,b\n"
    assert prepared(tmp_path, text, drop=("n",), incomplete="leave_out_any") == {"x": [1.0], "c": ["A"], "y": [2.0]}
    assert prepared(tmp_path, text, drop=("n",)) == {"x": [1.0, 4.0], "c": ["A", "B"], "y": [2.0, 5.0]}
    filled = prepared(tmp_path, text, drop=("n",), incomplete="mean")
    assert filled == {"x": [1.0, 2.5, 4.0], "c": ["A", "A", "B"], "y": [2.0, 3.0, 5.0]}
    assert parquet.read_metadata(tmp_path / "t.parquet")["rows_with_missing_values"] == 2


def test_prepare_types_and_drops_missing_rows(tmp_path):
    raw = write(tmp_path, "x,c,y,n\n1,2,3,a\n,2,3,a\n4,1,5,\n6,1,7,b\n")
    tabular.prepare(raw, tmp_path / "t.parquet", "t", table(drop=("n",), incomplete="leave_out_any"))
    written = pq.read_table(tmp_path / "t.parquet")
    assert written.column_names == ["x", "c", "y"]
    assert written.column("x").to_pylist() == [1.0, 6.0] and written.schema.field("x").type == pa.float64()
    assert pa.types.is_dictionary(written.schema.field("c").type) and written.column("c").to_pylist() == ["2", "1"]
    metadata = parquet.read_metadata(tmp_path / "t.parquet")
    assert metadata["rows"] == 2 and metadata["rows_with_missing_values"] == 2
    assert metadata["target"] == "y"


def test_the_target_is_last_and_its_logarithm_taken(tmp_path):
    found = prepared(tmp_path, "y,x,c\n1.5,2,A\n", log_target=True)
    assert list(found) == ["x", "c", "y"] and found["y"] == [np.log1p(1.5)]


def test_categories_keep_their_spelling(tmp_path):
    assert prepared(tmp_path, "x,c,y\n1,007,2\n3,7,4\n5,True,6\n")["c"] == ["007", "7", "True"]


@pytest.mark.parametrize(
    ("text", "changes", "words"),
    [
        ("x,c\n1,a\n", {}, "has no column 'y'"),
        ("x,c,y\n1,a,2\n", {"drop": ("z",)}, "has no column 'z'"),
        ("x,c,y\n1,a,2\n3,b\n", {}, "line 3: expected 3 fields, got 2"),
        ("x,c,y\n1,a,2\n3,b,4,5\n", {}, "line 3: expected 3 fields, got 4"),
        ("x,c,y\n1,a,2,3\n4,b,5,6\n", {}, "line 2: expected 3 fields, got 4"),  # pandas would take x for row names
        ("1,a,2\n3,b,4\n", {"columns": ("x", "c", "y", "z")}, "line 1: expected 4 fields, got 3"),
        ("x,x,c,y\n1,2,a,2\n", {}, "has 2 columns named 'x'"),
        ("1,2,a\n", {"columns": ("x", "x", "c")}, "tables.t.columns has 2 columns named 'x'"),
        (",x,c,y\n0.5,1,a,2\n", {}, "has no name for column 1"),
        ("x,c,y,\n1,a,2,\n", {}, "has no name for column 4, which is empty"),
        ("x,c,y\n1,a,2\n", {"content_sha256": "0" * 64}, "does not hold the values"),
        ("x,c,y\nu,a,2\n", {}, "line 2, column 'x': 'u' is a word and not a number; list the column in tables.t.cat"),
        ("x,c,y\n1,a,u\n", {"categorical": ("c", "y")}, "line 2, column 'y': 'u' is a word and not a number"),
        ('x,c,y\n"1,234",a,2\n', {}, "'1,234' is not a number; if it stands for 1234, set"),  # 1.234, or 1234?
        ("x;c;y\n1.234;a;2\n5,6;b;3\n", {}, "decimal point and numbers with a decimal comma: set tables.t.decimal"),
        ("x;c;y\n1.234;a;2\n5,6;b;3\n", {"decimal": ","}, "'1.234' is not a number; if it stands for 1234"),
        ("x,c,y\n1,a,2\n", {"separator": ";"}, "has no column 'y'"),
        ("x,c,y\n1,a,inf\n", {}, "line 2, column 'y': 'inf' is not a finite number"),
        ("x,c,y\n1,a,-2\n", {"log_target": True}, "line 2, column 'y': -2 has no logarithm"),
        (
            "x,c,y\n1,a,7\n2,b,7\n",
            {},
            "'y' of t.csv, the target, holds 7 in every row, so there is nothing to learn: name another",
        ),
        ("x,c,y\n1,a,\n,b,2\n", {}, "has no row without missing values"),
        ('x,c,y\n1,"a,2\n3,b,4\n', {}, "line 2: expected 3 fields, got 2"),
        ('x,c,y\n1,a,"2\n3,b,4\n', {}, "cannot be read .*EOF inside string"),
        ("x,c,y\n", {}, "holds no rows"),
        ("", {}, "is empty"),
    ],
)
def test_bad_tables_leave_nothing(tmp_path, text, changes, words):
    raw = write(tmp_path, text)
    with pytest.raises(UserError, match=words) as caught:
        tabular.prepare(raw, tmp_path / "out" / "t.parquet", "t", table(**changes))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("out/*"))


def test_another_encoding_of_text_or_no_file(tmp_path):
    raw = write(tmp_path, "x,c,y\n1,\u00e4,2\n", "latin-1")
    with pytest.raises(UserError, match="is not UTF-8 text"):
        tabular.prepare(raw, tmp_path / "t.parquet", "t", table())
    with pytest.raises(UserError, match=r"none.csv does not exist"):
        tabular.prepare(tmp_path / "none.csv", tmp_path / "t.parquet", "t", table())


@pytest.mark.parametrize("name", list(SHAPES))
def test_the_papers_tables(mirror, tmp_path, config, name):
    """From the mirror: the checksum of the configuration, no missing values, the expected shapes."""
    declared = msgspec.convert(config["tables"][name], tabular.Table)
    sources.fetch(tmp_path / "raw", declared.file, None, config["tables"][name]["sha256"], str(mirror))
    tabular.prepare(tmp_path / "raw", tmp_path / "t.parquet", name, declared)
    metadata = parquet.read_metadata(tmp_path / "t.parquet")
    assert metadata["content_sha256"] == declared.content_sha256
    assert metadata["rows_with_missing_values"] == MISSING_ROWS[name]
    data = splits.load_run(tmp_path / "t.parquet", SPLIT, 1.0, generator(0, name, 0, "split"))
    rows, features = SHAPES[name]
    parts = [len(data.split.y), len(data.split.validation_y), len(data.test_y)]
    assert sum(parts) == rows and data.split.x.shape[1] == features
    assert parts[2] == round(0.2 * rows) and parts[1] == round(0.2 * (rows - parts[2]))
    assert all(np.isfinite(a).all() for a in (data.split.x, data.split.validation_x, data.test_x))


def test_weather_in_its_other_encoding(mirror, tmp_path, config):
    """Semicolons, decimal commas, day/month/year: the same content."""
    declared = msgspec.convert(config["tables"]["weather"], tabular.Table)
    text = (mirror / "uci" / declared.file).read_text(encoding="utf-8").replace(",", ";").replace(".", ",")
    raw = write(tmp_path, text.replace("2013-06-30", "30/06/2013"))
    tabular.prepare(raw, tmp_path / "t.parquet", "weather", declared)
    assert parquet.read_metadata(tmp_path / "t.parquet")["content_sha256"] == declared.content_sha256


def test_facebook_signal_is_in_one_feature(mirror, config):
    """Appendix F: "almost the entire predictive [signal] is contained within a single feature": here `like`."""
    declared = msgspec.convert(config["tables"]["facebook"], tabular.Table)
    frame = kinds.typed(tabular.read(mirror / "uci" / declared.file, "facebook", declared)).frame
    numbers = frame.dropna().select_dtypes("float64")
    explained = numbers.corrwith(numbers[declared.target]).drop(declared.target) ** 2
    assert explained.idxmax() == "like" and 0.9945 < explained["like"] < 0.9955  # "99.5 %" of docs/deviations.md
    assert not pd.api.types.is_numeric_dtype(frame["Category"])
