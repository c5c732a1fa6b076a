"""Tables: encodings, quirks, types, preprocessing from the training part alone."""

import numpy as np
import pyarrow as pa
import pytest

from learner_collusion import records
from learner_collusion.datasets import sources, tabular
from learner_collusion.errors import UserError
from learner_collusion.seeds import generator

SPLIT = {"test": 0.2, "validation": 0.2}
SHAPES = {"bioconcentration": (779, 9), "weather": (7588, 21), "facebook": (495, 23), "abalone": (4177, 10)}


def block(**changes):
    own = {"file": "t.csv", "content": None, "target": "y", "drop": [], "categorical": ["c"]}
    return own | {"log_target": False} | changes


def write(tmp_path, text):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    return tmp_path / "t.csv"


def test_encodings_of_the_same_table_say_the_same(tmp_path):
    texts = [
        "when,x,c,y\n2013-06-30,1.5,A,2\n2013-07-01,,B,3.25\n",
        "\ufeffwhen;x;c;y\r\n30/06/2013;1,5;A;2\r\n1/7/2013;;B;3,25\r\n",
    ]
    tables = [tabular.parse(write(tmp_path, text)) for text in texts]
    assert tabular.content(tables[0], ["c"]) == tabular.content(tables[1], ["c"])
    assert list(tables[0]["when"]) == list(tables[1]["when"])
    changed = tabular.parse(write(tmp_path, texts[0].replace("3.25", "3.26")))
    assert tabular.content(changed, ["c"]) != tabular.content(tables[0], ["c"])


def test_prepare_types_and_drops_missing_rows(tmp_path):
    raw = write(tmp_path, "x,c,y,n\n1,2,3,a\n,2,3,a\n4,1,5,\n6,1,7,b\n")
    tabular.prepare(raw, tmp_path / "t.parquet", "t", block(drop=["n"]))
    table = records.read(tmp_path / "t.parquet")
    assert table.column_names == ["x", "c", "y"]
    assert table.column("x").to_pylist() == [1.0, 6.0]
    assert pa.types.is_dictionary(table.schema.field("c").type) and table.column("c").to_pylist() == ["2", "1"]
    assert records.metadata_of(table)["rows_with_missing_values"] == 2


@pytest.mark.parametrize(
    ("text", "changes", "words"),
    [
        ("x,c\n1,a\n", {}, "has no column 'y'"),
        ("x,c,y\n1,a,2\n3,b\n", {}, "line 3: 2 fields where 3 belong"),
        ("x,c,y\n1,a,2\n", {"content": "0" * 64}, "does not hold the values"),
        ("x,c,y\nu,a,2\n", {}, "holds words"),
    ],
)
def test_bad_tables_leave_nothing(tmp_path, text, changes, words):
    raw = write(tmp_path, text)
    with pytest.raises(UserError, match=words) as caught:
        tabular.prepare(raw, tmp_path / "out" / "t.parquet", "t", block(**changes))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("name", list(SHAPES))
def test_the_papers_tables(mirror, tmp_path, config, name):
    """From the mirror: known content, no missing values, the expected shapes."""
    table = config["tables"][name]
    sources.fetch(tmp_path / "raw", table["file"], None, table["sha256"], str(mirror))
    tabular.prepare(tmp_path / "raw", tmp_path / "t.parquet", name, table)
    data = tabular.load_run(tmp_path / "t.parquet", SPLIT, 1.0, generator(0, name, 0, "split"))
    rows, features = SHAPES[name]
    parts = [len(data.split.y), len(data.split.validation_y), len(data.test_y)]
    assert sum(parts) == rows and data.split.x.shape[1] == features
    assert parts[2] == round(0.2 * rows) and parts[1] == round(0.2 * (rows - parts[2]))
    assert all(np.isfinite(a).all() for a in (data.split.x, data.split.validation_x, data.test_x))


def test_facebook_signal_is_in_one_feature(mirror, tmp_path, config):
    """Appendix F: "almost the entire predictive [signal] is contained within a single feature": here `like`."""
    table = config["tables"]["facebook"]
    columns = tabular.parse(mirror / "uci" / table["file"])
    whole = ~np.isnan(columns["like"]) & ~np.isnan(columns["share"]) & ~np.isnan(columns["Paid"])
    y = columns[table["target"]][whole]
    explained = {
        name: np.corrcoef(values[whole], y)[0, 1] ** 2
        for name, values in columns.items()
        if values.dtype.kind == "f" and name != table["target"]
    }
    assert max(explained, key=explained.get) == "like" and explained["like"] > 0.99


def test_statistics_come_from_the_training_part_alone(diabetes):
    data = tabular.load_run(diabetes, SPLIT, 1e9, generator(1))
    numeric = data.split.x[:, [i for i in range(10) if len(np.unique(data.split.x[:, i])) > 2]]
    np.testing.assert_allclose(numeric.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(numeric.std(0), 1, atol=1e-5)
    assert abs(data.split.y.mean()) < 1e-5 and abs(data.split.y.std() - 1) < 1e-5
    assert abs(data.test_x.mean(0)).max() > 1e-3  # the test part is not centred on itself


def test_splits_differ_between_runs_and_not_within_one(diabetes):
    first, again, other = (tabular.load_run(diabetes, SPLIT, 1.0, generator(r)) for r in (0, 0, 1))
    assert np.array_equal(first.test_rows, again.test_rows) and first.split.x.tobytes() == again.split.x.tobytes()
    assert not np.array_equal(first.test_rows, other.test_rows)
    assert len(set(first.test_rows)) == len(first.test_rows)


def test_skewed_features_are_logged(tmp_path, random):
    skewed = np.exp(2 * random.normal(size=200)) - 0.5  # some are negative
    even = random.normal(size=200)
    rows = "\n".join(f"{a},{b},A,{c}" for a, b, c in zip(skewed, even, even, strict=True))
    tabular.prepare(write(tmp_path, f"x,e,c,y\n{rows}\n"), tmp_path / "t.parquet", "t", block())
    data = tabular.load_run(tmp_path / "t.parquet", SPLIT, 1.0, generator(0))
    values = np.concatenate([data.split.x, data.split.validation_x, data.test_x])
    for column, source, logged in ((0, skewed, True), (1, even, False)):
        expected = np.sign(source) * np.log1p(np.abs(source)) if logged else source
        assert abs(np.corrcoef(np.sort(values[:, column]), np.sort(expected))[0, 1]) > 0.9999
    assert (values[:, 2] == 1).all()  # the only category


def test_folding_the_validation_part_in(diabetes):
    plain = tabular.load_run(diabetes, SPLIT, 1.0, generator(0))
    folded = tabular.load_run(diabetes, SPLIT, 1.0, generator(0), fold_validation=True)
    assert len(folded.split.y) == len(plain.split.y) + len(plain.split.validation_y)
    assert np.array_equal(folded.test_y, plain.test_y)
