"""Student t intervals over runs, their p-values, and Holm's correction. docs/statistics.md has their measured coverage.

What is measured in a run is an array (m, k) of differences, or of logarithms of ratios. A claim is about the `rank`-th
smallest, over the m rows, of the smallest of each row's k means: (1, 1) is a plain difference, (1, k) the smallest of k
differences, (m, k) with rank m the largest of m smallest. The interval goes from that order statistic of the lower ends to
that of the upper ends. An end that several differences could move past the truth gets Bonferroni's correction for so many:
the lower ends for `rank`, the upper ends for k (m - rank + 1).
"""

import numpy as np
from scipy import stats


def estimate(values: np.ndarray, rank: int = 1) -> np.ndarray:
    """The order statistic of the means over the runs; `values` (..., runs, m, k), the result (...)."""
    return _ordered(values.mean(-3), rank)


def interval(values: np.ndarray, confidence: float, rank: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of the interval for `estimate`, each (...); at least two runs."""
    mean, error, (lower_tests, upper_tests) = _moments(values, rank)
    tail, freedom = (1 - confidence) / 2, values.shape[-3] - 1
    lower = mean - stats.t.isf(tail / lower_tests, freedom) * error
    upper = mean + stats.t.isf(tail / upper_tests, freedom) * error
    return _ordered(lower, rank), _ordered(upper, rank)


def p_values(values: np.ndarray, threshold: float, rank: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """One-sided p-values against "not above" and against "not below" the threshold, each (...): below (1 - confidence) / 2
    exactly where the lower end of `interval` lies above the threshold, or the upper end below it."""
    mean, error, (lower_tests, upper_tests) = _moments(values, rank)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(mean == threshold, 0.0, (mean - threshold) / error)
    freedom, last = values.shape[-3] - 1, values.shape[-2] - rank
    above = np.sort(stats.t.sf(t, freedom).max(-1), -1)[..., last] * lower_tests
    below = np.sort(stats.t.cdf(t, freedom).min(-1), -1)[..., rank - 1] * upper_tests
    return np.minimum(above, 1.0), np.minimum(below, 1.0)


def holm(p: np.ndarray, alpha: float) -> np.ndarray:
    """Which hypotheses Holm's step-down procedure rejects at a family-wise error of `alpha`; NaN is none. `p` (n,)."""
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    passes = p[order] <= alpha / np.arange(len(order), 0, -1)
    rejected = np.zeros(len(p), bool)
    rejected[order[np.logical_and.accumulate(passes)]] = True
    return rejected


def _moments(values: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Mean and standard error over the runs, (..., m, k), and for how many tests each end is corrected."""
    runs, m, k = values.shape[-3:]
    return values.mean(-3), values.std(-3, ddof=1) / np.sqrt(runs), (rank, k * (m - rank + 1))


def _ordered(numbers: np.ndarray, rank: int) -> np.ndarray:
    return np.sort(numbers.min(-1), -1)[..., rank - 1]
