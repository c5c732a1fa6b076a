"""Verdicts on image records with known answers."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_images import EXPERIMENTS, TITLES, collusion, write

from learner_collusion.claims.catalogue import CLAIMS, Claim
from learner_collusion.claims.images import judge
from learner_collusion.claims.verdict import FAILS, HOLDS, LEFT_OUT, UNDECIDED
from learner_collusion.records import parquet
from learner_collusion.records.images import IMAGES

ENTRIES = [claim for claim in CLAIMS if claim.part == "images"]
KEYS = ["id", "claim", "dataset"]


def settings(claims=ENTRIES, experiments=EXPERIMENTS):
    return SimpleNamespace(
        claims=claims, experiments=experiments, titles=TITLES, bootstrap=300, confidence=0.95, seed=0
    )


def judged(path, change=lambda records: records, **others):
    return judge(change(parquet.read(path, IMAGES)), parquet.read_metadata(path), settings(**others))


def verdicts(rows):
    return dict(zip(rows[KEYS].itertuples(index=False, name=None), rows["verdict"], strict=True))


def test_collusion_confirms_the_claims(tmp_path, random):
    found = verdicts(judged(write(tmp_path, random)))
    assert {key[0] for key in found} == {"C6", "C7", "C8", "C9", "C10", "C12", "C13", "C14"}
    for key, verdict in found.items():
        assert verdict == (LEFT_OUT if "SVHN" in key[2] else HOLDS), key


def test_the_opposite_refutes_them(tmp_path, random):
    def backwards(cell, epoch):
        other = {0: 1, 0.5: 0, 1: 0.5}[cell["beta"]]
        known = collusion(cell | {"beta": other, "drop_rate": 0.4 - cell["drop_rate"]}, epoch)
        return known | {"div": (1 + epoch) * (1 + 0.01 * cell["drop_rate"])}

    found = verdicts(judged(write(tmp_path, random, backwards)))
    assert {v for k, v in found.items() if "SVHN" not in k[2]} == {FAILS}


def test_one_run_has_no_interval_and_no_verdict(tmp_path, random):
    single = {name: e | {"runs": 1} for name, e in EXPERIMENTS.items()}
    rows = judged(write(tmp_path, random, experiments=single), experiments=single)
    rows = rows[~rows["dataset"].str.contains("SVHN")]
    assert set(rows["verdict"]) == {UNDECIDED} and set(rows["note"]) == {"one run: no interval"}
    assert np.isfinite(rows["value"]).all() and rows["low"].isna().all()


@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_one_experiment_is_judged_alone(tmp_path, random, name):
    only = {name: EXPERIMENTS[name]}
    rows = judged(write(tmp_path, random, experiments=only), experiments=only)
    expected = {"practical": {"C9", "C10", "C12"}, "curves": {"C6", "C7", "C8"}, "cnn": {"C13"}, "dropout": {"C14"}}
    assert set(rows["id"]) == expected[name]


def test_a_data_set_that_is_not_available_is_left_out_and_says_so(tmp_path, random):
    rows = judged(write(tmp_path, random))
    svhn = rows[rows["dataset"].str.startswith("SVHN")]
    assert len(svhn) == 4 and set(svhn["note"]) == {"the data set is not available"} and svhn["value"].isna().all()
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


def test_runs_are_matched_by_number(tmp_path, random):
    """Runs that differ a lot, and a little between betas: pairs by number tell, and only complete ones count."""

    def paired(cell, epoch):
        known = collusion(cell, epoch)
        return known | {"train_err": 10.0 ** cell["run"] + (cell["beta"] == 1), "err": 10.0 ** cell["run"]}

    path = write(tmp_path, Exact(), paired)
    for gone in (None, (0.0, 1), (1.0, 0)):
        rows = judged(
            path, lambda r, gone=gone: r if gone is None else r[(r["beta"] != gone[0]) | (r["run"] != gone[1])]
        )
        row = rows[rows["statistic"] == "train ERR(1) - ERR(0), mean over training"].iloc[0]
        assert [row["value"], row["low"], row["high"]] == pytest.approx([1, 1, 1]), gone


def test_value_and_interval_from_plain_arrays(tmp_path, random):
    path = write(tmp_path, random)
    row = judged(path).query("id == 'C9' and verdict != 'left out'").iloc[0]
    records = parquet.read(path, IMAGES).query(
        "protocol == 'sgd' and drop_rate == 0 and evaluation == 4 and learner == -1"
    )
    accuracy = records.query("split == 'test' and metric == 'accuracy'").set_index(["run", "beta"])["value"]
    runs = np.array([[accuracy[run, beta] for beta in (0, 0.5, 1)] for run in range(3)])
    means = runs[np.random.default_rng(0).integers(0, 3, (300, 3))].mean(1)
    low, high = np.quantile(means[:, :2].min(1) - means[:, 2], [0.025, 0.975])
    value = runs.mean(0)[:2].min() - runs.mean(0)[2]
    assert [row["value"], row["low"], row["high"]] == pytest.approx([value, low, high], abs=1e-12)


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


def test_an_early_stop_leaves_the_end_undecided(tmp_path, random):
    rows = judged(write(tmp_path, random), lambda r: r[~((r["run"] == 1) & (r["beta"] == 1) & (r["evaluation"] > 4))])
    ends = rows[rows["statistic"].str.contains("end of training")]
    assert len(ends) == 2 and set(ends["verdict"]) == {UNDECIDED} and ends["value"].isna().all()
    assert rows[rows["id"] == "C8"]["verdict"].tolist() == [HOLDS]


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
