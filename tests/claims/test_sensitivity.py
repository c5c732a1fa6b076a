"""Which findings stay under other open choices, from records with known answers."""

import pytest
from made_variants import write

from learner_collusion.claims.sensitivity import FALLS, RISES, UNCLEAR, findings, stability
from learner_collusion.claims.verdict import FAILS, HOLDS, UNDECIDED
from learner_collusion.records import parquet


@pytest.fixture
def found(tmp_path):
    return findings(parquet.read(write(tmp_path)))


def line(rows, id, dataset, signed=False):
    [one] = rows[(rows["id"] == id) & (rows["dataset"] == dataset) & (rows["signed"] == signed)].to_dict("records")
    return one


def test_judged_rows_have_their_verdict_and_the_error_its_sign(found):
    of = found.set_index(["variant", "id", "dataset", "signed"])["finding"]
    assert of["chosen", "C1a", "a", False] == HOLDS and of["worse", "C1a", "a", False] == FAILS
    assert [of[name, "C3", "a", True] for name in ("chosen", "worse", "other", "joint1")] == [
        RISES,
        RISES,
        UNCLEAR,
        RISES,
    ]
    assert of["chosen", "C3", "b", False] == HOLDS and of["chosen", "C3", "b", True] == UNCLEAR
    assert ("chosen", "C3", "a", False) not in of.index  # reported, not judged
    assert len(found) == 5 * 6


def test_the_sign_is_where_the_interval_lies(tmp_path):
    records = parquet.read(write(tmp_path))
    lowered = records["low"].where(records["id"] != "C3", records["low"] - 0.5)
    below = records.assign(low=lowered, high=records["high"].where(records["id"] != "C3", records["high"] - 0.5))
    assert set(findings(below).loc[lambda rows: rows["signed"], "finding"]) == {FALLS}


def test_a_variant_concerns_the_rows_whose_numbers_it_changes(found):
    of = found.set_index(["variant", "id", "dataset", "signed"])["concerned"]
    assert of["worse", "C1a", "a", False] and not of["worse", "C1a", "b", False]
    assert not found.loc[found["variant"].isin(["chosen", "nothing"]), "concerned"].any()


def test_what_stays_and_what_hangs_on_a_choice(found):
    rows = stability(found)
    explodes = line(rows, "C1a", "a")
    assert (explodes["single"], explodes["single_differ"], explodes["opposite"]) == (2, 1, 1)
    assert (explodes["joint"], explodes["joint_differ"]) == (1, 0)
    assert explodes["hangs_on"] == f"trained less ({FAILS})"
    assert (explodes["value"], explodes["lowest"], explodes["highest"]) == (20, 5, 30)
    never = line(rows, "C1a", "b")
    assert (never["single"], never["joint"], never["hangs_on"]) == (0, 0, "")
    share = line(rows, "C4b", "a")
    assert (share["single_differ"], share["joint_differ"], share["opposite"], share["hangs_on"]) == (0, 1, 0, "")
    assert line(rows, "C3", "a", signed=True)["hangs_on"] == f"another target ({UNCLEAR})"
    assert UNDECIDED not in rows["finding"].tolist()


def test_the_order_of_the_variants_does_not_matter(tmp_path):
    records = parquet.read(write(tmp_path))
    rows, back = stability(findings(records)), stability(findings(records.iloc[::-1]))
    names = ["id", "claim", "dataset", "signed"]
    numbers = ["value", "lowest", "highest", "single", "single_differ", "joint", "joint_differ", "opposite", "finding"]
    assert rows.set_index(names)[numbers].sort_index().equals(back.set_index(names)[numbers].sort_index())
