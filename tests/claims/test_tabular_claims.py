"""Verdicts on tabular records with known answers."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from learner_collusion.claims.catalogue import CLAIMS, Claim
from learner_collusion.claims.tabular import ALL, judge
from learner_collusion.claims.verdict import FAILS, HOLDS, LEFT_OUT, NO_VERDICT, REPORTED, UNDECIDED
from learner_collusion.errors import UserError
from learner_collusion.records.tabular import RECORDS

ENTRIES = [claim for claim in CLAIMS if claim.part == "tabular"]


def settings(claims=ENTRIES, paper=("facebook", "abalone"), runs=10):
    return SimpleNamespace(claims=claims, confidence=0.95, paper={"tabular": list(paper)}, runs=runs)


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
    metrics |= {"diverged": (0,) * len(betas), "learners": (5,) * len(betas)}
    rows = [
        ("tabular", dataset, run, beta, metric, value * (1 + 0.05 * (metric != "learners") * random.uniform(-1, 1)))
        for dataset in datasets
        for run in range(10)
        for metric, values in metrics.items()
        for beta, value in zip(betas, values, strict=True)
    ]
    return pd.DataFrame(rows, columns=RECORDS.names)


def verdicts(records, **others):
    rows = judge(records, {}, settings(**others))
    return dict(zip(zip(rows["id"], rows["dataset"], strict=True), rows["verdict"], strict=True))


def row_of(records, id, dataset="abalone", **others):
    rows = judge(records, {}, settings(**others))
    return rows[(rows["id"] == id) & (rows["dataset"] == dataset)].iloc[0]


def test_collusion_confirms_the_claims(random):
    found = verdicts(make(random))
    reported = {key for key, one in found.items() if one == REPORTED}
    assert reported == {("C3", "abalone"), *((id, name) for id in ("C4a", "C5c") for name in ("facebook", "abalone"))}
    assert {one for key, one in found.items() if key not in reported} == {HOLDS}
    assert {k[0] for k in found} == {"C1a", "C1b", "C2", "C3", "C4a", "C4b", "C5a", "C5b", "C5c"}
    assert {k[1] for k in found if k[0] in ("C2", "C4a")} == {"facebook", "abalone", ALL}


def test_no_collusion_refutes_them(random):
    flat = {"div": (0.02, 0.08, 0.1), "share": (0.02, 0.02, 0.05), "err": (0.5, 0.6, 0.9), "rise": (0.001, 0.01, 0.01)}
    found = verdicts(make(random, **flat))
    for name in ("C1a", "C1b", "C2", "C3", "C4b", "C5a"):
        assert found[name, "facebook"] == FAILS, name
    assert found["C2", ALL] == found["C4a", ALL] == FAILS


def test_a_ratio_from_plain_arrays(random):
    records = make(random)
    row = row_of(records, "C1a")
    div = records.query("dataset == 'abalone' and metric == 'div'").set_index(["run", "beta"])["value"]
    logs = np.log([div[run, 1.0] / div[run, 0.0] for run in range(10)])
    expected = np.exp([logs.mean(), *stats.t.interval(0.95, 9, logs.mean(), stats.sem(logs))])
    assert [row["value"], row["low"], row["high"]] == pytest.approx(expected)
    assert row["statistic"] == "DIV(1) / DIV(0)" and row["threshold"] == "> 10" and row["runs"] == 10


def test_the_cost_of_dropping_learners_is_always_a_difference(random):
    """Also where the increase between 0 and 1 is far from 0, or changes its sign from run to run."""
    records = make(random)
    calm = records["metric"].eq("increase_0.2") & records["beta"].eq(0.5)
    for change in (lambda rows: rows["value"], lambda rows: 0.0001 * (-1.0) ** rows["run"]):
        changed = records.copy()
        changed.loc[calm, "value"] = change(records[calm])
        row = row_of(changed, "C5a")
        rise = changed.query("dataset == 'abalone' and metric == 'increase_0.2'").set_index(["run", "beta"])["value"]
        values = [rise[run, 1.0] - 5 * rise[run, 0.5] for run in range(10)]
        assert row["value"] == pytest.approx(np.mean(values))
        assert [row["low"], row["high"]] == pytest.approx(stats.t.interval(0.95, 9, np.mean(values), stats.sem(values)))
        assert row["statistic"] == "increase(1) - 5 increase(0.5), 20% dropped" and row["threshold"] == "> 0"
        err = changed.query("dataset == 'abalone' and metric == 'err' and beta == 1")["value"].mean()
        assert row["effect"] == f"ERR(1) grows by {np.mean([rise[run, 1.0] for run in range(10)]) / err:.1%}"


def test_most_betas_are_more_than_half_of_them(random):
    """DIV is low at a bare majority of the betas between 0 and 1, or at one fewer; the betas' order does not matter."""
    betas = (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0)
    for low, expected in ((3, HOLDS), (2, FAILS)):
        for places in ((1, 2, 3, 4, 5), (5, 3, 1, 4, 2)):
            div = np.full(7, 0.2)
            div[[0, *places[:low]]] = 0.02
            of_seven = {name: (0.5,) * 7 for name in ("share", "err", "rise")}
            row = row_of(make(random, betas=betas, div=div, **of_seven), "C1b")
            assert row["verdict"] == expected
            assert row["statistic"] == "DIV(beta) / DIV(0): smallest but 2 of 5 betas"


def test_low_diversity_says_where_it_ends(random):
    of_five = {name: (0.5,) * 5 for name in ("share", "err", "rise")}
    row = row_of(make(random, betas=(0, 0.5, 0.7, 0.9, 1), div=(0.02, 0.03, 0.04, 0.12, 2), **of_five), "C1b")
    assert row["verdict"] == HOLDS and row["effect"].endswith("at beta 0.9, beyond 3 from beta 0.9")


@pytest.mark.parametrize("betas", [(0.0, 0.5, 1.0), (1.0, 0.5, 0.0), (0.5, 1.0, 0.0)])
def test_the_order_of_runs_betas_and_data_sets_changes_no_number(random, betas):
    records = make(random)
    expected = judge(records, {}, settings()).set_index(["id", "dataset", "claim"]).sort_index()
    by_beta = pd.concat([records[records["beta"] == beta] for beta in betas])
    for order in (by_beta, records.iloc[::-1], records.sample(frac=1, random_state=0)):
        found = judge(order, {}, settings()).set_index(["id", "dataset", "claim"]).sort_index()
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_a_missing_run_is_named_and_the_others_stay_paired(random):
    """Runs that differ a lot, and betas that do not: only runs of the same number give a ratio of 3."""
    records = make(random)
    div = records["metric"].eq("div")
    factor = records["beta"].map({0.0: 1, 0.5: 2, 1.0: 3})
    records.loc[div, "value"] = 10.0 ** records["run"] * factor
    some = records[~(div & records["run"].eq(0) & records["beta"].eq(0))]
    some = some[~(some["metric"].eq("div") & some["run"].eq(1) & some["beta"].eq(1) & some["dataset"].eq("abalone"))]
    row = row_of(some, "C1a")
    assert [row["value"], row["low"], row["high"]] == pytest.approx([3, 3, 3]) and row["runs"] == 8
    assert row["note"] == "without runs 0 (no positive div at beta 0), 1 (no positive div at beta 1)"
    assert row_of(some, "C1b")["note"] == "without run 0 (no positive div at beta 0)"


def test_one_run_of_beta_1_does_not_stand_for_two_of_beta_0(random):
    records = make(random)
    row = row_of(records[~(records["beta"].eq(1) & records["run"].gt(0))], "C1a", runs=2)
    assert row["runs"] == 1 and row["verdict"] == NO_VERDICT
    assert row["note"].startswith("without runs 1 (no positive div at beta 1), 2 (") and row["note"].endswith(
        "; one run"
    )


def test_a_run_that_nobody_trained_is_named(random):
    records = make(random)
    assert row_of(records, "C3", runs=11)["note"].startswith("without run 10 (no err at beta 1)")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_makes_no_claim_hold(random, value):
    records = make(random)
    records.loc[records["beta"].eq(1) & records["run"].eq(3), "value"] = value
    rows = judge(records, {}, settings())
    judged = rows[rows["runs"] > 0]
    assert set(judged["runs"]) == {9, 10} and set(judged[judged["runs"] == 10]["id"]) == {"C1b"}
    assert judged[judged["runs"] == 9]["note"].str.contains("run 3").all()


def test_a_run_that_diverged_is_named(random):
    records = make(random)
    records.loc[records["metric"].eq("diverged") & records["run"].eq(4) & records["beta"].eq(1), "value"] = 17
    assert row_of(records, "C1a")["note"] == "diverged, so the best epoch before counts: run 4 at beta 1"
    assert row_of(records, "C1b")["note"] == ""


def test_a_number_twice_is_refused(random):
    records = make(random)
    with pytest.raises(UserError, match=r"hold div of facebook twice \(run 0, beta 0.0\)"):
        judge(pd.concat([records, records.head(1)]), {}, settings())


def test_two_runs_have_no_verdict(random):
    rows = judge(make(random).query("run < 2"), {}, settings(runs=2))
    assert set(rows["verdict"]) == {NO_VERDICT, REPORTED} and rows["low"].isna().all() and rows["p"].isna().all()
    row = rows[(rows["id"] == "C1a") & (rows["dataset"] == "abalone")].iloc[0]
    assert row["note"].startswith("two runs: ") and row["on_its_side"] == 2


def test_rows_that_survive_holm_are_few_where_the_evidence_is_weak(random):
    records = make(random)
    weak = records["metric"].eq("div") & records["beta"].eq(1) & records["dataset"].eq("abalone")
    records.loc[weak, "value"] = 0.5 * np.exp(random.normal(0.4, 0.5, size=weak.sum()))
    rows = judge(records, {}, settings())
    assert rows["survives"].any()
    assert (rows["p"][rows["survives"]].max() <= rows["p"][~rows["survives"]].min()) or rows["survives"].all()
    assert not rows["survives"][rows["p"].isna()].any()


def test_data_sets_are_matched_by_run(random):
    """The mean over data sets takes each run's values together; a run that one of them lacks does not count."""
    records = make(random)
    by_run = records["metric"].eq("bias_share") & records["beta"].eq(1)
    records.loc[by_run, "value"] = 0.5 + 0.1 * (-1.0) ** records["run"] * np.where(
        records["dataset"] == "abalone", 1, -1
    )
    some = records[~((records["dataset"] == "abalone") & (records["run"] == 0))]
    for frame in (records, some):  # the data sets cancel in every run that both have, so the interval has no width
        row = row_of(frame, "C4a", ALL)
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


def test_the_prediction_from_div_alone(random):
    """Two of five learners dropped: DIV (5 - 3) / (3 (5 - 1)) = DIV / 6."""
    records = make(random)
    wide = records.set_index(["dataset", "metric", "run", "beta"])["value"]
    for dataset in ("facebook", "abalone"):
        for run in range(10):
            wide[dataset, "increase_0.4", run, 1.0] = 1.5 * wide[dataset, "div", run, 1.0] / 6
    row = row_of(wide.reset_index().assign(experiment="tabular"), "C5c")
    assert [row["value"], row["low"], row["high"]] == pytest.approx([1.5] * 3) and row["verdict"] == REPORTED
    assert row["statistic"] == "increase(1), 40% dropped / DIV(1) (M - k) / (k (M - 1))"


def test_the_nearest_beta_between_is_named(random):
    rows = judge(make(random, betas=(0.0, 0.4, 1.0)), {}, settings())
    assert set(rows[rows["id"] == "C4b"]["statistic"]) == {"bias share(1) - bias share(0.4)"}
    assert set(rows[rows["id"] == "C5a"]["statistic"]) == {"increase(1) - 5 increase(0.4), 20% dropped"}


def test_without_a_beta_between_what_needs_one_is_left_out(random):
    records = make(random)
    rows = judge(records[records["beta"] != 0.5], {}, settings())
    left_out = rows[rows["verdict"] == LEFT_OUT]
    assert set(left_out["id"]) == {"C1b", "C4b", "C5a"}
    assert set(left_out["note"]) == {"no beta between 0 and 1 was trained: add some to tabular.betas"}
    assert left_out["value"].isna().all() and set(rows[rows["id"] == "C1a"]["verdict"]) == {HOLDS}


def test_joint_training_itself_is_not_replaced_by_a_beta_near_it(random):
    rows = judge(make(random, betas=(0.0, 0.5, 0.9)), {}, settings())
    assert set(rows[rows["id"].isin(["C1a", "C2", "C3", "C4b", "C5a"])]["verdict"]) <= {
        LEFT_OUT,
        REPORTED,
        UNDECIDED,
        FAILS,
    }
    assert set(rows[rows["id"] == "C1a"]["note"]) == {"beta 1 was not trained"}


def test_on_a_table_of_ones_own_nothing_of_the_paper_is_named(random):
    rows = judge(make(random, datasets=("mine", "facebook")), {}, settings(paper=()))
    words = r"Figure|Section|Appendix|Facebook|paper"
    for column in ("claim", "measures", "note", "effect", "statistic"):
        assert not rows[column].str.contains(words).any(), column
    assert set(rows[rows["id"] == "C3"]["verdict"]) == {REPORTED}  # a user's `facebook` is not the paper's
    assert set(rows[rows["id"] == "C1a"]["verdict"]) == {HOLDS} and ALL in set(rows["dataset"])


def test_ones_own_tables_are_counted_apart_from_the_papers(random):
    rows = judge(make(random, datasets=("a", "b", "mine", "other")), {}, settings(paper=("a", "b")))
    of_many = rows[rows["statistic"].str.startswith(("data sets with", "mean bias share"))]
    assert set(of_many["dataset"]) == {"the paper's data sets", "other data sets"}
    assert of_many["claim"].str.contains("Figure").tolist() == [True, False, True, False]


def test_one_data_set_has_no_count_and_no_mean(random):
    rows = judge(make(random, datasets=("abalone",)), {}, settings())
    assert set(rows["dataset"]) == {"abalone"}
    assert rows[rows["id"] == "C4a"]["statistic"].tolist() == ["bias share(1)"]


def test_the_mean_over_data_sets_tells_their_range(random):
    records = make(random)
    one = records["metric"].eq("bias_share") & records["beta"].eq(1)
    records.loc[one, "value"] = np.where(records.loc[one, "dataset"] == "abalone", 0.2, 0.6)
    assert row_of(records, "C4a", ALL)["effect"] == "0.2 (abalone) to 0.6 (facebook)"


def test_a_data_set_of_which_the_paper_says_nothing_is_reported(random):
    row = row_of(make(random), "C3")
    assert row["verdict"] == REPORTED and row["threshold"] == "" and "one of its data sets" in row["note"]
    assert "Facebook" not in row["claim"] and np.isfinite(row["low"])


def test_a_share_has_both_values_and_no_percent_of_a_percentage(random):
    records = make(random)
    share, error = (row_of(records, id, "facebook")["effect"] for id in ("C4b", "C3"))
    assert re.fullmatch(r"[\d.e-]+ against [\d.e-]+", share)
    assert re.fullmatch(r"[\d.e-]+ against [\d.e-]+ \([+-][\d.]+%\)", error)
