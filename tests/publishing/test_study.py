"""What a study of the user's own tables says of itself."""

import html
import re

import pytest

from learner_collusion.claims.catalogue import CLAIMS
from learner_collusion.claims.verdict import FAILS, HOLDS, NO_VERDICT, UNDECIDED, as_frame, for_data_set, row
from learner_collusion.figures.registry import FIGURES
from learner_collusion.plan import configuration
from learner_collusion.publishing import claims, report, study
from learner_collusion.publishing.claims import overview

OWN = {
    "fidelity": "houses",
    "tables": {"houses": {"file": "houses.csv", "target": "price", "title": "Houses"}},
    "tabular": {"datasets": ["houses"]},
}


def note(tabular: dict | None = None, name: str = "houses") -> str:
    """The note of a study that changes `tabular`."""
    paper = configuration.load(configuration.PAPER)
    own = configuration.overlay(OWN, {"fidelity": name, "tabular": tabular or {}})
    return configuration.note(configuration.overlay(paper, own), paper, "tabular")


def judged(id: str, value: float, low: float, high: float, verdict: str, dataset: str = "houses", **others) -> dict:
    """A row of the claim as it is judged on a table of the user's."""
    claim = next(claim for claim in CLAIMS if claim.id == id)
    return row(
        for_data_set(claim, dataset, of_the_paper=False), dataset, "statistic", value, low, high, verdict, **others
    )


def page(folder, rows: list[dict], note: str, **titles: str) -> str:
    """The text of a study's page with nothing but judged claims."""
    titles = titles or {"houses": "Houses of Springfield"}
    claims.write(
        as_frame(rows), "tabular", note, titles, folder / "claims/tabular.md", folder / "claims/tabular.parquet"
    )
    report.write(folder, folder / "report.html", report.Page("houses", [], [], list(titles.values())))
    text = re.sub(r"<(style|script).*?</\1>", "", (folder / "report.html").read_text(encoding="utf-8"), flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def test_a_study_by_the_papers_protocol_has_no_more_to_say():
    assert study.label(note()) == "a study of its own" and study.changes(note()) == []
    assert study.described(note()) == "A study of its own tables, by the paper's protocol."


@pytest.mark.parametrize(
    ("tabular", "told"),
    [
        ({"runs": 3}, "runs 3 instead of 10"),
        ({"betas": [0, 0.5, 1]}, "betas 0 0.5 1 instead of 0 0.1 "),
        ({"training": {"max_epochs": 20}}, "max epochs 20 instead of 200"),
        ({"tuning": {"trials": 4, "initial_points": 2}}, "trials 4 instead of 20; initial points 2 instead of 10"),
    ],
)
def test_a_small_run_says_that_it_is_one_and_what_is_small(tabular, told):
    found = note(tabular, "small. by the paper's")
    assert study.label(found) == "a small run of its own tables"
    assert study.described(found).startswith(f"A small run of its own tables: {told}")
    assert study.described(f"{found}\n\nThe records were not made so. Really.") == study.described(found)


@pytest.mark.parametrize("tabular", [{"runs": 20}, {"betas": [i / 20 for i in range(21)]}, {"tuning": {"beta": 0.5}},
                                     {"preprocessing": {"skewness_threshold": 0.5}}])  # fmt: skip
def test_another_protocol_is_not_a_small_one(tabular):
    found = note(tabular)
    assert study.label(found) == "a study of its own, changed"
    assert study.described(found).startswith("A study of its own tables, by the paper's protocol but for: ")


def test_the_page_of_a_small_run_says_so_where_one_looks_first(tmp_path):
    growth = [judged("C1a", 223, 54.6, 908, HOLDS)]
    full, small = (page(tmp_path / name, growth, note(own)) for name, own in (("full", {}), ("small", {"runs": 2})))
    assert "A study of its own tables, by the paper's protocol. What differs" in full and "small run" not in full
    assert "a small run of its own tables A small run of its own tables: runs 2 instead of 10. What differs" in small
    assert small.count("a small run of its own tables") == 2 and "a study of its own" not in small  # badge and column


FIRST = "diversity at beta = 1 is"


@pytest.mark.parametrize(
    ("growth", "told"),
    [
        ((225, 150, 330, HOLDS), f"Yes: {FIRST} 225 times that of independent training (interval 150 to 330)."),
        ((1.2, 0.9, 1.5, FAILS), f"No sign of it: {FIRST} 1.2 times that of independent training (interval 0.9 to 1.5)."),
        ((5, 2, 9, FAILS), f"A little: {FIRST} 5 times that of independent training (interval 2 to 9)."),
        ((20, 2, 200, UNDECIDED), f"Undecided with 3 runs: {FIRST} 20 times that of independent training (interval 2 to 200)."),
        ((20, float("nan"), float("nan"), NO_VERDICT), f"Undecided with 3 runs: {FIRST} 20 times that of independent training."),
    ],
)  # fmt: skip
def test_one_sentence_answers_the_title_and_the_rule_stands_beside_it(tmp_path, growth, told):
    text = page(tmp_path, [judged("C1a", *growth, runs=3)], note())
    assert f"{told} How this answer is found {study.RULE}" in text
    small = page(tmp_path / "small", [judged("C1a", *growth, runs=3)], note({"runs": 3}))
    assert told.replace(": div", ", in this small run: div") in small


@pytest.mark.parametrize(("verdict", "there"), [(HOLDS, True), (UNDECIDED, False)])
def test_the_answer_tells_what_dropping_learners_costs_where_that_is_decided(tmp_path, verdict, there):
    dropped = judged("C5a", 0.06, -0.01, 0.1, verdict, effect="ERR(1) grows by 97.8%")
    dropped["statistic"] = "increase(1) - 5 increase(0.5), 20% dropped"
    text = page(tmp_path, [judged("C1a", 225, 150, 330, HOLDS), dropped], note())
    assert (", and dropping 20% of the learners raises the test error by 97.8%. How" in text) is there


def test_several_tables_have_an_answer_each_and_what_was_not_judged_none(tmp_path):
    rows = [judged("C1a", 225, 150, 330, HOLDS), judged("C1a", 1, 0.9, 1.1, FAILS, "cars")]
    text = page(tmp_path, rows, note(), houses="Houses", cars="Cars")
    assert "On Houses, yes: diversity" in text and "; on Cars, no sign of it: diversity" in text
    other = page(tmp_path / "other", [judged("C2", 2, 1.5, 3, HOLDS)], note())
    assert "How this answer is found" not in other


def test_a_study_names_no_place_of_the_paper_and_no_claim_by_a_number_that_it_does_not_show(tmp_path):
    ids = list(dict.fromkeys(claim.id for claim in CLAIMS if claim.part == "tabular"))
    rows = [judged(id, 2, 1, 3, UNDECIDED) for id in ids]
    text = page(tmp_path, rows, note())
    assert not re.search(r"Section \d|Figures? \d|Appendix|\bC\d|order of the paper", text)
    told = (tmp_path / "claims/tabular.md").read_text()
    assert told.startswith("# Claims: Tabular data\n") and not re.search(r"Section \d|Figures? \d|Appendix", told)
    assert overview(tmp_path / "claims/tabular.parquet")[0].title == "Tabular data"
    for figure in (figure for figure in FIGURES.values() if figure.part == "tabular"):
        assert not re.search(r"Section|Figure \d|Appendix", study.without_places(figure.caption))
    assert "(Appendix C.1)" in FIGURES["fig3_debiased"].caption  # of the paper's own page
