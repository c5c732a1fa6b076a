"""The judge of the theory."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from learner_collusion import theory as formulas
from learner_collusion.claims import theory
from learner_collusion.claims.catalogue import CLAIMS, Claim
from learner_collusion.claims.verdict import FAILS, HOLDS

ENTRIES = [claim for claim in CLAIMS if claim.part == "theory"]


def judged(claims=ENTRIES, cases=20):
    return theory.judge(None, {}, SimpleNamespace(claims=claims, cases=cases, seed=0))


def test_every_identity_holds_on_random_cases():
    errors = theory.largest_errors(ENTRIES, 100, seed=1)
    assert len(errors) == len(ENTRIES) == 21 and max(errors) < 1e-9


def test_rows():
    rows = judged()
    assert set(rows["verdict"]) == {HOLDS} and len(rows) == 21 and set(rows["id"]) == {"C15"}
    assert set(rows["threshold"]) == {"< 1e-09"} and set(rows["statistic"]) == {"largest error of 20 cases"}
    assert rows["claim"].is_unique


def test_an_identity_judged_alone_gets_the_same_number():
    rows = judged()
    for claim, value in zip(ENTRIES, rows["value"], strict=True):
        assert judged([claim])["value"].item() == value


def test_an_entry_with_an_existing_statistic_is_a_row():
    entry = Claim("C99", "theory", "Lemma D.2 to the last bit", "Appendix D", "lemma_d2", below=0)
    rows = judged([*ENTRIES, entry])
    assert rows["id"].tolist()[-1] == "C99" and rows["verdict"].tolist()[-1] == FAILS


@pytest.mark.parametrize("error", [1e-3, float("nan")])
def test_a_wrong_formula_fails(monkeypatch, error):
    real = formulas.lemma_d2
    monkeypatch.setattr(formulas, "lemma_d2", lambda f, y: real(f, y)._replace(left=real(f, y).left + error))
    rows = judged()
    wrong = rows["claim"].str.contains("Lemma D.2")
    assert set(rows["verdict"][wrong]) == {FAILS} and set(rows["verdict"][~wrong]) == {HOLDS}


def test_cases_are_double_and_vary():
    cases = list(theory.random_cases(100, 0))
    assert len(cases) == 5 and len({case.scores.shape for case in cases}) > 1
    for case in cases:
        assert case.scores.dtype == torch.float64 and np.isclose(float(case.weights.sum()), 1)
        assert case.scores.shape[0] == case.soft.shape[0] == len(case.targets) == 20


@pytest.mark.parametrize(
    ("statistic", "function", "change"),
    [
        ("limit_of_calibration", "probability_averaging", lambda sides: sides._replace(right=sides.right + 1e-3)),
        ("not_negative", "ambiguity", lambda sides: sides._replace(right=sides.right - 1e3)),
        ("more_varied_more_diverse", "beta_diversity", lambda values: -values),
        ("brier", "ambiguity", lambda sides: sides._replace(left=2 * sides.left + 1)),
    ],
)
def test_a_wrong_formula_is_found_by_the_statistics_that_use_it(monkeypatch, statistic, function, change):
    real = getattr(formulas, function)
    case = next(theory.random_cases(20, 0))
    assert theory.STATISTICS[statistic](case) < 1e-9
    monkeypatch.setattr(formulas, function, lambda *arguments: change(real(*arguments)))
    assert theory.STATISTICS[statistic](case) > 1e-9


def test_the_increase_without_replacement_is_not_that_with_it():
    """The finite population's factor: DIV / k, as for learners drawn with replacement, is another number."""
    case = next(theory.random_cases(20, 3))
    f, learners = case.predictions, case.predictions.shape[1]
    div = f.var(1, correction=0)
    left_one_out = torch.stack([(f.sum(1) - f[:, j]) / (learners - 1) for j in range(learners)], 1)
    rise = ((left_one_out - case.targets[:, None]) ** 2).mean(1) - (f.mean(1) - case.targets) ** 2
    assert torch.allclose(rise, div / (learners - 1) ** 2) and not torch.allclose(rise, div / (learners - 1))
    assert theory.expected_increase(case) < 1e-12
