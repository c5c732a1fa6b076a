"""Intervals, thresholds and verdicts; bands of figures."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from learner_collusion.claims import verdict
from learner_collusion.claims.catalogue import Claim
from learner_collusion.claims.verdict import (
    FAILS,
    HOLDS,
    LEFT_OUT,
    NO_VERDICT,
    REPORTED,
    UNDECIDED,
    Measurement,
    decide,
    paired,
)  # fmt: skip
from learner_collusion.errors import UserError
from learner_collusion.records.claims import CLAIMS

CONFIDENCE = 0.95
CLAIM = Claim("C0", "tabular", "It is so", "Figure 0", "mean", above=1)


def measured(values, **others):
    return Measurement("mean", np.array(values, float), **others)


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


def test_three_runs_have_the_t_interval(random):
    values = random.normal(3, 1, size=8)
    row = decide(CLAIM, "d", measured(values), CONFIDENCE)
    expected = stats.t.interval(0.95, 7, values.mean(), stats.sem(values))
    assert [row["value"], row["low"], row["high"]] == pytest.approx([values.mean(), *expected])
    assert row["p"] == pytest.approx(stats.ttest_1samp(values, 1).pvalue) and row["runs"] == 8


def test_a_ratio_is_that_of_the_logarithms(random):
    values = np.exp(random.normal(1, 0.5, size=6))
    row = decide(CLAIM, "d", measured(values, ratio=True), CONFIDENCE)
    logs = np.log(values)
    expected = np.exp(stats.t.interval(0.95, 5, logs.mean(), stats.sem(logs)))
    assert [row["value"], row["low"], row["high"]] == pytest.approx([stats.gmean(values), *expected])
    assert row["threshold"] == "> 1" and row["p"] == pytest.approx(stats.ttest_1samp(logs, 0).pvalue)


def test_between_two_thresholds_the_p_value_is_that_of_the_nearer_one(random):
    claim = dataclasses.replace(CLAIM, above=-1, below=2)
    values = random.normal(0, 0.5, size=6)
    row = decide(claim, "d", measured(values), CONFIDENCE)
    nearer = max(stats.ttest_1samp(values, bound).pvalue for bound in (-1, 2))
    assert row["verdict"] == HOLDS and row["p"] == pytest.approx(nearer) and row["threshold"] == "> -1 and < 2"
    far = decide(claim, "d", measured(values + 9), CONFIDENCE)
    assert far["verdict"] == FAILS and far["p"] == pytest.approx(stats.ttest_1samp(values + 9, 2).pvalue)


@pytest.mark.parametrize("limits", [{"above": 1}, {"below": 1}, {"above": 0, "below": 1}])
def test_a_verdict_is_a_p_value_below_the_level(limits):
    claim = dataclasses.replace(CLAIM, above=None)
    claim = dataclasses.replace(claim, **limits)
    for seed in range(300):
        values = np.random.default_rng(seed).normal(0.8, 0.4, size=(4, 1, 3))
        row = decide(claim, "d", measured(values), CONFIDENCE)
        assert (row["verdict"] in (HOLDS, FAILS)) == (row["p"] < 1 - CONFIDENCE)


def test_one_run_and_two_have_numbers_and_no_verdict():
    row = decide(CLAIM, "d", measured([5]), CONFIDENCE)
    assert (row["verdict"], row["note"], row["value"], row["on_its_side"]) == (NO_VERDICT, "one run", 5, 1)
    row = decide(CLAIM, "d", measured([0.5, 3]), CONFIDENCE)
    assert (row["verdict"], row["note"], row["value"]) == (NO_VERDICT, "two runs: 0.5 and 3", 1.75)
    assert (row["runs"], row["on_its_side"]) == (2, 1) and np.isnan([row["low"], row["high"], row["p"]]).all()
    row = decide(CLAIM, "d", measured([[[3, 9]], [[8, 4]]], ratio=True), CONFIDENCE)
    assert row["note"] == "two runs: 3 and 4" and row["on_its_side"] == 2


def test_paired_matches_by_number_and_names_the_others():
    columns = {
        "a": pd.Series([30.0, 10.0, np.nan, np.inf], index=[3, 1, 4, 6]),
        "b": pd.Series([1.0, 3.0, 5.0, 4.0, 6.0], index=[1, 3, 5, 4, 6]),
    }
    runs, left_out = paired(columns, range(4))
    assert runs.index.tolist() == [1, 3] and runs["a"].tolist() == [10, 30] and runs["b"].tolist() == [1, 3]
    assert left_out == {0: "no a", 2: "no a", 4: "no a", 5: "no a", 6: "no a"}
    row = decide(CLAIM, "d", measured(runs["a"] / runs["b"], left_out={0: "no a", 2: "no b"}), CONFIDENCE)
    assert row["note"] == "without runs 0 (no a), 2 (no b); two runs: 10 and 10"
    assert decide(CLAIM, "d", measured([], left_out={0: "no a"}), CONFIDENCE)["note"] == (
        "no complete run: without run 0 (no a)"
    )


@pytest.mark.parametrize("values", [[1, np.nan, 2], [np.inf, 1, 2]])
def test_what_is_not_finite_is_never_judged(values):
    with pytest.raises(ValueError, match="must be finite"):
        decide(CLAIM, "d", measured(values), CONFIDENCE)
    with pytest.raises(ValueError, match="ratios positive"):
        decide(CLAIM, "d", measured([0, 1, 2], ratio=True), CONFIDENCE)


def test_rows_that_survive_holm_are_marked():
    p = [0.03, 0.01, 0.015, np.nan, 0.04]
    rows = [verdict.row(CLAIM, "d", "x", p=number) for number in p]
    assert verdict.as_frame(rows, 0.95)["survives"].tolist() == [False, True, True, False, False]
    assert not verdict.as_frame(rows)["survives"].any()


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
    row = decide(CLAIM, "d", measured([2, 3, 2.5]), CONFIDENCE)
    assert set(row) == set(CLAIMS.names)
    assert row["claim"] == "It is so (Figure 0)" and row["threshold"] == "> 1" and row["verdict"] == HOLDS
    assert verdict.as_frame([]).columns.tolist() == CLAIMS.names


def test_a_claim_without_runs_is_left_out_and_says_why():
    row = decide(CLAIM, "d", measured([], lacking="nothing was trained"), CONFIDENCE)
    assert row["verdict"] == LEFT_OUT and row["note"] == "nothing was trained" and np.isnan(row["value"])


def test_limits_of_single_data_sets():
    options = {"limits": {"a": {"above": 0, "below": 4}}, "elsewhere": "the paper says this of a"}
    claim = Claim("C0", "tabular", "It is so", "Figure 0", "mean", options=options)
    rows = {
        name: decide(verdict.for_data_set(claim, name), name, measured([2, 3, 2.5]), CONFIDENCE) for name in ("a", "b")
    }
    assert rows["a"]["verdict"] == HOLDS and rows["a"]["threshold"] == "> 0 and < 4" and not rows["a"]["note"]
    assert rows["b"]["verdict"] == REPORTED and rows["b"]["threshold"] == "" and "of a" in rows["b"]["note"]


def test_on_data_that_are_not_the_papers_the_text_is_neutral():
    limits = {"limits": {"a": {"above": 0}}, "elsewhere": "the paper says this of a"}
    claim = Claim(
        "C0", "tabular", "As on Facebook", "Figure 2", "mean", options=limits, neutral="It is so", measures="The mean.",
        remark="Facebook has more.",
    )  # fmt: skip
    row = decide(verdict.for_data_set(claim, "a", of_the_paper=False), "a", measured([2, 3, 2.5]), CONFIDENCE)
    assert (row["claim"], row["measures"], row["note"], row["verdict"]) == ("It is so", "The mean.", "", REPORTED)
    assert decide(claim, "b", measured([2, 3, 2.5]), CONFIDENCE)["measures"] == "The mean. Facebook has more."


def test_a_statistic_that_does_not_exist_is_named():
    with pytest.raises(UserError, match=r"The claim C0 \(It is so\) names the statistic 'mean'.*choose from median"):
        verdict.named(CLAIM, {"median": np.median})
