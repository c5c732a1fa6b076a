"""The same predictions in each format and layout give the same numbers; rows, learners and classes are matched by name."""

import numpy as np
import pandas as pd
import pytest
from predictions.made_predictions import ROWS, diagnosed, long, numbers, probabilities, save

from learner_collusion import diagnose


def values(found: dict) -> dict:
    """Numbers that do not depend on the order of rows and learners."""
    return {
        "err": found["err"]["value"],
        "div": found["div"]["value"],
        "signs": [sign["value"] for sign in found["signs"]],
        "errors": {one["learner"]: one["value"] for one in found["errors"]},
        "collusion": found["collusion"],
        "rows": found["rows"],
    }


def same(found: dict, other: dict) -> bool:
    one, two = values(found), values(other)
    errors = one.pop("errors"), two.pop("errors")
    assert errors[0] == pytest.approx(errors[1], rel=1e-6)
    assert one.pop("signs") == pytest.approx(two.pop("signs"), rel=1e-5)
    return one == pytest.approx(two, rel=1e-6)


@pytest.fixture
def expected(tmp_path) -> dict:
    return diagnosed(tmp_path / save(numbers(), tmp_path / "wide.parquet"))


def test_the_numbers_are_those_of_diagnose(expected):
    frame = numbers()
    found = diagnose(frame[["a", "b", "c"]].to_numpy(), frame["target"].to_numpy(), draws=50)
    for name in ("err", "err_bar", "div"):
        assert tuple(expected[name].values()) == pytest.approx(getattr(found, name), rel=1e-8)
    assert [tuple(one.values())[1:] for one in expected["errors"]] == [pytest.approx(e) for e in found.learner_err]
    assert expected["collusion"] is found.collusive is True


@pytest.mark.parametrize("name", ["w.csv", "w.tsv", "w.csv.gz", "w.pq", "l.parquet", "l.csv"])
def test_each_format(tmp_path, expected, name):
    frame = long(numbers()) if name.startswith("l") else numbers()
    path = tmp_path / name
    if name.endswith(".pq"):
        frame.to_parquet(path, index=False)
    else:
        save(frame, path)
    assert same(diagnosed(path), expected)


def test_an_archive(tmp_path, expected):
    frame = numbers()
    np.savez(
        tmp_path / "p.npz",
        predictions=frame[["a", "b", "c"]].to_numpy(),
        targets=frame["target"].to_numpy(),
        learners=["a", "b", "c"],
        rows=frame["row"].to_numpy(str),
    )
    assert same(diagnosed(tmp_path / "p.npz"), expected)


def test_columns_of_other_names(tmp_path, expected):
    frame = numbers().rename(columns={"row": "house", "target": "price"}).assign(town="somewhere")
    path = tmp_path / "p.csv"
    save(frame, path)
    assert same(diagnosed(path, "--row", "house", "--target", "price", "--drop", "town"), expected)
    frame = long(numbers()).rename(columns={"row": "house", "learner": "net", "prediction": "f"})
    save(frame, path)
    assert same(diagnosed(path, "--row", "house", "--learner", "net", "--prediction", "f"), expected)


def test_a_decimal_comma(tmp_path, expected):
    path = tmp_path / "p.csv"
    numbers().to_csv(path, index=False, sep=";", decimal=",")
    assert same(diagnosed(path, "--decimal", ","), expected)


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_the_mark_that_cuts_the_header_in_most_fields_separates(tmp_path, expected, mark):
    frame = numbers().rename(columns={"a": "a, b"})
    frame.to_csv(tmp_path / "p.csv", index=False, sep=mark)
    found = diagnosed(tmp_path / "p.csv")
    assert found["errors"][0]["learner"] == "a, b" and found["rows"] == 120


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_targets_in_a_file_of_their_own_are_matched_by_name(tmp_path, expected, ending):
    frame = numbers()
    targets = frame[["row", "target"]].sample(frac=1, random_state=1)
    extra = pd.DataFrame({"row": ["new"], "target": [1e6]})
    save(pd.concat([targets, extra]), tmp_path / f"t.{ending}")
    path = tmp_path / "p.parquet"
    for layout in (frame, long(frame)):
        save(layout.drop(columns="target"), path)
        found = diagnosed(path, "--targets", tmp_path / f"t.{ending}")
        assert same(found, expected) and any("1 rows of t." in note for note in found["notes"])


def test_without_names_rows_stand_in_their_order(tmp_path, expected):
    frame = numbers()
    save(frame[["a", "b", "c"]], tmp_path / "p.csv")
    save(frame[["target"]].rename(columns={"target": "y"}), tmp_path / "t.csv")
    assert same(diagnosed(tmp_path / "p.csv", "--targets", tmp_path / "t.csv"), expected)


def test_the_index_that_pandas_writes_names_the_rows(tmp_path, expected):
    frame = numbers().drop(columns="row")
    frame.index += 10
    frame[["a", "b", "c"]].to_csv(tmp_path / "p.csv")
    frame[["a", "b", "c"]].to_parquet(tmp_path / "p.parquet")
    frame[["target"]].sample(frac=1, random_state=0).to_csv(tmp_path / "t.csv")
    for name in ("p.csv", "p.parquet"):
        found = diagnosed(tmp_path / name, "--targets", tmp_path / "t.csv")
        assert same(found, expected), name


def test_numbers_as_names_are_the_same_in_text_and_parquet(tmp_path, expected):
    frame = numbers().assign(row=np.arange(ROWS) * 3)
    frame.drop(columns="target").assign(row=frame["row"].astype(str)).to_parquet(tmp_path / "p.parquet", index=False)
    shuffled = frame[["row", "target"]].sample(frac=1, random_state=0)
    for kind in (int, float, str):
        shuffled.assign(row=shuffled["row"].astype(kind)).to_parquet(tmp_path / "t.parquet", index=False)
        assert same(diagnosed(tmp_path / "p.parquet", "--targets", tmp_path / "t.parquet"), expected)


def test_classes_are_matched_by_name(tmp_path):
    frame = probabilities()
    path = tmp_path / "p.csv"
    save(frame, path)
    expected = diagnosed(path)
    assert expected["loss"] == "cross_entropy" and expected["classes"] == ["cat", "dog", "owl"]
    assert any("Taken as probabilities" in note for note in expected["notes"])
    save(frame[frame.columns[::-1]], path)
    assert same(diagnosed(path), expected)
    save(long(frame), path)
    assert same(diagnosed(path), expected)
    numbered = {"cat": 0, "dog": 1, "owl": 2}
    array = frame.filter(like=":").to_numpy().reshape(ROWS, 3, 3)
    np.savez(tmp_path / "p.npz", predictions=array, targets=frame["target"].map(numbered), learners=list("abc"))
    assert same(diagnosed(tmp_path / "p.npz"), expected)
    np.savez(
        tmp_path / "p.npz",
        predictions=array[:, :, ::-1],
        targets=frame["target"].to_numpy(str),
        classes=["owl", "dog", "cat"],
        learners=list("abc"),
    )
    assert same(diagnosed(tmp_path / "p.npz"), expected)


def test_scores_are_told_from_probabilities(tmp_path):
    frame = probabilities()
    save(frame, tmp_path / "p.parquet")
    expected = diagnosed(tmp_path / "p.parquet")
    columns = frame.filter(like=":").columns
    save(frame.assign(**np.log(frame[columns])), tmp_path / "s.parquet")
    found = diagnosed(tmp_path / "s.parquet")
    assert same(found, expected) and any("Taken as scores" in note for note in found["notes"])
    save(frame.assign(**frame[columns] + 0.0), tmp_path / "p.parquet")
    said = diagnosed(tmp_path / "p.parquet", "--kind", "scores")
    assert said["err"]["value"] > expected["err"]["value"]


def test_a_probability_of_0_takes_the_brier_loss(tmp_path):
    frame = probabilities()
    first = frame["target"][0]
    for name in ("cat", "dog", "owl"):
        frame.loc[0, f"b:{name}"] = float(name == ("dog" if first == "cat" else "cat"))
    save(frame, tmp_path / "p.csv")
    found = diagnosed(tmp_path / "p.csv")
    assert found["loss"] == "brier" and "'b' gives the right class of row 5 the probability 0" in " ".join(
        found["notes"]
    )


def test_one_number_for_the_second_of_two_classes(tmp_path):
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, ROWS)
    one = np.clip(0.2 + 0.6 * labels[:, None] + 0.1 * random.normal(size=(ROWS, 3)), 0.01, 0.99)
    path = tmp_path / "p.csv"
    save(pd.DataFrame(one, columns=list("abc")).assign(target=labels), path)
    found = diagnosed(path, "--kind", "probabilities")
    expected = diagnose(np.stack([1 - one, one], 2), labels, "cross_entropy", inputs="probabilities", draws=50)
    assert found["err"]["value"] == pytest.approx(expected.err.value, rel=1e-6)
    assert any("--kind probabilities" in note for note in diagnosed(path)["notes"])
    save(pd.DataFrame(np.log(one / (1 - one)), columns=list("abc")).assign(target=labels), path)
    assert diagnosed(path, "--kind", "scores")["err"]["value"] == pytest.approx(expected.err.value, rel=1e-6)


def test_several_outputs(tmp_path):
    random = np.random.default_rng(0)
    targets = random.normal(size=(ROWS, 2))
    f = targets[:, None] + 0.3 * random.normal(size=(ROWS, 3, 2))
    expected = diagnose(f, targets, draws=50)
    columns = {f"{'abc'[j]}:{'xy'[k]}": f[:, j, k] for j in range(3) for k in range(2)}
    frame = pd.DataFrame(columns | {"target:y": targets[:, 1], "target:x": targets[:, 0]})
    path = tmp_path / "p.csv"
    save(frame, path)
    assert diagnosed(path)["err"]["value"] == pytest.approx(expected.err.value, rel=1e-6)
    lines = [
        {"row": i, "learner": j, "output": k, "prediction": f[i, j, k], "target": targets[i, k]}
        for i in range(ROWS)
        for j in range(3)
        for k in range(2)
    ]
    save(pd.DataFrame(lines), path)
    assert diagnosed(path)["err"]["value"] == pytest.approx(expected.err.value, rel=1e-6)
    np.savez(tmp_path / "p.npz", predictions=f, targets=targets)
    assert diagnosed(tmp_path / "p.npz")["err"]["value"] == pytest.approx(expected.err.value, rel=1e-6)


def test_a_reference_is_matched_by_name(tmp_path):
    path = tmp_path / "p.csv"
    save(numbers(np.zeros(3), 0.6), path)
    reference = numbers(np.zeros(3), 0.2, seed=1)
    save(reference, tmp_path / "r.csv")
    expected = diagnosed(path, "--reference", tmp_path / "r.csv")
    assert expected["signs"][-1]["sign"] == "diversity" and expected["signs"][-1]["present"] is True
    assert "times that of the reference" in expected["reading"]
    save(reference.sample(frac=1, random_state=0).drop(columns="target"), tmp_path / "r.parquet")
    assert diagnosed(path, "--reference", tmp_path / "r.parquet")["signs"] == expected["signs"]
    frame = probabilities()
    save(frame, path)
    same_classes = frame[["row", "target", *frame.filter(like=":").columns[::-1]]]
    save(same_classes, tmp_path / "r.csv")
    assert diagnosed(path, "--reference", tmp_path / "r.csv")["signs"][-1]["value"] == pytest.approx(1)


def test_single_precision_stays_single(tmp_path):
    frame = numbers()
    frame[["a", "b", "c"]] = frame[["a", "b", "c"]].astype("float32")
    frame.to_parquet(tmp_path / "p.parquet", index=False)
    from learner_collusion.predictions.read import Layout, read_predictions

    assert read_predictions(tmp_path / "p.parquet", Layout()).values.dtype == np.float32
