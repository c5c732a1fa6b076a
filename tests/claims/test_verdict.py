"""Intervals, thresholds and verdicts; bands of figures."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from learner_collusion.claims import verdict
from learner_collusion.claims.catalogue import Claim
from learner_collusion.claims.verdict import FAILS, HOLDS, LEFT_OUT, REPORTED, UNDECIDED, Measurement, bootstrap, decide
from learner_collusion.errors import UserError
from learner_collusion.records.claims import CLAIMS

SETTINGS = SimpleNamespace(bootstrap=500, confidence=0.95, seed=0)
CLAIM = Claim("C0", "tabular", "It is so", "Figure 0", "mean", above=1)


def mean(runs):
    return runs.mean((1, 2))


def measured(values):
    return Measurement("mean", pd.DataFrame({"x": values}, dtype=float), mean)


def test_bands_against_their_formulas(random):
    frame = pd.DataFrame(random.normal(size=(10, 3)), columns=[0.0, 0.5, 1.0], index=range(10))
    found = verdict.standard_deviation_band(frame)
    assert found.index.tolist() == [0, 0.5, 1] and set(found.columns) == {"mean", "low", "high", "width"}
    np.testing.assert_allclose(found["width"] ** 2, ((frame - frame.mean()) ** 2).sum() / 10)
    np.testing.assert_allclose(found["mean"], frame.mean())
    np.testing.assert_allclose(verdict.standard_error_band(frame)["width"], 2 * frame.std(ddof=1) / np.sqrt(10))
    for band in (found, verdict.standard_error_band(frame)):
        np.testing.assert_array_equal(band["high"], band["mean"] + band["width"])
        np.testing.assert_array_equal(band["low"], band["mean"] - band["width"])


def test_one_run_has_no_band():
    found = verdict.standard_error_band(pd.DataFrame([[1.0, 2.0]], columns=["a", "b"]))
    assert found["low"].tolist() == found["high"].tolist() == found["mean"].tolist() == [1, 2]


def test_a_run_that_stopped_early_has_no_band_beyond_its_end():
    found = verdict.standard_error_band(pd.DataFrame([[1.0, 2.0], [1.0, np.nan]]))
    assert np.isfinite(found.loc[0]).all() and np.isnan(found.loc[1]).all()


def test_bootstrap_against_the_normal_interval(random):
    runs = random.normal(3.0, 1.0, size=(400, 1))
    value, low, high = bootstrap(mean, runs, 4000, 0.95, 0)
    half = 1.96 * runs.std() / 20
    assert value == pytest.approx(runs.mean())
    assert low == pytest.approx(value - half, abs=0.02) and high == pytest.approx(value + half, abs=0.02)


def test_bootstrap_draws_runs_in_ascending_order(random):
    """Interval and value in plain NumPy, from the same random numbers."""
    frame = pd.DataFrame(random.normal(size=(6, 2)), columns=[0.0, 1.0])
    value, low, high = bootstrap(lambda r: r.mean(1)[:, 1] - r.mean(1)[:, 0], frame, 1000, 0.9, 7)
    difference = (frame[1.0] - frame[0.0]).to_numpy()
    means = [difference[drawn].mean() for drawn in np.random.default_rng(7).integers(0, 6, (1000, 6))]
    assert value == pytest.approx(difference.mean(), abs=1e-12)
    assert [low, high] == pytest.approx(np.quantile(means, [0.05, 0.95]), abs=1e-12)


def test_bootstrap_keeps_pairs_together(random):
    noise = 100 * random.normal(size=10)
    runs = np.stack([noise + 1, noise], 1)
    _, low, high = bootstrap(lambda r: r[..., 0].mean(1) - r[..., 1].mean(1), runs, 500, 0.95, 0)
    assert low == pytest.approx(1) and high == pytest.approx(1)


def test_one_run_has_no_interval():
    assert np.isnan(bootstrap(mean, np.ones((1, 1)), 10, 0.95, 0)[1:]).all()
    row = decide(CLAIM, "d", measured([5]), SETTINGS)
    assert row["verdict"] == UNDECIDED and row["note"] == "one run: no interval" and row["value"] == 5


@pytest.mark.parametrize(
    ("low", "high", "limits", "expected"),
    [
        (11, 12, {"above": 10}, HOLDS),
        (8, 9, {"above": 10}, FAILS),
        (9, 11, {"above": 10}, UNDECIDED),
        (9, 10, {"above": 10}, FAILS),
        (0.4, 0.6, {"above": 0.3, "below": 0.7}, HOLDS),
        (0.71, 0.8, {"above": 0.3, "below": 0.7}, FAILS),
        (0.6, 0.8, {"above": 0.3, "below": 0.7}, UNDECIDED),
        (float("nan"), float("nan"), {"above": 1}, UNDECIDED),
    ],
)
def test_verdict(low, high, limits, expected):
    assert verdict.verdict(low, high, **limits) == expected


def test_a_row_has_the_columns_of_the_records():
    row = decide(CLAIM, "d", measured([2, 3]), SETTINGS)
    assert set(row) == set(CLAIMS.names)
    assert row["claim"] == "It is so (Figure 0)" and row["threshold"] == "> 1" and row["verdict"] == HOLDS
    assert verdict.as_frame([]).columns.tolist() == CLAIMS.names


def test_a_claim_without_runs_is_left_out_and_says_why():
    row = decide(CLAIM, "d", measured([])._replace(lacking="nothing was trained"), SETTINGS)
    assert row["verdict"] == LEFT_OUT and row["note"] == "nothing was trained" and np.isnan(row["value"])


def test_limits_of_single_data_sets():
    options = {"limits": {"a": {"above": 0, "below": 4}}, "elsewhere": "the paper says this of a"}
    claim = Claim("C0", "tabular", "It is so", "Figure 0", "mean", options=options)
    rows = {name: decide(verdict.for_data_set(claim, name), name, measured([2, 3]), SETTINGS) for name in ("a", "b")}
    assert rows["a"]["verdict"] == HOLDS and rows["a"]["threshold"] == "> 0 and < 4" and not rows["a"]["note"]
    assert rows["b"]["verdict"] == REPORTED and rows["b"]["threshold"] == "" and "of a" in rows["b"]["note"]


def test_a_statistic_that_does_not_exist_is_named():
    with pytest.raises(UserError, match=r"The claim C0 \(It is so\) names the statistic 'mean'.*choose from median"):
        verdict.named(CLAIM, {"median": mean})
