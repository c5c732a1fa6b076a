"""Bands and intervals over runs. Runs are paired across betas: they share split, initial weights and batches."""

from collections.abc import Callable

import numpy as np


def band(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the first axis, the runs; the population's (ddof 0), as in the official code."""
    return values.mean(0), values.std(0)


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray], runs: np.ndarray, resamples: int, level: float, seed: int
) -> tuple[float, float, float]:
    """The statistic of the runs, and the percentile interval of it over resamples of whole runs.

    `runs` (runs, ...) holds everything measured in a run, so that pairs stay together. `statistic` maps
    (..., runs, ...), with the runs' axis first after `resamples`, to one number each: it is called with
    (resamples, runs, ...) and must reduce all but the first axis. With one run there is no interval: NaN.
    """
    value = float(statistic(runs[None])[0])
    if len(runs) < 2:
        return value, float("nan"), float("nan")
    chosen = np.random.default_rng(seed).integers(0, len(runs), (resamples, len(runs)))
    samples = statistic(runs[chosen])
    tail = (1 - level) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return value, float(low), float(high)


def standard_error_band(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and two standard errors over the first axis, the runs (Figures 5, 6 and 10-18); zero width for one run."""
    if len(values) < 2:
        return values.mean(0), np.zeros(values.shape[1:])
    return values.mean(0), 2 * values.std(0, ddof=1) / np.sqrt(len(values))
