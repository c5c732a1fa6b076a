"""ERR, ERR-bar, DIV, constant bias and codependence of the squared error (Section 6.1) in NumPy, for the records.

`decomposition` and `diagnostics` compute the same for every loss, in PyTorch, where the order of a sum depends on the
processor. Here are only elementwise operations and NumPy's own sums, no BLAS and no einsum: the same bytes on every machine.
"""

from typing import NamedTuple

import numpy as np


class Measures(NamedTuple):
    """Of one ensemble, in the squared unit of the target: Definitions 4.1 and 4.2, and the two of Section 6.1."""

    err: float
    err_bar: float
    div: float
    div_debiased: float
    bias_share: float


def measure(predictions: np.ndarray, targets: np.ndarray) -> Measures:
    """ERR, ERR-bar and DIV, each from its own formula; DIV without the learners' constant biases, and their share of DIV.

    `predictions` (rows, learners) and `targets` (rows,) float64; uniform weights. See `diagnostics.debias`.
    """
    f, y = np.ascontiguousarray(predictions, np.float64), np.asarray(targets, np.float64)
    mean = mean_of(f)
    spread = f - mean[:, None]
    div = _mean(np.square(spread))
    clean = _mean(np.square(spread - np.add.reduce(spread, axis=0) / len(f)))
    return Measures(
        _mean(np.square(mean - y)), _mean(np.square(f - y[:, None])), div, clean, 1 - clean / div if div else 0.0
    )


def mean_of(predictions: np.ndarray) -> np.ndarray:
    """The ensemble's predictions (rows,), the mean of its learners' (rows, learners)."""
    return np.add.reduce(predictions, axis=1) / predictions.shape[1]


def count_dropped(learners: int, rate: float) -> int:
    """int(M p), the number of learners that a share of them is; a product a last bit below a whole number counts as that."""
    return int(learners * rate + 1e-9)


def expected_increase(div, learners, kept):
    """DIV (M - k) / (k (M - 1)), elementwise; `theory.expected_increase` says what it is, with the proof."""
    return div * (learners - kept) / np.maximum(kept * (learners - 1), 1)


def codependence(
    predictions: np.ndarray,
    targets: np.ndarray,
    drop_rates: list[float],
    draws: int,
    per: str,
    generator: np.random.Generator,
) -> np.ndarray:
    """Mean increase of ERR when int(M p) learners, drawn at random, are left out: (ensembles, drop rates) (Figure 4).

    `predictions` (ensembles, rows, learners), `targets` (rows,). Learners are drawn anew for each row (`per="example"`) or for
    all rows at once (`per="ensemble"`); all ensembles share the draws, and what a smaller share leaves out a larger one does.
    """
    ensembles, rows, learners = predictions.shape
    by_learner = np.ascontiguousarray(np.moveaxis(predictions, 2, 0), np.float64)  # (learners, ensembles, rows)
    targets = np.asarray(targets, np.float64)
    counts = [count_dropped(learners, rate) for rate in drop_rates]
    total, part = np.zeros((len(counts), ensembles)), np.empty((ensembles, rows))
    for _ in range(draws):
        keys = generator.random((1 if per == "ensemble" else rows, learners))
        ascending = np.sort(keys, axis=1)
        for d, count in enumerate(counts):
            if count:
                kept = np.ascontiguousarray((keys >= ascending[:, count, None]).T, np.float64)
                mean = np.zeros((ensembles, rows))
                for learner in range(learners):  # in order: the sum of a BLAS product is another one on each processor
                    mean += np.multiply(by_learner[learner], kept[learner], out=part)
                total[d] += np.add.reduce(np.square(mean / (learners - count) - targets), axis=1) / rows
    err = [_mean(np.square(mean_of(np.ascontiguousarray(f, np.float64)) - targets)) for f in predictions]
    nothing = np.array(counts) == 0
    return np.where(nothing, 0.0, total.T / draws - np.array(err)[:, None])


def _mean(values: np.ndarray) -> float:
    return float(np.add.reduce(values, axis=None) / values.size)
