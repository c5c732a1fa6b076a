"""The catalogue: complete, consistent, and readable without a library."""

import subprocess
import sys
from collections import Counter
from dataclasses import asdict

import pytest
import yaml

from learner_collusion.claims import images, tabular, theory
from learner_collusion.claims.catalogue import CLAIMS, PARTS

JUDGES = {"theory": theory, "tabular": tabular, "images": images}


def test_no_two_entries_say_the_same():
    assert max(Counter((claim.id, claim.text) for claim in CLAIMS).values()) == 1
    assert {claim.part for claim in CLAIMS} <= set(PARTS)
    assert all(claim.text.strip() and claim.section.strip() for claim in CLAIMS)


def test_every_claim_that_is_judged_is_listed():
    found = {part: {claim.id for claim in CLAIMS if claim.part == part} for part in JUDGES}
    assert found["tabular"] == {"C1a", "C1b", "C2", "C3", "C4a", "C4b", "C5a", "C5b"}
    assert found["images"] == {"C6", "C7", "C8", "C9", "C10", "C12", "C13", "C14"}
    assert found["theory"] == {"C15"} and sum(claim.part == "theory" for claim in CLAIMS) == 12
    assert {claim.section for claim in CLAIMS if claim.id == "C12"} == {f"Figure {n}" for n in (13, 14, 16, 17)}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.id}-{claim.statistic}")
def test_an_entry_names_a_statistic_and_an_experiment_that_exist(claim, config):
    function = JUDGES[claim.part].STATISTICS[claim.statistic]
    assert function is getattr(JUDGES[claim.part], claim.statistic)
    assert (claim.experiment is not None) == (claim.part == "images")
    assert claim.experiment is None or claim.experiment in config["images"]["experiments"]
    assert claim.part != "theory" or claim.below == 1e-9


def test_every_statistic_is_used():
    for part, judge in JUDGES.items():
        assert set(judge.STATISTICS) == {claim.statistic for claim in CLAIMS if claim.part == part}


def test_an_entry_is_the_same_after_a_settings_file():
    for claim in CLAIMS:
        assert yaml.safe_load(yaml.safe_dump(asdict(claim))) == asdict(claim)


def test_it_needs_the_standard_library_alone():
    code = (
        "import sys; before = set(sys.modules); import learner_collusion.claims.catalogue; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names); print(new)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == (
        "{'learner_collusion'}"
    )
