"""New results against published ones: identical in any order, and each kind of difference told with its place."""

import shutil

import pandas as pd
import pytest
from conftest import ROOT

from learner_collusion.cli import main
from learner_collusion.errors import UserError
from learner_collusion.publishing.verify import compare
from learner_collusion.records import parquet
from learner_collusion.records.tabular import RECORDS

GALLERY = ROOT / "docs/gallery"


@pytest.fixture
def results(tmp_path):
    """The published tabular results as the workflow leaves them."""
    for source, folder in (("*.parquet", "records"), ("claims/*.parquet", "claims"), ("fig*.csv", "figures")):
        (tmp_path / "results" / folder).mkdir(parents=True)
        for path in GALLERY.glob(source):
            shutil.copy(path, tmp_path / "results" / folder)
    return tmp_path / "results"


def change(path, edit):
    frame = pd.read_parquet(path)
    edit(frame).to_parquet(path, index=False)


def test_all_are_identical_in_whatever_order(results, capsys):
    change(results / "records/tabular.parquet", lambda frame: frame.sample(frac=1, random_state=0))
    assert main(["verify", str(results), str(GALLERY)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    total = last.split()[0]
    assert last == f"{total} of {total} numbers and verdicts identical."
    assert int(total.replace(",", "")) > 5280
    assert last in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_number_that_differs_in_the_last_bit_is_told_with_its_place(results, capsys):
    def edit(frame):
        place = (
            (frame["dataset"] == "weather") & (frame["run"] == 3) & (frame["metric"] == "div") & (frame["beta"] == 1)
        )
        assert place.sum() == 1
        frame.loc[place, "value"] *= 1 + 2**-52
        return frame

    change(results / "records/tabular.parquet", edit)
    assert main(["verify", str(results), str(GALLERY)]) == 1
    out = capsys.readouterr().out
    assert "dataset weather, run 3, beta 1.0, metric div, value" in out and "e-16)" in out
    assert main(["verify", str(results), str(GALLERY), "--tolerance", "1e-12"]) == 0
    assert "within 1e-12" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "edit"),
    [
        ("records/tabular.parquet", lambda frame: frame.iloc[1:]),
        ("records/tabular.parquet", lambda frame: pd.concat([frame, frame.iloc[:1].assign(run=99)])),
        ("records/tabular.parquet", lambda frame: frame.assign(value=frame["value"].where(frame["run"] > 0))),
        ("claims/tabular.parquet", lambda frame: frame.assign(verdict="undecided")),
        ("claims/theory.parquet", lambda frame: frame.assign(verdict="does not hold")),
    ],
)
def test_missing_and_other_rows_and_verdicts_differ_at_any_tolerance(results, file, edit):
    change(results / file, edit)
    assert compare(results, GALLERY, 0.5)[1]


def test_a_missing_file_differs_and_an_empty_gallery_is_told(results, tmp_path):
    (results / "figures/fig2_diversity.csv").unlink()
    assert {one.file for one in compare(results, GALLERY)[1]} == {"fig2_diversity.csv"}
    with pytest.raises(UserError, match="holds no records"):
        compare(results, tmp_path)


def of_torch(results, hyperparameters):
    """The records as PyTorch's: with its name in the metadata, and a third of the numbers moved a little."""
    path = results / "records/tabular.parquet"
    metadata = parquet.read_metadata(path, published=True)
    for one in metadata.values():
        one["training"] |= {"engine": "torch"} | hyperparameters
    records = parquet.read(path, RECORDS, published=True)
    records.loc[::3, "value"] *= 1.05
    parquet.write(path, records, RECORDS, metadata)
    return path


def test_numbers_of_pytorch_are_compared_within_a_tolerance_that_is_told(results, capsys):
    path = of_torch(results, {})
    assert main(["verify", str(results), str(GALLERY)]) == 0
    out = capsys.readouterr().out
    assert "PyTorch trained these results, with the published hyper-parameters" in out and "70% within 0.1" in out
    assert main(["verify", str(results), str(GALLERY), "--tolerance", "0"]) == 1
    change(results / "claims/tabular.parquet", lambda frame: frame.assign(verdict="undecided"))
    assert main(["verify", str(results), str(GALLERY)]) == 1
    assert "Verdicts that differ: " in capsys.readouterr().out
    shutil.copy(GALLERY / "claims/tabular.parquet", results / "claims")
    records, metadata = parquet.read(path, RECORDS, published=True), parquet.read_metadata(path, published=True)
    for factor in (1.01, 1.3):  # more than half beyond the narrow tolerance; all beyond the wide one
        parquet.write(path, records.assign(value=records["value"] * factor), RECORDS, metadata)
        assert main(["verify", str(results), str(GALLERY)]) == 1


def test_a_search_of_pytorchs_own_is_told(results, capsys):
    of_torch(results, {"hyperparameters": {}})
    main(["verify", str(results), str(GALLERY)])
    assert "with hyper-parameters of its own" in capsys.readouterr().out
