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
    assert len(errors) == len(ENTRIES) == 12 and max(errors) < 1e-9


def test_rows():
    rows = judged()
    assert set(rows["verdict"]) == {HOLDS} and len(rows) == 12 and set(rows["id"]) == {"C15"}
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
