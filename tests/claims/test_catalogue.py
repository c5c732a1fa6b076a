"""The catalogue: complete, consistent, and readable without a library."""

import re
import subprocess
import sys
from collections import Counter
from dataclasses import asdict

import pytest
import yaml

from learner_collusion.claims import imagenet, images, tabular, theory
from learner_collusion.claims.catalogue import CLAIMS, PARTS

JUDGES = {"theory": theory, "tabular": tabular, "images": images, "imagenet": imagenet}


def test_no_two_entries_say_the_same():
    assert max(Counter((claim.id, claim.text) for claim in CLAIMS).values()) == 1
    assert {claim.part for claim in CLAIMS} <= set(PARTS)
    assert all(claim.text.strip() and claim.section.strip() and claim.measures.endswith(".") for claim in CLAIMS)


def test_every_claim_is_listed():
    found = {part: {claim.id for claim in CLAIMS if claim.part == part} for part in PARTS}
    assert found["tabular"] == {"C1a", "C1b", "C2", "C3", "C4a", "C4b", "C5a", "C5b", "C5c"}
    assert found["images"] == {f"C{n}" for n in (6, 7, 8, 9, 10, 12, 13, 14, 16, 17, 18, 19, 20)}
    assert found["imagenet"] == {"C10", "C11"}
    assert found["theory"] == {"C15"} and sum(claim.part == "theory" for claim in CLAIMS) == 21
    assert {claim.section for claim in CLAIMS if claim.id == "C12"} == {f"Figure {n}" for n in (13, 14, 16, 17)}


def test_every_figure_and_section_with_results_has_an_entry():
    """From the paper's table of contents: what shows something that can be true or false."""
    sections = " ".join(claim.section for claim in CLAIMS)
    places = ["Table 1", "Table 2", *(f"Figure {n}" for n in (2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16, 17, 18))]
    places += ["Section 3", "Section 4.2", "Section 6.1", "Section 6.2", "Section 6.3", "Theorem 4.3", "Theorem 4.5"]
    places += ["Theorem 5.1", "Theorem D.1", "Lemma D.2", "Theorem D.3", "Appendix B", "Appendix C.1", "Appendix C.3"]
    places += ["Appendix E", "Appendix F", *(f"Appendix G.{n}" for n in (1, 2, 3, 4, 7))]
    assert [place for place in places if not re.search(rf"{place}\b", sections)] == []


def test_thresholds_are_those_that_were_set():
    """The first design's; a change here is a tuned threshold."""
    limits = {(c.id, c.statistic): (c.above, c.below) for c in CLAIMS if c.part != "theory"}
    assert limits[("C1a", "ratio")] == (10, None) and limits[("C1b", "ratio_at_most_betas")] == (None, 3)
    assert limits[("C2", "ratio")] == (1, None) and limits[("C4a", "mean_of_data_sets")] == (0.3, 0.7)
    assert limits[("C4b", "difference")] == (0.1, None) and limits[("C8", "peak")] == (None, 1 / 3)
    (c3,) = (claim for claim in CLAIMS if claim.id == "C3")
    assert c3.options["limits"] == {"facebook": {"above": -0.05, "below": 0.05}}
    (c5a,) = (claim for claim in CLAIMS if claim.id == "C5a")
    assert c5a.options["factor"] == 5 and c5a.above == 0
    assert limits[("C11", "loss_from_zero_to_one")] == (0, None) and limits[("C11", "signs")] == (0.5, None)
    others = {k: v for k, v in limits.items() if k[0] in ("C5b", "C6", "C7", "C9", "C10", "C12", "C13", "C14", "C18")}
    assert set(others.values()) == {(0, None)}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.id}-{claim.statistic}")
def test_an_entry_names_a_statistic_and_an_experiment_that_exist(claim, config):
    assert JUDGES[claim.part].STATISTICS[claim.statistic].__name__ == claim.statistic
    assert (claim.experiment is not None) == (claim.part == "images")
    assert claim.experiment is None or claim.experiment in config["images"]["experiments"]
    assert claim.part != "theory" or claim.below == 1e-9
    assert claim.options.get("model", "imagenet_resnet18") in config["imagenet"]["models"]


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.part != "theory"], ids=lambda c: f"{c.id}-{c.statistic}")
def test_a_neutral_text_names_nothing_of_the_paper(claim):
    words = r"Figure|Section|Appendix|Facebook|Weather|Abalone|Bioconcentration|CIFAR|SVHN|VGG|CNN|ImageNet|paper"
    assert claim.neutral and not re.search(words, claim.neutral + claim.measures)


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
