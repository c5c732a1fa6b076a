"""How often intervals and verdicts are right: a small simulation, and the table of docs/statistics.md."""

import importlib.util
import re

import numpy as np
import pytest
from conftest import ROOT

from learner_collusion.claims import verdict
from learner_collusion.claims.catalogue import Claim
from learner_collusion.claims.intervals import estimate
from learner_collusion.claims.verdict import FAILS, HOLDS, Measurement, decide

SPEC = importlib.util.spec_from_file_location("coverage", ROOT / "benchmarks/coverage.py")
simulation = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(simulation)


@pytest.mark.parametrize("runs", [3, 5, 6, 10])
@pytest.mark.parametrize("case", simulation.CASES, ids=lambda case: f"{case[0]}, {case[1]}")
def test_intervals_cover_and_verdicts_are_seldom_wrong(case, runs):
    covered, holds, fails = simulation.measure(case[2], case[3], runs, 4000, seed=1)
    assert covered >= 0.93 and holds <= 0.035 and fails <= 0.035  # 2.5 % of each, and four standard errors


def percentile_bootstrap(values, confidence, rank=1):
    """The interval that this project had before: quantiles of the order statistic of resampled runs."""
    resampled = np.random.default_rng(0).integers(values.shape[1], size=(200, values.shape[1]))
    found = np.stack([estimate(values[:, runs], rank) for runs in resampled])
    return np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)


@pytest.mark.parametrize(
    ("number", "runs", "published"),
    [(0, 3, 0.75), (0, 5, 0.843), (0, 10, 0.894), (1, 5, 0.81), (2, 3, 0.481), (2, 6, 0.626), (3, 5, 0.83)],
)
def test_the_percentile_bootstrap_would_not_pass(monkeypatch, number, runs, published):
    """So the simulation above would have shown what was wrong, and by how much."""
    monkeypatch.setattr(simulation, "interval", percentile_bootstrap)
    covered, holds, fails = simulation.measure(*simulation.CASES[number][2:], runs, 2000, seed=1)
    assert covered == pytest.approx(published, abs=0.04) and not (covered >= 0.93 and max(holds, fails) <= 0.035)


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
