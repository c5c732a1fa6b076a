"""Verdicts on image records with known answers."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_images import EXPERIMENTS, TITLES, collusion, write

from learner_collusion.claims.catalogue import CLAIMS, Claim
from learner_collusion.claims.images import judge
from learner_collusion.claims.intervals import interval
from learner_collusion.claims.verdict import FAILS, HOLDS, LEFT_OUT, NO_VERDICT
from learner_collusion.errors import UserError
from learner_collusion.records import parquet
from learner_collusion.records.images import IMAGES

ENTRIES = [claim for claim in CLAIMS if claim.part == "images"]
KEYS = ["id", "claim", "dataset"]
IDS = {
    "practical": {"C9", "C10", "C12"},
    "curves": {"C6", "C7", "C8", "C16", "C17", "C18"},
    "cnn": {"C13"},
    "dropout": {"C14"},
}


PAPER = {name: [f"{d}/{m}" for d in e["datasets"] for m in e["models"]] for name, e in EXPERIMENTS.items()}


def settings(claims=ENTRIES, experiments=EXPERIMENTS, paper=PAPER):
    return SimpleNamespace(claims=claims, experiments=experiments, titles=TITLES, confidence=0.95, paper=paper)


def judged(path, change=lambda records: records, **others):
    return judge(change(parquet.read(path, IMAGES)), parquet.read_metadata(path), settings(**others))


def verdicts(rows):
    return dict(zip(rows[KEYS].itertuples(index=False, name=None), rows["verdict"], strict=True))


def test_collusion_confirms_the_claims(tmp_path, random):
    found = verdicts(judged(write(tmp_path, random)))
    assert {key[0] for key in found} == IDS["practical"] | IDS["curves"] | IDS["cnn"] | IDS["dropout"]
    for key, verdict in found.items():
        assert verdict == (LEFT_OUT if "SVHN" in key[2] else HOLDS), key


def test_the_opposite_refutes_them(tmp_path, random):
    def backwards(cell, epoch):
        other = {0: 1, 0.5: 0, 1: 0.5}[cell["beta"]]
        known = collusion(cell | {"beta": other, "drop_rate": 0.4 - cell["drop_rate"]}, epoch)
        late = {"err": known["err"] + 0.1 * (epoch == 0) - 0.3 * (epoch == 4)}
        return known | late | {"div": (1 + epoch) * (1 + 0.01 * cell["drop_rate"])}

    found = verdicts(judged(write(tmp_path, random, backwards)))
    assert {v for k, v in found.items() if "SVHN" not in k[2]} == {FAILS}


def test_one_run_has_no_interval_and_no_verdict(tmp_path, random):
    single = {name: e | {"runs": 1} for name, e in EXPERIMENTS.items()}
    rows = judged(write(tmp_path, random, experiments=single), experiments=single)
    rows = rows[~rows["dataset"].str.contains("SVHN")]
    assert set(rows["verdict"]) == {NO_VERDICT} and set(rows["note"]) == {"one run"}
    assert np.isfinite(rows["value"]).all() and rows["low"].isna().all()


@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_one_experiment_is_judged_alone(tmp_path, random, name):
    only = {name: EXPERIMENTS[name]}
    rows = judged(write(tmp_path, random, experiments=only), experiments=only)
    assert set(rows["id"]) == IDS[name]


def test_a_data_set_that_is_not_available_is_left_out_and_says_so(tmp_path, random):
    rows = judged(write(tmp_path, random))
    svhn = rows[rows["dataset"].str.startswith("SVHN")]
    assert len(svhn) == 5 and set(svhn["note"]) == {"the data set is not available"} and svhn["value"].isna().all()
    assert (svhn["threshold"] == "> 0").all() and (svhn["dataset"] == "SVHN, ResNet-18, M = 3").all()


def test_the_order_of_lists_and_rows_changes_no_number(tmp_path, random):
    path = write(tmp_path, random)
    lists = ("datasets", "models", "learners", "drop_rates", "betas")
    reverse = {name: {k: v[::-1] if k in lists else v for k, v in e.items()} for name, e in EXPERIMENTS.items()}
    expected = judged(path).set_index(KEYS).sort_index()
    for found in (
        judged(path, experiments=dict(reversed(reverse.items()))),
        judged(path, lambda records: records.sample(frac=1, random_state=0)),
        judged(path, lambda records: records.iloc[::-1], experiments=reverse),
    ):
        pd.testing.assert_frame_equal(found.set_index(KEYS).sort_index(), expected, check_exact=True)


def without(*gone):
    """Records without some (beta, run, evaluation); None stands for all."""

    def change(records):
        for beta, run, evaluation in gone:
            wanted = records["beta"].eq(beta) & records["run"].eq(run)
            records = records[~(wanted & (records["evaluation"].eq(evaluation) | (evaluation is None)))]
        return records

    return change


def paired(cell, epoch):
    """Runs that differ a lot, and by exactly 1 between betas: only pairs of the same number tell."""
    known = collusion(cell, epoch)
    return known | {"train_err": 10.0 ** cell["run"] + (cell["beta"] == 1), "err": 10.0 ** cell["run"]}


FIVE = {"curves": EXPERIMENTS["curves"] | {"runs": 5}}


@pytest.mark.parametrize(
    ("gone", "left_out"),
    [
        ((), {}),
        (((0.0, 1, None),), {1: 0}),
        (((1.0, 0, None),), {0: 1}),
        (((0.0, 0, None), (1.0, 1, None)), {0: 0, 1: 1}),
        (((1.0, 2, 6),), {2: 1}),  # ends an evaluation before the others
        (((0.0, 4, 3),), {4: 0}),  # lacks one on the way
    ],
)
def test_runs_are_matched_by_number_and_incomplete_ones_named(tmp_path, gone, left_out):
    rows = judged(write(tmp_path, Exact(), paired, FIVE), without(*gone), experiments=FIVE)
    row = rows[rows["statistic"] == "train ERR(1) - ERR(0), mean over training"].iloc[0]
    assert [row["value"], row["low"], row["high"]] == pytest.approx([1, 1, 1]) and row["runs"] == 5 - len(left_out)
    for run, beta in left_out.items():
        assert f"{run} (no complete train ERR at beta {beta})" in row["note"]
    assert (row["note"] == "") == (not left_out)


def test_one_run_of_beta_1_is_not_compared_with_others(tmp_path):
    gone = [(1.0, run, None) for run in range(1, 5)]
    rows = judged(write(tmp_path, Exact(), paired, FIVE), without(*gone), experiments=FIVE)
    assert set(rows[rows["id"] == "C7"]["verdict"]) == {NO_VERDICT}
    assert rows[rows["id"] == "C7"]["note"].str.endswith("; one run").all()


def spoilt(value, split="train", metrics=("err", "err_bar", "div"), marked=True):
    """Records in which run 1 of beta = 1 ends in numbers that are not finite, at evaluation 5."""

    def change(records):
        cell = records["run"].eq(1) & records["beta"].eq(1) & records["protocol"].eq("curves")
        records = records[~(cell & records["evaluation"].gt(5))].copy()
        end = cell & records["evaluation"].eq(5) & records["split"].eq(split) & records["metric"].isin(metrics)
        records.loc[end, "value"] = value
        mark = records[end].head(1).assign(split="train", metric="diverged", value=1.0)
        return pd.concat([records, mark]) if marked else records

    return change


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("marked", [True, False])
def test_a_run_that_diverged_is_left_out_by_name(tmp_path, random, value, marked):
    """argmax of a curve that ends in NaN would be the place of NaN, and of infinity its own."""
    late = lambda cell, epoch: collusion(cell, epoch) | {"div": 1.0 + epoch}  # noqa: E731  a peak at the end
    rows = judged(write(tmp_path, random, late, FIVE), spoilt(value, marked=marked), experiments=FIVE)
    why = "diverged at beta 1, evaluation 5" if marked else "no complete train DIV at beta 1"
    row = rows[(rows["id"] == "C8") & rows["statistic"].str.startswith("time of the largest")].iloc[0]
    assert (row["verdict"], row["value"], row["runs"]) == (FAILS, 1, 4) and row["note"] == f"without run 1 ({why})"
    assert rows[rows["id"].isin(["C6", "C7", "C18"])]["note"].str.contains(r"without run 1 \(").all()
    assert np.isfinite(rows["value"]).all()


@pytest.mark.parametrize("name", ["practical", "cnn", "dropout"])
@pytest.mark.parametrize("best", [True, False])
def test_a_run_that_diverges_counts_with_its_best_evaluation_or_is_left_out_by_name(tmp_path, random, name, best):
    """One that diverged in its first evaluation has none: it is named as diverged, not as missing."""
    five = {name: EXPERIMENTS[name] | {"runs": 5, "datasets": ["cifar10"]}}
    level = "drop_rate" if name == "dropout" else "beta"
    last = 0.4 if name == "dropout" else 1.0

    def change(records):
        cell = records["run"].eq(2) & records[level].eq(last)
        mark = records[cell].drop_duplicates("learners").assign(split="train", metric="diverged", value=1.0)
        mark = mark.assign(learner=-1, evaluation=5 if best else 1)
        gone = cell & (records["evaluation"].gt(5) if best else cell)
        return pd.concat([records[~gone], mark])

    rows = judged(write(tmp_path, random, experiments=five), change, experiments=five)
    assert len(rows) and set(rows["runs"]) == {5 if best else 4}
    at = "drop rate 0.4" if name == "dropout" else "beta 1"
    if not best:
        assert set(rows["note"]) == {f"without run 2 (diverged at {at}, evaluation 1)"}
    elif name != "dropout":
        assert set(rows["note"]) == {"diverged, so the best evaluation before counts: run 2 at beta 1"}


def test_curves_that_all_diverge_make_no_claim_hold(tmp_path, random):
    def change(records):
        return records.assign(value=records["value"].where(records["beta"].ne(1) | records["metric"].ne("div")))

    rows = judged(write(tmp_path, random, experiments=FIVE), change, experiments=FIVE)
    assert set(rows[rows["id"] == "C8"]["verdict"]) == {LEFT_OUT}
    assert rows[rows["id"] == "C8"]["note"].str.startswith("no complete run: without runs 0 (").all()


def test_a_learner_without_a_number_takes_its_run_away(tmp_path, random):
    five = {"practical": EXPERIMENTS["practical"] | {"runs": 5, "datasets": ["cifar10"]}}

    def change(records):
        return records[~(records["learner"].eq(2) & records["run"].eq(3) & records["beta"].eq(0))]

    rows = judged(write(tmp_path, random, experiments=five), change, experiments=five)
    learners = rows[rows["id"] == "C10"]
    assert set(learners["runs"]) == {4} and learners["note"].str.contains("3 \\(no accuracy of").all()
    assert set(rows[rows["id"] == "C9"]["runs"]) == {5}


def test_a_number_twice_is_refused(tmp_path, random):
    path = write(tmp_path, random)
    for rows in (
        "metric == 'accuracy' and learner == -1",
        "metric == 'err' and protocol == 'curves'",
        "metric == 'best'",
    ):
        with pytest.raises(UserError, match="twice"):
            judged(path, lambda records, rows=rows: pd.concat([records, records.query(rows).tail(40)]))


def test_value_and_interval_from_plain_arrays(tmp_path, random):
    path = write(tmp_path, random)
    row = judged(path).query("id == 'C9' and verdict != 'left out'").iloc[0]
    records = parquet.read(path, IMAGES).query(
        "protocol == 'sgd' and drop_rate == 0 and evaluation == 4 and learner == -1"
    )
    accuracy = records.query("split == 'test' and metric == 'accuracy'").set_index(["run", "beta"])["value"]
    margins = np.array([[accuracy[run, beta] - accuracy[run, 1] for beta in (0, 0.5)] for run in range(3)])
    low, high = map(float, interval(margins[:, None, :], 0.95))
    assert [row["value"], row["low"], row["high"]] == pytest.approx([margins.mean(0).min(), low, high], abs=1e-12)


def test_the_best_between_is_the_largest_of_smallest(tmp_path, random):
    four = {"cnn": EXPERIMENTS["cnn"] | {"betas": [0, 0.25, 0.5, 1], "learners": [2]}}

    def numbers(cell, epoch):
        return collusion(cell | {"beta": 0.5}, epoch) | {"err": {0: 0.6, 0.25: 0.55, 0.5: 0.5, 1: 0.9}[cell["beta"]]}

    path = write(tmp_path, random, numbers, four)
    row = judged(path, experiments=four).query("statistic.str.contains('between')", engine="python").iloc[0]
    records = parquet.read(path, IMAGES).query(
        "evaluation == 4 and learner == -1 and split == 'test' and metric == 'err'"
    )
    err = records.set_index(["run", "beta"])["value"]
    margins = np.array([[[err[r, end] - err[r, b] for end in (0, 1)] for b in (0.25, 0.5)] for r in range(3)])
    low, high = map(float, interval(margins, 0.95, rank=2))
    assert [row["value"], row["low"], row["high"]] == pytest.approx([margins.mean(0).min(1).max(), low, high])
    assert row["effect"] == "lowest at beta 0.5" and row["verdict"] == HOLDS


def test_the_end_is_the_last_tenth_and_the_effect_says_where_curves_cross(tmp_path, monkeypatch):
    import made_images

    monkeypatch.setattr(made_images, "EPOCHS", 40)

    def crossing(cell, epoch):
        """The joint gap is the larger one from evaluation 31 on, and a last evaluation lies far off."""
        gap = 1.0 if cell["beta"] == 0 else 0.5 + (epoch >= 30) + (50 if epoch == 39 else 0)
        return collusion(cell, epoch) | {"train_err": 1.0, "err": 1.0 + gap}

    rows = judged(write(tmp_path, Exact(), crossing, FIVE), experiments=FIVE)
    gap, loss = rows.query("id == 'C6'").iloc[0], rows[rows["statistic"] == "test ERR(1) - ERR(0), at the end"].iloc[0]
    assert gap["value"] == loss["value"] == pytest.approx(0.5 + 50 / 4)
    assert gap["effect"] == "14 against 1; on average larger from evaluation 31 of 40 on"
    assert loss["effect"] == "15 against 2; on average larger from evaluation 31 of 40 on"


def test_a_higher_level_is_not_a_slower_fall(tmp_path):
    """Two curves of one shape, the joint one shifted up: it reaches its end no later, though it lies higher throughout."""

    def shifted(cell, epoch):
        return collusion(cell, epoch) | {"train_err": 1.0 * (epoch == 0) + 0.1 * (cell["beta"] == 1)}

    rows = judged(write(tmp_path, Exact(), shifted, FIVE), experiments=FIVE).set_index("statistic")
    assert rows.loc["train ERR(1) - ERR(0), mean over training", "verdict"] == HOLDS
    assert rows.loc["time to reach a train ERR that both reach: beta 1 - beta 0", "verdict"] == FAILS


def test_diversity_that_peaks_early_with_a_flat_individual_error_is_no_collusion_solved_later(tmp_path):
    """C8 looks at ERR-bar, too: here it is the same all the way."""

    def flat(cell, epoch):
        div = 1 / (1 + epoch)
        return collusion(cell, epoch) | {"div": div, "train_err": 2 - div}

    rows = judged(write(tmp_path, Exact(), flat, FIVE), experiments=FIVE).query("id == 'C8'")
    assert rows["verdict"].tolist() == [HOLDS, FAILS]


LARGER = {
    "practical": EXPERIMENTS["practical"] | {"datasets": ["cifar10"]},
    "larger": EXPERIMENTS["practical"] | {"datasets": ["cifar10"], "learners": [6], "betas": [0, 1]},
    "score": EXPERIMENTS["practical"] | {"datasets": ["cifar10"], "averaging": "score"},
}


def test_experiments_are_compared_at_the_betas_of_both(tmp_path, random):
    def better(cell, epoch):
        known = collusion(cell, epoch)
        gain = {6: 0.03, 3: 0.0}[cell["learners"]] + 0.1 * (cell["averaging"] == "score")
        return known | {"accuracy": known["accuracy"] + gain}

    rows = judged(write(tmp_path, Exact(), better, LARGER), experiments=LARGER)
    ten, score = (rows[rows["id"] == id].iloc[0] for id in ("C19", "C20"))
    assert ten["value"] == pytest.approx(0.03) and ten["verdict"] == HOLDS
    assert ten["effect"] == "+0.030 at beta 0, +0.030 at beta 1" and ten["threshold"] == "> 0 and < 0.05"
    assert score["value"] == pytest.approx(0.1) and score["verdict"] == FAILS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"practical": None}, "'practical' is not enabled"),
        ({"practical": {"protocol": "cnn"}}, "trained by another protocol"),
        ({"practical": {"datasets": ["svhn"]}}, "does not have cifar10"),
        ({"practical": {"learners": [2, 3]}}, "several sizes"),
    ],
)
def test_an_experiment_that_cannot_be_compared_with_is_named(tmp_path, random, change, words):
    experiments = {name: e | (change.get(name) or {}) for name, e in LARGER.items() if change.get(name, e) is not None}
    rows = judged(write(tmp_path, random, experiments=experiments), experiments=experiments)
    row = rows[rows["id"] == "C19"].iloc[0]
    assert row["verdict"] == LEFT_OUT and words in row["note"]


def test_on_data_of_ones_own_nothing_of_the_paper_is_named(tmp_path, random):
    rows = judged(write(tmp_path, random), paper={"cnn": ["cifar10/cnn"]})
    mine = rows[rows["id"] != "C13"]
    for column in ("claim", "measures", "note", "effect", "statistic"):
        assert not mine[column].str.contains(r"Figure|Section|Appendix|ImageNet|paper").any(), column
    assert rows[rows["id"] == "C13"]["claim"].str.contains("Figure 15").all()


def test_only_the_betas_of_the_experiment_count(tmp_path, random):
    """Cells of another experiment with the same protocol add no beta to a panel."""
    few = EXPERIMENTS | {"practical": EXPERIMENTS["practical"] | {"betas": [0, 1]}}
    worst = collusion

    def dip(cell, epoch):
        known = worst(cell, epoch)
        return known | {"accuracy": 0.1} if cell["beta"] == 0.5 and cell["protocol"] == "sgd" else known

    path = write(tmp_path, random, dip)
    c9 = {
        name: judged(path, experiments=e).query("id == 'C9'")["verdict"].iloc[0]
        for name, e in (("all", EXPERIMENTS), ("few", few))
    }
    assert c9 == {"all": FAILS, "few": HOLDS}


def test_an_early_stop_leaves_a_run_out(tmp_path, random):
    rows = judged(write(tmp_path, random), lambda r: r[~((r["run"] == 1) & (r["beta"] == 1) & (r["evaluation"] > 4))])
    ends = rows[rows["statistic"].str.contains("at the end")]
    assert len(ends) == 5 and set(ends["runs"]) == {2} and ends["note"].str.contains(r"without run 1 \(").all()


def test_without_a_beta_between_nothing_is_lowest_there(tmp_path, random):
    ends = {"cnn": EXPERIMENTS["cnn"] | {"betas": [1, 0]}}
    rows = judged(write(tmp_path, random, experiments=ends), experiments=ends)
    between = rows[rows["statistic"].str.contains("between")]
    assert set(between["verdict"]) == {LEFT_OUT} and set(between["note"]) == {"there is no beta between 0 and 1"}
    assert set(rows[~rows.index.isin(between.index)]["verdict"]) == {HOLDS}


def test_with_one_drop_rate_there_is_nothing_to_compare(tmp_path, random):
    one = {"dropout": EXPERIMENTS["dropout"] | {"drop_rates": [0]}}
    rows = judged(write(tmp_path, random, experiments=one), experiments=one)
    assert set(rows["verdict"]) == {LEFT_OUT} and set(rows["note"]) == {"there is one drop rate alone"}


def test_an_entry_with_an_existing_statistic_is_a_row_per_panel(tmp_path, random):
    entry = Claim(
        "C99", "images", "Test ERR of CNNs is highest at beta = 1", "Figure 15", "worst_at_one", above=0,
        experiment="cnn", options={"metric": "err"},
    )  # fmt: skip
    rows = judged(write(tmp_path, random), claims=[*ENTRIES, entry])
    rows = rows[rows["id"] == "C99"]
    assert rows["dataset"].tolist() == ["CIFAR-10, CNN, M = 2", "CIFAR-10, CNN, M = 3"]
    assert set(rows["verdict"]) == {HOLDS} and set(rows["statistic"]) == {"ERR(1) - highest ERR(beta < 1)"}


class Exact:
    """In place of a generator: no noise."""

    def uniform(self, low, high):
        return 0.0
