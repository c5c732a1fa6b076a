"""What does not fit ends in one sentence that names the file, and where it can the row, the column or the learner."""

import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from predictions.made_predictions import diagnosed, long, numbers, probabilities, refused, save

from learner_collusion.cli import main

RANDOM = np.random.default_rng(0)


def changed(**cells):
    """The numbers with some cells of the column `a` and others changed: {column: (row, value)}."""
    frame = numbers().astype(object)
    for name, (row, value) in cells.items():
        frame.loc[row, name] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "arguments", "words"),
    [
        (numbers().drop(columns="target"), (), "holds no targets: name their column with --target"),
        (numbers(), ("--row", "id"), "has no column 'id'"),
        (numbers(), ("--drop", "d"), "has no column 'd'"),
        (numbers(), ("--target", "Target"), "{path} has no column 'Target': did you mean 'target'? Name it with --target."),
        (numbers(), ("--target", "price"), "has no column 'price', but 'row', 'a', 'b'"),
        (numbers().assign(target="x"), ("--target", "Target"), "has no column 'Target': did you mean 'target'?"),
        (long(numbers()), ("--target", "targets"), "has no column 'targets': did you mean 'target'?"),
        (numbers()[["row", "target"]], (), "has no columns of predictions"),
        (numbers()[["row", "a", "target"]], (), "holds a single learner, 'a'"),
        (changed(a=(3, "high")), (), "Column 'a' of {path} holds 'high' in data row 4, which is no number: correct it"),
        (changed(b=(7, "1,5")), (), "holds '1,5' in data row 8, which is no number: give --decimal ,"),
        (changed(b=(7, "1_000")), (), "holds '1_000' in data row 8"),
        (numbers().assign(town="x"), (), "Column 'town' of {path} holds 'x' in data row 1, which is no number: leave the"),
        (numbers().assign(k=np.arange(120)), (), "Column 'k' of {path} numbers the rows and is no learner"),
        (changed(a=(3, None)), (), "the prediction of learner 'a' in row 'r3' is missing"),
        (changed(c=(5, "inf")), (), "the prediction of learner 'c' in row 'r5' is infinite"),
        (changed(target=(3, None)), (), "no target in data row 4"),
        (changed(target=(3, "inf")), (), "The target in row 'r3' is missing or infinite"),
        (changed(target=(3, "much")), (), "targets are words, such as"),
        (changed(row=(3, "r4")), (), "2 rows named 'r4' in column 'row'"),
        (changed(row=(3, None)), (), "no name in column 'row' for data row 4"),
        (numbers(), ("--kind", "probabilities"), "is no probability"),
        (numbers(), ("--loss", "brier"), "--loss brier is for classes"),
        (numbers(), ("--draws", "0"), "--draws is 0"),
        (numbers(), ("--draws", "1000000000"), "give 1 to 100000"),
        (numbers(), ("--separator", ";;"), "one character"),
        (numbers(), ("--separator", "a"), "--separator is 'a', which parts no columns"),
        (numbers(), ("--decimal", "x"), "--decimal is 'x': give a point or a comma"),
        (numbers(), ("--separator", ","  , "--decimal", ","), "--separator and --decimal are both ','"),
        (numbers(), ("--seed", "1" + 30 * "0"), "give a whole number below 2^63"),
        (numbers(), ("--row", "target"), "Column 'target' of {path} cannot be what --row and --target say at once"),
        (long(numbers()), ("--learner", "row"), "cannot be what --row and --learner say at once"),
        (numbers().assign(k=np.arange(120) + 1000), (), "Column 'k' of {path} numbers the rows and is no learner"),
        (numbers().assign(k=RANDOM.permutation(120)), (), "Column 'k' of {path} numbers the rows and is no learner"),
        (numbers().drop(columns="row") * 1e200, (), "The errors of {path} are too large for its type of numbers"),
        (long(numbers()).iloc[1:], (), "lacks 1 of 360 predictions, such as that of learner"),
        (pd.concat([long(numbers()), long(numbers()).iloc[:1]]), (), "several predictions for row 'r"),
        (long(numbers()).drop(columns="row"), (), "has no column 'row'"),
        (long(numbers()), ("--learner", "net"), "has no column 'net'"),
        (long(numbers()).assign(target=np.arange(360)), (), "several targets for one row, such as 0 and another one"),
        (long(numbers()).assign(learner="a"), (), "several predictions for row 'r"),
        (probabilities().drop(columns="b:dog"), (), "is ragged: learner 'b' has no column b:dog, which 'a' has"),
        (probabilities().assign(**{"a:cat": 0.9}), (), "the probabilities of learner 'a' in row 5 add up to"),
        (probabilities().assign(target="cow"), (), "The target in row 5 is 'cow', which is none of the classes 'cat', 'dog', 'owl'"),
        (probabilities(), ("--kind", "numbers"), "which are classes"),
        (probabilities(), ("--loss", "squared_error"), "is for numbers"),
        (long(probabilities()).drop(columns="class"), (), "several predictions for row"),
    ],
)  # fmt: skip
def test_tables(tmp_path, capsys, frame, arguments, words):
    path = tmp_path / "p.csv"
    save(frame, path)
    assert words.format(path=path) in refused(capsys, path, *arguments)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("a,b,target\n", "holds no rows"),
        ("a,b,target", "holds no rows"),
        ("1.5,2,3\n1,2,3\n", "has numbers in its first line, such as 1.5, and no names of columns: write a header"),
        ("a,b,target\n1,2,3\n1,2\n", "is ragged: a row has 2 fields where the header has 3"),
        ("a,a,target\n1,2,3\n", "has 2 columns named 'a'"),
        ("a,,target\n1,2,3\n", "has no name for column 2"),
        ("\n1,2,3\n", "no names of columns in its first line"),
        (b"a,b,target\n1,2,\xe9t\xe9\n1,2,\xff\n", "not UTF-8"),
    ],
)
def test_texts(tmp_path, capsys, text, words):
    path = tmp_path / "p.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert words in refused(capsys, path)


def test_files(tmp_path, capsys):
    assert "does not exist" in refused(capsys, tmp_path / "p.csv")
    (tmp_path / "p.xlsx").write_bytes(b"x")
    assert "unknown extension" in refused(capsys, tmp_path / "p.xlsx")
    (tmp_path / "d.csv").mkdir()
    assert "is a folder" in refused(capsys, tmp_path / "d.csv")
    (tmp_path / "p.parquet").write_bytes(b"PAR1....")
    assert "not a complete Parquet file" in refused(capsys, tmp_path / "p.parquet")
    numbers().assign(town="x").to_parquet(tmp_path / "p.parquet")
    assert "Column 'town'" in refused(capsys, tmp_path / "p.parquet")
    numbers().assign(a=[[1.0, 2.0]] * 120).to_parquet(tmp_path / "p.parquet")
    assert "holds lists" in refused(capsys, tmp_path / "p.parquet")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.ones(3)}, "arrays called 'x'"),
        ({"targets": np.ones(3)}, "no array called 'predictions'"),
        ({"predictions": np.ones(3)}, "shape (3,)"),
        ({"predictions": np.array([["a", "b"]])}, "no numbers"),
        ({"predictions": RANDOM.random((9, 2))}, "holds no targets"),
        ({"predictions": RANDOM.random((9, 2)), "targets": np.ones(8)}, "mixed lengths"),
        ({"predictions": RANDOM.random((9, 2)), "targets": np.ones(9), "rows": np.arange(4)}, "mixed lengths"),
        ({"predictions": RANDOM.random((9, 2)), "targets": np.ones(9), "rows": np.ones(9)}, "9 rows named 1"),
        ({"predictions": RANDOM.random((9, 2)), "targets": np.ones(9), "learners": ["a", "a"]}, "names 2 learners"),
        ({"predictions": RANDOM.random((9, 2, 3)) + 5, "targets": np.full(9, 3)}, "The target in data row 1 is '3', which is none"),
        ({"predictions": RANDOM.random((9, 2, 3)) + 5, "targets": np.full(9, -1)}, "is '-1', which is none of the classes"),
        ({"predictions": RANDOM.random((9, 2, 3)), "targets": np.zeros(9, int)}, "add up to"),
        ({"predictions": RANDOM.random((9, 2, 3)), "targets": np.full(9, np.nan)}, "The target in data row 1 is missing"),
        ({"predictions": RANDOM.random((9, 2)), "targets": np.zeros(9, "V4")}, "targets of the type |V4, which are neither"),
        ({"predictions": RANDOM.random((9, 2)), "targets": np.zeros(9, complex)}, "targets of the type complex128, which are"),
        ({"predictions": RANDOM.random((9, 2)), "targets": np.ones(9), "rows": np.ones((9, 2))}, "rows of shape (9, 2)"),
    ],
)  # fmt: skip
def test_archives(tmp_path, capsys, arrays, words):
    np.savez(tmp_path / "p.npz", **arrays)
    assert words in refused(capsys, tmp_path / "p.npz")


@pytest.mark.parametrize("name", ["row", "target"])
def test_columns_of_parquet_that_name_nothing(tmp_path, capsys, name):
    path = tmp_path / "p.parquet"
    for column, words in (
        (pa.array([[1.0]] * 120), "holds values of the type list<"),
        (
            pa.array([b"\xff%d" % k for k in range(120)]),
            "holds values of the type binary: write it as numbers or words",
        ),
        (pa.array([b"\xff%d" % k for k in range(120)]).view(pa.string()), "holds words that are no UTF-8 text"),
    ):
        pq.write_table(pa.table({**numbers().to_dict("list"), name: column}), path)
        assert f"Column {name!r} of {path} {words}" in refused(capsys, path)


def test_a_name_of_a_row_may_be_infinite(tmp_path):
    numbers().assign(row=[np.inf, *range(119)]).to_parquet(tmp_path / "p.parquet", index=False)
    assert diagnosed(tmp_path / "p.parquet")["rows"] == 120


def test_an_output_that_is_a_folder(tmp_path, capsys):
    path = tmp_path / "p.csv"
    save(numbers(), path)
    for output in (".", "..", "/", tmp_path):
        assert main(["diagnose", str(path), "--output", str(output)]) == 1
        said = capsys.readouterr().err
        assert f"--output is {output}, a folder: add the name" in said and said.count("\n") == 1
    assert [found.name for found in tmp_path.iterdir()] == ["p.csv"]


def test_a_learner_that_is_certain_and_wrong_by_its_scores(tmp_path, capsys):
    scores, targets = RANDOM.normal(size=(60, 2, 3)), RANDOM.integers(0, 3, 60)
    scores[4, 1, targets[4]] = -np.inf
    np.savez(tmp_path / "p.npz", predictions=scores, targets=targets)
    words = "the cross-entropy is infinite: learner '1' gives the right class of data row 5 the score -inf"
    assert any(words in note for note in diagnosed(tmp_path / "p.npz")["notes"])
    assert "use --loss brier" in refused(capsys, tmp_path / "p.npz", "--loss", "cross_entropy")


def test_pickles_are_not_opened(tmp_path, capsys):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "trap"), "w"))

    np.savez(tmp_path / "p.npz", predictions=np.array([Trap()], object))
    assert "as a pickle" in refused(capsys, tmp_path / "p.npz")
    np.save(tmp_path / "p.npy", np.array([Trap()], object), allow_pickle=True)
    (tmp_path / "p.npy").rename(tmp_path / "q.npz")
    assert "not a complete NumPy archive" in refused(capsys, tmp_path / "q.npz")
    assert not (tmp_path / "trap").exists()


def test_targets_and_references_that_do_not_fit(tmp_path, capsys):
    frame, path, other = numbers(), tmp_path / "p.csv", tmp_path / "t.csv"
    save(frame.drop(columns="target"), path)
    for targets, words in (
        (frame[["target"]], "cannot be matched"),
        (frame[["row", "target"]].iloc[3:], "lacks targets for 3 of the 120 rows"),
        (frame[["row", "target"]].assign(row="r1"), "120 rows named 'r1'"),
        (frame[["row", "a", "b"]], "has no column 'target'"),
    ):
        save(targets, other)
        assert words in refused(capsys, path, "--targets", other)
    save(frame[["a", "b", "c"]], path)
    save(frame[["target"]].iloc[1:], other)
    assert "has 120 rows" in refused(capsys, path, "--targets", other)
    save(frame, path)
    save(frame[["row", "target"]], other)
    assert "leave one of them out" in refused(capsys, path, "--targets", other)
    for reference, words in (
        (frame.iloc[1:], "lacks predictions for 1 of the 120 rows"),
        (frame.assign(target=0.5), "has other targets"),
        (frame[["row", "a", "target"]], "single learner"),
        (probabilities(), "lacks predictions for 120"),
        (probabilities().assign(row=frame["row"]), "do not have the same classes"),
    ):
        save(reference, other)
        assert words in refused(capsys, path, "--reference", other)


def test_classes_of_the_reference(tmp_path, capsys):
    save(probabilities(), tmp_path / "p.csv")
    renamed = probabilities().rename(columns=lambda name: name.replace("owl", "cow"))
    save(renamed, tmp_path / "r.csv")
    assert "has the classes or outputs 'cat', 'dog', 'cow', not" in refused(
        capsys, tmp_path / "p.csv", "--reference", tmp_path / "r.csv"
    )


def test_an_infinite_cross_entropy_that_was_asked_for(tmp_path, capsys):
    frame = probabilities()
    frame[["a:cat", "a:dog", "a:owl"]] = [[float(name != "cat"), float(name == "cat"), 0.0] for name in frame["target"]]
    save(frame, tmp_path / "p.csv")
    assert "infinite" in refused(capsys, tmp_path / "p.csv", "--loss", "cross_entropy")
    assert "--averaging probability" in refused(capsys, tmp_path / "p.csv", "--averaging", "score")


def test_what_is_unusual_but_right_is_told(tmp_path):
    frame = numbers().assign(y=numbers()["target"])
    save(frame, tmp_path / "p.csv")
    assert any("'y' equals the targets" in note for note in diagnosed(tmp_path / "p.csv")["notes"])
    whole = numbers().round({"a": 0, "b": 0, "c": 0, "target": 0})
    save(whole, tmp_path / "p.csv")
    assert any("labels of classes" in note for note in diagnosed(tmp_path / "p.csv")["notes"])


def test_an_archive_of_zeros_is_not_unpacked(tmp_path, capsys):
    """Two megabytes that say they are two gigabytes."""
    path = tmp_path / "p.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("predictions.npy", "w", force_zip64=True) as file,
    ):
        for _ in range(2100):
            file.write(bytes(2**20))
    assert "unpacks to 2,202,009,600 bytes" in refused(capsys, path)


def test_archives_with_a_flipped_bit(tmp_path, capsys):
    whole = tmp_path / "whole.npz"
    np.savez(whole, predictions=RANDOM.normal(size=(50, 3)), targets=RANDOM.normal(size=50))
    content, path = whole.read_bytes(), tmp_path / "p.npz"
    for place in RANDOM.integers(0, len(content), 200):
        changed = bytearray(content)
        changed[place] ^= 1 << int(RANDOM.integers(8))
        path.write_bytes(changed)
        code = main(["diagnose", str(path), "--draws", "2", "--output", str(tmp_path / "o")])
        said = capsys.readouterr().err
        assert code == 0 or (str(path) in said and said.count("\n") == 1), said
