"""The claims as Markdown and Parquet, of one part and of all."""

import pandas as pd
import pytest

from learner_collusion.claims.catalogue import Claim
from learner_collusion.claims.verdict import FAILS, HOLDS, LEFT_OUT, NO_VERDICT, REPORTED, UNDECIDED, as_frame, row
from learner_collusion.errors import UserError
from learner_collusion.publishing import claims
from learner_collusion.records import parquet
from learner_collusion.records.claims import CLAIMS

NOTE = "Fidelity 'ci', not the paper's: runs 2 instead of 10."
TITLES = {"abalone": "Abalone"}
RATIO = Claim(
    "C1a", "tabular", "Diversity explodes", "Figure 2", "ratio", above=10, measures="DIV over DIV.", remark="As printed.",
)  # fmt: skip
WORST = Claim("C9", "images", "Accuracy is lowest at beta = 1", "Figure 6", "worst_at_one", above=0)


@pytest.fixture
def tabular():
    return as_frame(
        [
            row(
                RATIO,
                "abalone",
                "DIV(1) / DIV(0) | x",
                117.04,
                66.5,
                216,
                verdict=HOLDS,
                runs=10,
                on_its_side=9,
                p=0.01,
                survives=True,
                effect="0.1 (abalone) to 2",
            ),
            row(RATIO, "weather", "DIV(1) / DIV(0)", 2.0, 1.5, 2.5, verdict=FAILS, note="a remark", p=0.04, runs=10),
            row(RATIO, "facebook", "DIV(1) / DIV(0)", 9, 8, 11, verdict=UNDECIDED),
            row(RATIO, "other", "DIV(1) / DIV(0)", 9, 8, 11, verdict=REPORTED),
        ]
    )


@pytest.fixture
def images():
    return as_frame([row(WORST, "SVHN, VGG, M = 5", "margin", verdict=LEFT_OUT, note="the data set is not available")])


@pytest.fixture
def parts(tabular, images, tmp_path):
    paths = [tmp_path / "tabular.parquet", tmp_path / "images.parquet"]
    claims.write(tabular, "tabular", NOTE, TITLES, tmp_path / "tabular.md", paths[0])
    claims.write(images, "images", "", {}, tmp_path / "images.md", paths[1])
    return paths


def test_one_part(parts, tabular, tmp_path):
    text = (tmp_path / "tabular.md").read_text()
    assert text.startswith("# Claims: Tabular data (Section 6.1, Figures 2-4)\n") and f"**{NOTE}**" in text
    assert "1 holds, 1 does not hold, 1 undecided, 1 reported." in text
    cells = (
        r"| C1a | Diversity explodes (Figure 2) | Abalone | DIV(1) / DIV(0) \| x | 117 | 66.5 to 216 | 9 of 10 | > 10 "
        "| 0.1 (Abalone) to 2 | holds ‡ |"
    )
    assert cells in text
    assert "| weather | DIV(1) / DIV(0) | 2 | 1.5 to 2.5 | 0 of 10 | > 10 | - | **does not hold** (a remark) |" in text
    pd.testing.assert_frame_equal(parquet.read(parts[0], CLAIMS), tabular, check_dtype=False)
    metadata = parquet.read_metadata(parts[0])
    assert metadata["fidelity"] == NOTE and metadata["part"] == "tabular" and metadata["titles"] == TITLES


def test_a_part_says_what_its_intervals_cover_and_how_many_wrong_verdicts_to_expect(parts, tmp_path):
    text = (tmp_path / "tabular.md").read_text()
    assert "Intervals are 95 % Student t intervals over paired runs" in text and "not the choice of data set" in text
    assert "Where each of 2 verdicts is wrong 5% of the time, 0.1 wrong ones are to be expected; the 1 marked ‡" in text
    assert "bootstrap" not in text and "test images" not in text


def test_of_images_the_test_images_are_named_and_pairs_of_runs_counted(tmp_path):
    rows = [
        row(WORST, "a", "margin", 1, 0.5, 2, HOLDS, p=0.01, runs=3, on_its_side=3),
        *(row(WORST, "b", "margin", 1, verdict=NO_VERDICT, runs=2, on_its_side=n) for n in (2, 2, 1, 0)),
    ]
    path = tmp_path / "images.md"
    claims.write(as_frame(rows), "images", NOTE, {}, path, tmp_path / "x.parquet", 0.9, "Chosen in sight of verdicts.")
    text = path.read_text()
    assert "90 % Student t" in text and "or of test images, which all runs share" in text
    assert "of training images where a preset takes some of them (one draw for all runs)" in text
    assert "Of 4 rows with two runs, 2 have both on the claim's side, and 1 have none" in text
    assert f"**{NOTE}**\n\n**Chosen in sight of verdicts.**" in text and "4 no verdict" in text


def test_of_images_a_page_says_how_much_a_loss_is_and_what_the_end_is(parts, tmp_path):
    guess, end = "K classes has an ERR of ln K: 2.30 of ten, 4.61 of a hundred.", "*At the end*: mean of the last tenth"
    text = (tmp_path / "images.md").read_text()
    assert guess in text and end not in text and guess not in (tmp_path / "tabular.md").read_text()
    rows = as_frame([row(WORST, "a", "ERR(1) - ERR(0), at the end", 1, 0.5, 2, HOLDS, runs=3)])
    claims.write(rows, "images", NOTE, {}, tmp_path / "ends.md", tmp_path / "ends.parquet")
    assert end in (tmp_path / "ends.md").read_text()


def test_counts_are_in_the_number_that_they_have():
    assert claims.sentence({HOLDS: 1, FAILS: 1, UNDECIDED: 1}) == "1 holds, 1 does not hold, 1 undecided"
    assert claims.sentence({HOLDS: 2, FAILS: 0, UNDECIDED: 2}) == "2 hold, 0 do not hold, 2 undecided"


def test_what_is_measured_is_said_once_a_claim(parts, tmp_path):
    for path, heading in ((tmp_path / "tabular.md", "## What"), (tmp_path / "all.md", "### What")):
        claims.combine(parts, tmp_path / "all.md", tmp_path / "all.parquet")
        text = path.read_text()
        assert text.count("- **C1a** Diversity explodes (Figure 2). DIV over DIV. As printed.\n") == 1
        assert f"\n{heading} is measured\n" in text


def test_a_study_of_its_own_lacks_no_part_of_the_paper(tabular, tmp_path):
    note = "A study of its own, 'houses', by the paper's protocol."
    claims.write(tabular, "tabular", note, TITLES, tmp_path / "tabular.md", tmp_path / "tabular.parquet")
    claims.combine([tmp_path / "tabular.parquet"], tmp_path / "all.md", tmp_path / "all.parquet")
    text = (tmp_path / "all.md").read_text()
    assert f"**{note}**" in text and "Not judged" not in text and "ImageNet" not in text


def test_what_has_no_number_has_a_dash(parts, tmp_path):
    text = (tmp_path / "images.md").read_text()
    assert "| SVHN, VGG, M = 5 | margin | - | - | - | > 0 | - | left out (the data set is not available) |" in text
    assert "nan" not in text and "Fidelity" not in text


def test_all_parts(parts, tmp_path):
    claims.combine(parts, tmp_path / "all.md", tmp_path / "all.parquet")
    text = (tmp_path / "all.md").read_text()
    assert text.index("## Tabular data") < text.index(NOTE) < text.index("| Abalone |") < text.index("## Images")
    missing = text[text.index("Not judged") :]
    assert "ImageNet" in missing and "Theory" in missing and "Tabular" not in missing
    found = parquet.read(tmp_path / "all.parquet", CLAIMS)
    assert len(found) == 5 and set(parquet.read_metadata(tmp_path / "all.parquet")) == {"tabular", "images"}


def test_the_same_bytes_twice(parts, tabular, tmp_path):
    claims.write(tabular, "tabular", NOTE, TITLES, tmp_path / "again.md", tmp_path / "again.parquet")
    for suffix in ("md", "parquet"):
        assert (tmp_path / f"again.{suffix}").read_bytes() == (tmp_path / f"tabular.{suffix}").read_bytes()


def test_nothing_to_put_together(tmp_path):
    with pytest.raises(UserError, match="no claims"):
        claims.combine([], tmp_path / "none.md", tmp_path / "none.parquet")
    assert not list(tmp_path.iterdir())


def test_a_damaged_part_leaves_nothing_half_written(parts, tmp_path):
    parts[1].write_bytes(b"x")
    with pytest.raises(UserError, match="not a complete Parquet file"):
        claims.combine(parts, tmp_path / "all.md", tmp_path / "all.parquet")
    assert not list(tmp_path.glob("all.*"))


def test_the_overview_reads_the_parts_in_their_order(parts, tmp_path):
    claims.combine(parts[::-1], tmp_path / "all.md", tmp_path / "all.parquet")
    first, second = claims.overview(tmp_path / "all.parquet")
    assert (first.part, first.note, second.part, second.note) == ("tabular", NOTE, "images", "")
    assert first.title == "Tabular data (Section 6.1, Figures 2-4)"
    assert first.counts == {HOLDS: 1, FAILS: 1, UNDECIDED: 1, REPORTED: 1}
    assert claims.sentence(second.counts) == "0 hold, 0 do not hold, 0 undecided, 1 left out"
    row = first.rows.iloc[0]
    assert (row["id"], row["data"], row["value"], row["interval"]) == ("C1a", "Abalone", "117", "66.5 to 216")
    assert (row["claim"], row["verdict"], row["note"]) == ("Diversity explodes (Figure 2)", HOLDS, "")
    assert first.rows["mark"].tolist() == ["‡", "", "", ""]
    (alone,) = claims.overview(parts[0])
    assert alone.counts == first.counts and alone.rows.equals(first.rows)
