"""Intervals and p-values against SciPy, and by their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from learner_collusion.claims.intervals import estimate, holm, interval, p_values


@given(st.integers(2, 12), st.floats(0.5, 0.99), st.floats(-3, 3), st.integers(0, 10**6))
def test_a_plain_difference_is_the_t_interval_of_scipy(runs, confidence, threshold, seed):
    values = np.random.default_rng(seed).normal(size=runs)
    test = stats.ttest_1samp(values, threshold)
    expected = test.confidence_interval(confidence)
    arranged = values[:, None, None]
    assert interval(arranged, confidence) == pytest.approx((expected.low, expected.high))
    assert estimate(arranged) == pytest.approx(values.mean())
    assert 2 * min(p_values(arranged, threshold)) == pytest.approx(test.pvalue)


def by_hand(values, confidence, rank):
    """Ends of one interval per difference with the corrected levels, then order statistics, one number at a time."""
    runs, m, k = values.shape
    tail = (1 - confidence) / 2
    lows, highs = [], []
    for i in range(m):
        ends = [
            stats.t.interval(1 - 2 * tail / tests, runs - 1, values[:, i, j].mean(), stats.sem(values[:, i, j]))[end]
            for end, tests in ((0, rank), (1, k * (m - rank + 1)))
            for j in range(k)
        ]
        lows.append(min(ends[:k]))
        highs.append(min(ends[k:]))
    return sorted(lows)[rank - 1], sorted(highs)[rank - 1]


shapes = st.tuples(st.integers(3, 8), st.integers(1, 5), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(st.just(shape), st.integers(1, shape[1]))
)


@settings(max_examples=25)
@given(shapes, st.integers(0, 10**6))
def test_extremes_by_hand(shape, seed):
    (runs, m, k), rank = shape
    values = np.random.default_rng(seed).normal(size=(runs, m, k))
    assert interval(values, 0.95, rank) == pytest.approx(by_hand(values, 0.95, rank))


@given(shapes, st.floats(0.5, 0.999), st.floats(-1, 1), st.integers(0, 10**6))
def test_a_p_value_is_the_level_at_which_the_interval_leaves_the_threshold(shape, confidence, threshold, seed):
    (runs, m, k), rank = shape
    values = np.random.default_rng(seed).normal(size=(runs, m, k))
    low, high = interval(values, confidence, rank)
    above, below = p_values(values, threshold, rank)
    tail = (1 - confidence) / 2
    assert (low > threshold) == (above < tail) and (high < threshold) == (below < tail)


def test_a_largest_of_smallest_is_a_mirrored_smallest(random):
    """The largest of single differences is minus the smallest of their negatives, ends included."""
    values = random.normal(size=(6, 4, 1))
    low, high = interval(values, 0.95, rank=4)
    mirrored = interval(-values.swapaxes(1, 2), 0.95)
    assert [low, high] == pytest.approx([-mirrored[1], -mirrored[0]])


def test_runs_that_agree_have_an_interval_without_width():
    values = np.full((5, 1, 2), 0.25)
    assert interval(values, 0.95) == (0.25, 0.25)
    assert p_values(values, 0.0) == (0.0, 1.0) and p_values(values, 0.25)[0] == 0.5


def test_simulations_side_by_side_are_those_one_by_one(random):
    values = random.normal(size=(7, 5, 3, 2))
    together = interval(values, 0.9, 2)
    for i, one in enumerate(values):
        assert interval(one, 0.9, 2) == pytest.approx((together[0][i], together[1][i]))


def test_holm_by_hand():
    """Four hypotheses at 5 %: .01 against .0125, .015 against .0167, .03 against .025 fails, and so do all after it."""
    assert holm(np.array([0.03, 0.01, 0.015, 0.04]), 0.05).tolist() == [False, True, True, False]
    assert holm(np.array([np.nan, 0.04, np.nan]), 0.05).tolist() == [False, True, False]
    assert holm(np.array([]), 0.05).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms())
def test_holm_by_its_definition(p, random):
    """A hypothesis is rejected where each of the ordered p-values up to its own passes; the order of the list is nothing."""
    shuffled = list(range(len(p)))
    random.shuffle(shuffled)
    found = holm(np.array(p), 0.05)
    adjusted, running = {}, 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        running = max(running, (len(p) - rank) * p[i])
        adjusted[i] = running
    for i, rejected in enumerate(found):
        assert rejected == (adjusted[i] <= 0.05) or abs(adjusted[i] - 0.05) < 1e-12
    values = np.array(p)[shuffled]
    if len(set(p)) == len(p):
        np.testing.assert_array_equal(holm(values, 0.05), found[shuffled])
