"""Verdicts on tabular records with known answers."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from learner_collusion.claims.catalogue import CLAIMS, Claim
from learner_collusion.claims.tabular import judge
from learner_collusion.claims.verdict import FAILS, HOLDS, LEFT_OUT, REPORTED, UNDECIDED
from learner_collusion.records.tabular import RECORDS

ENTRIES = [claim for claim in CLAIMS if claim.part == "tabular"]
ALL = "all data sets"


def settings(claims=ENTRIES, **others):
    return SimpleNamespace(**{"claims": claims, "bootstrap": 500, "confidence": 0.95, "seed": 0} | others)


def make(
    random,
    div=(0.02, 0.03, 2.0),
    share=(0.02, 0.05, 0.5),
    err=(0.5, 0.5, 0.5),
    rise=(0.001, 0.001, 0.02),
    betas=(0.0, 0.5, 1.0),
    datasets=("facebook", "abalone"),
):
    """Ten runs of the data sets at three betas, each metric within 5 % of the value given."""
    metrics = {"div": div, "bias_share": share, "err": err, "increase_0.2": rise, "increase_0.4": 2 * np.array(rise)}
    rows = [
        ("tabular", dataset, run, beta, metric, value * (1 + 0.05 * random.uniform(-1, 1)))
        for dataset in datasets
        for run in range(10)
        for metric, values in metrics.items()
        for beta, value in zip(betas, values, strict=True)
    ]
    return pd.DataFrame(rows, columns=RECORDS.names)


def verdicts(records, **others):
    rows = judge(records, {}, settings(**others))
    return dict(zip(zip(rows["id"], rows["dataset"], strict=True), rows["verdict"], strict=True))


def test_collusion_confirms_the_claims(random):
    found = verdicts(make(random))
    assert found.pop(("C3", "abalone")) == REPORTED
    assert set(found.values()) == {HOLDS}
    assert {k[0] for k in found} == {"C1a", "C1b", "C2", "C3", "C4a", "C4b", "C5a", "C5b"}
    assert {k[1] for k in found if k[0] in ("C2", "C4a")} == {"facebook", "abalone", ALL}


def test_no_collusion_refutes_them(random):
    flat = {"div": (0.02, 0.08, 0.1), "share": (0.02, 0.02, 0.05), "err": (0.5, 0.6, 0.9), "rise": (0.001, 0.01, 0.01)}
    found = verdicts(make(random, **flat))
    for name in ("C1a", "C1b", "C2", "C3", "C4a", "C4b", "C5a"):
        assert found.get((name, "facebook"), found.get((name, ALL))) == FAILS, name
    assert found["C2", ALL] == FAILS


def test_value_and_interval_from_plain_arrays(random):
    records = make(random)
    row = judge(records, {}, settings()).query("id == 'C1a' and dataset == 'abalone'").iloc[0]
    div = records.query("dataset == 'abalone' and metric == 'div'").set_index(["run", "beta"])["value"]
    runs = np.array([[div[run, 1.0], div[run, 0.0]] for run in range(10)])
    drawn = np.random.default_rng(0).integers(0, 10, (500, 10))
    samples = runs[drawn].mean(1)
    low, high = np.quantile(samples[:, 0] / samples[:, 1], [0.025, 0.975])
    assert [row["value"], row["low"], row["high"]] == pytest.approx([runs[:, 0].mean() / runs[:, 1].mean(), low, high])
    assert row["statistic"] == "DIV(1) / DIV(0)" and row["threshold"] == "> 10"


def test_the_order_of_runs_betas_and_data_sets_changes_no_number(random):
    records = make(random)
    expected = judge(records, {}, settings()).set_index(["id", "dataset", "claim"]).sort_index()
    for order in (records.iloc[::-1], records.sample(frac=1, random_state=0)):
        found = judge(order, {}, settings()).set_index(["id", "dataset", "claim"]).sort_index()
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_data_sets_are_matched_by_run(random):
    """The mean over data sets takes each run's values together; a run that one of them lacks does not count."""
    records = make(random)
    by_run = records["metric"].eq("bias_share") & records["beta"].eq(1)
    records.loc[by_run, "value"] = 0.5 + 0.1 * (-1.0) ** records["run"] * np.where(
        records["dataset"] == "abalone", 1, -1
    )
    some = records[~((records["dataset"] == "abalone") & (records["run"] == 0))]
    for frame in (records, some):  # the data sets cancel in every run that both have, so the interval has no width
        row = judge(frame, {}, settings()).query("id == 'C4a'").iloc[0]
        assert [row["value"], row["low"], row["high"]] == pytest.approx([0.5] * 3, abs=1e-12)


def test_an_entry_with_an_existing_statistic_is_a_row_per_data_set(random):
    options = {"first": ["div", 1], "second": ["err_bar", 1]}
    entry = Claim("C99", "tabular", "Most of ERR-bar is diversity", "Section 6.1", "ratio", above=0.5, options=options)
    records = make(random)
    learners = records[records["metric"] == "err"].assign(metric="err_bar")
    rows = judge(pd.concat([records, learners]), {}, settings([*ENTRIES, entry]))
    rows = rows[rows["id"] == "C99"]
    assert rows["dataset"].tolist() == ["facebook", "abalone"] and set(rows["verdict"]) == {HOLDS}
    assert set(rows["statistic"]) == {"DIV(1) / ERR-bar(1)"}
    assert set(rows["claim"]) == {"Most of ERR-bar is diversity (Section 6.1)"}


def test_a_threshold_is_that_of_the_entry(random):
    strict = [replace(claim, above=1000) for claim in ENTRIES if claim.id == "C1a"]
    assert set(verdicts(make(random), claims=strict).values()) == {FAILS}


def test_often_is_a_count_of_data_sets(random):
    records = make(random, datasets=("a", "b", "c"))
    for low, expected in (((), HOLDS), (("a",), HOLDS), (("a", "b"), FAILS)):
        changed = records.copy()
        changed.loc[changed["dataset"].isin(low) & changed["metric"].eq("div"), "value"] /= 100
        row = judge(changed, {}, settings()).query(f"id == 'C2' and dataset == '{ALL}'").iloc[0]
        assert (row["verdict"], row["value"]) == (expected, 3 - len(low)) and row["threshold"] == ">= 1.5 of 3"


def test_often_is_undecided_where_the_undecided_could_tip_it(random):
    records = make(random, datasets=("a", "b"))
    half = records["metric"].eq("div") & records["run"].lt(5) & records["beta"].eq(1)
    records.loc[half, "value"] = 0.01
    records.loc[records["metric"].eq("div") & records["run"].ge(5) & records["beta"].eq(1), "value"] = 0.99
    assert verdicts(records)["C2", ALL] == UNDECIDED


def test_an_increase_that_may_be_zero_is_compared_as_a_difference(random):
    records = make(random)
    calm = records["metric"].eq("increase_0.2") & records["beta"].eq(0.5)
    records.loc[calm, "value"] = 0.0001 * (-1.0) ** records["run"]
    row = judge(records, {}, settings()).query("id == 'C5a' and dataset == 'abalone'").iloc[0]
    assert row["statistic"] == "increase(1) - 5 |increase(0.5)|, 20% dropped" and row["threshold"] == "> 0"
    assert row["note"] == "judged as a difference: increase(0.5) itself may be 0" and row["verdict"] == HOLDS


def test_the_nearest_beta_is_named(random):
    rows = judge(make(random, betas=(0.0, 0.4, 1.0)), {}, settings())
    assert set(rows[rows["id"] == "C1b"]["statistic"]) == {"DIV(0.4) / DIV(0)"}


def test_a_beta_is_not_compared_with_itself(random):
    records = make(random)
    rows = judge(records[records["beta"] != 0.5], {}, settings())
    assert set(rows[rows["id"] == "C1b"]["verdict"]) == {LEFT_OUT}
    assert set(rows[rows["id"] == "C1b"]["note"]) == {"no beta near 0.5 was trained"}
    assert set(rows[rows["id"] == "C1a"]["verdict"]) == {HOLDS}


def test_a_data_set_of_which_the_paper_says_nothing_is_reported(random):
    row = judge(make(random, datasets=("diabetes",)), {}, settings()).query("id == 'C3'").iloc[0]
    assert row["verdict"] == REPORTED and row["threshold"] == "" and "Facebook alone" in row["note"]
    assert "Facebook" not in row["claim"] and np.isfinite(row["low"])
