"""How often the intervals and verdicts of the claims are right, by simulation: the table in docs/statistics.md.

python benchmarks/coverage.py [--simulations 40000]
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from learner_collusion.claims.intervals import interval

PAGE = Path(__file__).parents[1] / "docs/statistics.md"
RUNS = (3, 5, 6, 10)
BETWEEN, FAR = "<!-- coverage -->\n", 10.0
# A case draws values (simulations, runs, m, k) whose true order statistic is 0, the threshold: what is above it "holds".
Draw = Callable[[np.random.Generator, int, int], np.ndarray]


def _normal(random: np.random.Generator, simulations: int, runs: int) -> np.ndarray:
    return random.normal(size=(simulations, runs, 1, 1))


def _skewed(random: np.random.Generator, simulations: int, runs: int) -> np.ndarray:
    return np.exp(0.6 * _normal(random, simulations, runs)) - np.exp(0.18)


def _log_ratio(random: np.random.Generator, simulations: int, runs: int) -> np.ndarray:
    """Of DIV at beta 1 and 0, log-normal, with spreads .6 and .3, correlated through the run."""
    run, first, second = random.normal(size=(3, simulations, runs, 1, 1))
    return (0.4 * run + 0.6 * first) - (0.4 * run + 0.3 * second)


def _skewed_log_ratio(random: np.random.Generator, simulations: int, runs: int) -> np.ndarray:
    return -np.log(random.gamma(2.0, size=(simulations, runs, 1, 1))) + 0.42278433509846713  # digamma(2)


def _smallest(*means: float) -> Draw:
    """Each beta minus beta 1, whose noise they share."""

    def draw(random: np.random.Generator, simulations: int, runs: int) -> np.ndarray:
        others, one = (
            random.normal(size=(simulations, runs, 1, len(means))),
            random.normal(size=(simulations, runs, 1, 1)),
        )
        return others + np.array(means) - one

    return draw


def _between(first_end: list[float], second_end: list[float]) -> Draw:
    """Both ends minus each beta between; the lists hold the true differences, an entry per beta between."""

    def draw(random: np.random.Generator, simulations: int, runs: int) -> np.ndarray:
        ends, inner = (
            random.normal(size=(simulations, runs, 1, 2)),
            random.normal(size=(simulations, runs, len(first_end), 1)),
        )
        return ends - inner + np.stack([first_end, second_end], 1)

    return draw


def _middle(*means: float) -> Draw:
    """Log ratios at several betas to that at beta 0, whose noise they share."""

    def draw(random: np.random.Generator, simulations: int, runs: int) -> np.ndarray:
        return _smallest(*means)(random, simulations, runs).swapaxes(-1, -2)

    return draw


ALL_EQUAL, ONE_TIES = "all equal", "least favourable"
# name, situation, rank, draw
CASES: tuple[tuple[str, str, int, Draw], ...] = (
    ("difference", "normal", 1, _normal),
    ("ratio", "log-normal", 1, _log_ratio),
    ("smallest of 5 (worst at beta 1)", ALL_EQUAL, 1, _smallest(0, 0, 0, 0, 0)),
    ("smallest of 5 (worst at beta 1)", ONE_TIES, 1, _smallest(0, FAR, FAR, FAR, FAR)),
    ("largest of 4 smallest (best between)", ALL_EQUAL, 4, _between([0] * 4, [0] * 4)),
    ("largest of 4 smallest (best between)", f"{ONE_TIES} for holds", 4, _between([0] * 4, [FAR] * 4)),
    (
        "largest of 4 smallest (best between)",
        f"{ONE_TIES} for does not hold",
        4,
        _between([0, *[-FAR] * 3], [0, *[-FAR] * 3]),
    ),
    ("fifth of 9 (most betas)", ALL_EQUAL, 5, _middle(*[0] * 9)),
    ("fifth of 9 (most betas)", f"{ONE_TIES} for holds", 5, _middle(*[0] * 5, *[FAR] * 4)),
    ("fifth of 9 (most betas)", f"{ONE_TIES} for does not hold", 5, _middle(*[-FAR] * 4, *[0] * 5)),
)
LIMITS: tuple[tuple[str, str, int, Draw], ...] = (
    ("difference", "skewed: log-normal, spread .6", 1, _skewed),
    ("ratio", "skewed logarithms: log-gamma, shape 2", 1, _skewed_log_ratio),
)


def measure(rank: int, draw: Draw, runs: int, simulations: int, seed: int = 0) -> tuple[float, float, float]:
    """Coverage of the 95 % interval, and shares of wrong "holds" and wrong "does not hold" at the threshold itself."""
    low, high = interval(draw(np.random.default_rng(seed), simulations, runs), 0.95, rank)
    holds, fails = float((low > 0).mean()), float((high <= 0).mean())
    return 1 - holds - fails, holds, fails


def rows(simulations: int) -> Iterator[str]:
    """The table in Markdown."""
    yield "| what | case | " + " | ".join(f"n = {runs}" for runs in RUNS) + " |"
    yield "|---" * (2 + len(RUNS)) + "|"
    for name, situation, rank, draw in (*CASES, *LIMITS):
        found = [measure(rank, draw, runs, simulations) for runs in RUNS]
        cells = " | ".join(f"{100 * c:.1f} ({100 * h:.1f}, {100 * f:.1f})" for c, h, f in found)
        yield f"| {name} | {situation} | {cells} |"


def main() -> None:
    """Write the table to the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--simulations", type=int, default=40000)
    simulations = parser.parse_args().simulations
    before, _, after = PAGE.read_text(encoding="utf-8").split(BETWEEN)
    table = "\n".join(rows(simulations))
    PAGE.write_text(
        f"{before}{BETWEEN}\n{table}\n\n{simulations:,} simulations each.\n\n{BETWEEN}{after}", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
