"""How often intervals and verdicts are right: a small simulation, and the table of docs/statistics.md."""

import importlib.util
import re

import numpy as np
import pytest
from conftest import ROOT

from learner_collusion.claims import verdict
from learner_collusion.claims.catalogue import Claim
from learner_collusion.claims.verdict import FAILS, HOLDS, Measurement, decide

SPEC = importlib.util.spec_from_file_location("coverage", ROOT / "benchmarks/coverage.py")
simulation = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(simulation)


@pytest.mark.parametrize("runs", [3, 5, 6, 10])
@pytest.mark.parametrize("case", simulation.CASES, ids=lambda case: f"{case[0]}, {case[1]}")
def test_intervals_cover_and_verdicts_are_seldom_wrong(case, runs):
    covered, holds, fails = simulation.measure(case[2], case[3], runs, 4000, seed=1)
    assert covered >= 0.93 and holds <= 0.035 and fails <= 0.035  # 2.5 % of each, and four standard errors


def test_skewed_differences_are_the_limit():
    covered, holds, fails = simulation.measure(1, dict((c[0], c[3]) for c in simulation.LIMITS)["difference"], 5, 4000)
    assert 0.88 <= covered <= 0.93 and fails > 2 * 0.025 > holds


def test_the_table_of_the_documentation():
    """Every case with every number of runs; at least 93 % for what is about normal, at most 5 % of wrong verdicts."""
    text = (ROOT / "docs/statistics.md").read_text(encoding="utf-8")
    found = [line for line in text.split(simulation.BETWEEN)[1].splitlines() if re.match(r"\| \w", line)][1:]
    assert len(found) == len(simulation.CASES) + len(simulation.LIMITS)
    for line, (name, situation, _, _) in zip(found, (*simulation.CASES, *simulation.LIMITS), strict=True):
        assert line.startswith(f"| {name} | {situation} |")
        numbers = [float(number) for number in re.findall(r"\d+\.\d", line.split("|", 3)[3])]
        assert len(numbers) == 3 * len(simulation.RUNS)
        if "skewed" not in situation:
            assert min(numbers[::3]) >= 93 and max(numbers[1::3] + numbers[2::3]) <= 5


def test_the_script_writes_the_table_that_its_functions_give():
    """The first case again, with the number of simulations that the page names."""
    text = (ROOT / "docs/statistics.md").read_text(encoding="utf-8")
    simulations = int(re.search(r"([\d,]+) simulations each", text)[1].replace(",", ""))
    name, situation, rank, draw = simulation.CASES[0]
    covered, holds, fails = simulation.measure(rank, draw, 3, simulations)
    assert f"| {name} | {situation} | {100 * covered:.1f} ({100 * holds:.1f}, {100 * fails:.1f}) |" in text


def test_decide_gives_the_verdicts_that_are_simulated(random):
    """The same share of wrong verdicts where whole rows of the claims are decided."""
    claim = Claim("C0", "images", "It is so", "Figure 0", "smallest", above=0)
    draws = simulation.CASES[2][3](random, 300, 3)
    verdicts = [decide(claim, "d", Measurement("margin", values), 0.95)["verdict"] for values in draws]
    low, high = verdict.interval(draws, 0.95)
    assert verdicts == [
        HOLDS if a > 0 else FAILS if b <= 0 else verdict.UNDECIDED for a, b in zip(low, high, strict=True)
    ]
    assert np.mean([one == HOLDS for one in verdicts]) <= 0.05
