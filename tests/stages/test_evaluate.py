"""Records of real runs against NumPy, and the identity that each asserts."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import converted

from learner_collusion.claims.catalogue import CLAIMS
from learner_collusion.claims.tabular import judge
from learner_collusion.errors import UserError
from learner_collusion.records import parquet
from learner_collusion.records.tabular import BEST, HISTORY, PREDICTIONS, RECORDS
from learner_collusion.stages import aggregate, evaluate, train_tabular

POINT = {"learning_rate": 0.01, "batch_size": 32, "weight_decay": 0, "learners": 5, "hidden_units": 10, "layers": 1}


@pytest.fixture
def trained(diabetes, settings, tmp_path):
    """Predictions and history of two runs."""
    rows = [POINT | {"run": run, "trial": 0, "err": 0.5, "err_bar": 0.6, "best_epoch": 4} for run in (0, 1)]
    parquet.write(tmp_path / "best.parquet", pd.DataFrame(rows), BEST)
    paths = [str(tmp_path / name) for name in ("history.parquet", "predictions.parquet")]
    chosen = converted(train_tabular.Settings, settings | {"runs": 2})
    train_tabular.train(str(diabetes), str(tmp_path / "best.parquet"), "diabetes", chosen, *paths)
    return paths[1], paths[0]


def records_of(trained, settings, path, threads=1):
    chosen = converted(evaluate.Settings, settings)
    evaluate.evaluate("diabetes", *trained, chosen, str(path), threads)
    return parquet.read(path, RECORDS)


def test_records_against_numpy(trained, settings, tmp_path):
    records = records_of(trained, settings, tmp_path / "records.parquet")
    assert not records.duplicated(["run", "beta", "metric"]).any()
    found = records.set_index(["run", "beta", "metric"])["value"]
    for run in (0, 1):
        betas, f, y = evaluate.read_run(trained[0], run)
        f, y = f.astype(np.float64), y.astype(np.float64)
        for beta, g in zip(betas, f, strict=True):
            at = found[run, beta]
            mean = g.mean(1)
            bias = (g - mean[:, None]).mean(0)
            div = ((g - mean[:, None]) ** 2).mean()
            clean = ((g - bias - mean[:, None]) ** 2).mean()
            assert at["err"] == pytest.approx(((mean - y) ** 2).mean())
            assert at["err_bar"] == pytest.approx(((g - y[:, None]) ** 2).mean())
            assert at["div"] == pytest.approx(div) == pytest.approx(at["err_bar"] - at["err"])
            assert at["div_debiased"] == pytest.approx(clean)
            assert at["bias_share"] == pytest.approx(1 - clean / div)
            # dropping d of M at random adds d / (M - d) * div / (M - 1), in expectation; the rest is noise of 88 * 100 draws
            for rate, d in ((0.2, 1), (0.4, 2), (0.6, 3)):
                expected = d / (5 - d) * div / 4
                noise = 4 * 2 * np.sqrt(at["err"] * expected / (88 * settings["codependence"]["draws"]))
                assert at[f"increase_{rate}"] == pytest.approx(expected, abs=noise)
            assert at["learners"] == 5 and at["diverged"] == 0 and 1 <= at["best_epoch"] <= at["epochs"] <= 12


def test_same_bytes_again_and_in_two_processes(trained, settings, tmp_path):
    for name, threads in (("a", 1), ("b", 1), ("c", 2)):
        records_of(trained, settings, tmp_path / name, threads)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_the_order_of_drop_rates_and_rows_changes_no_number(trained, settings, tmp_path):
    """Drop rates in another order, and betas, runs and learners of the predictions in theirs."""
    expected = records_of(trained, settings, tmp_path / "a").set_index(["run", "beta", "metric"])["value"].sort_index()
    rates = settings["codependence"]["drop_rates"]
    settings["codependence"] = settings["codependence"] | {"drop_rates": rates[::-1]}
    table = parquet.read(trained[0])
    by_beta = [part for _, part in table.groupby(["beta", "run"], sort=True)]
    parquet.write(trained[0], pd.concat(by_beta[::-1]), PREDICTIONS)
    parquet.write(trained[1], parquet.read(trained[1]).iloc[::-1], HISTORY)
    found = records_of(trained, settings, tmp_path / "b").set_index(["run", "beta", "metric"])["value"].sort_index()
    pd.testing.assert_series_equal(found, expected, check_exact=True)


def test_damaged_predictions_are_told(trained, settings, tmp_path):
    table, metadata = parquet.read(trained[0]), parquet.read_metadata(trained[0])
    nan = table.assign(prediction=table["prediction"].mask(table.index == 5))
    for damaged, words in ((table.iloc[:-1], "lacks predictions of run 1"), (nan, "not finite in run 0")):
        parquet.write(trained[0], damaged, PREDICTIONS, metadata)
        with pytest.raises(UserError, match=words):
            records_of(trained, settings, tmp_path / "r")
    parquet.write(trained[0], table, PREDICTIONS, metadata | {"engine": "another"})
    with pytest.raises(UserError, match="are not of one training: delete both"):
        records_of(trained, settings, tmp_path / "r")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_beta_that_overflowed_is_named_and_the_rest_stays(trained, settings, tmp_path, value):
    """Predictions of a beta that diverged may be anything: it has no number, and all others those that they have without it."""
    before = records_of(trained, settings, tmp_path / "before").set_index(["run", "beta", "metric"])["value"]
    table, history = parquet.read(trained[0]), parquet.read(trained[1])
    lost = table["run"].eq(1) & table["beta"].eq(1)
    rows = lost & (table["row"] == table["row"].iloc[0]) if np.isnan(value) else lost  # one row, or all
    rows = rows if rows.any() else lost
    parquet.write(trained[0], table.assign(prediction=table["prediction"].mask(rows, value)), PREDICTIONS)
    last = history["run"].eq(1) & history["beta"].eq(1) & history["epoch"].eq(history["epoch"].max())
    last = last if last.any() else history["run"].eq(1) & history["beta"].eq(1) & history["epoch"].eq(1)
    parquet.write(trained[1], history.assign(diverged=last), HISTORY)
    after = records_of(trained, settings, tmp_path / "after").set_index(["run", "beta", "metric"])["value"]
    assert after.index.equals(before.index)
    of_training = {"learners", "epochs", "best_epoch", "diverged"}
    assert set(after.index[after.isna()]) == {
        key for key in before.index if key[:2] == (1, 1) and key[2] not in of_training
    }
    assert after[1, 1.0]["diverged"] > 0 and after[1, 1.0]["learners"] == 5
    others = after.index[after.notna() & (after.index.get_level_values("metric") != "diverged")]
    pd.testing.assert_series_equal(after[others], before[others], check_exact=True)
    frame = judged(tmp_path / "after")
    joint = frame[frame["statistic"].str.contains(r"\(1\)")]
    assert len(joint) > 4 and joint["note"].str.contains(r"without run 1 \(diverged at beta 1, epoch \d+\)").all()
    assert (joint["runs"] == 1).all()


def judged(records):
    """The claims of the records."""
    entries = [claim for claim in CLAIMS if claim.part == "tabular"]
    settings = SimpleNamespace(claims=entries, confidence=0.95, paper={"tabular": []}, runs=2)
    return judge(parquet.read(records, RECORDS), {}, settings)


def test_a_run_without_any_number_is_left_out_by_name(trained, settings, tmp_path):
    """All betas of a run that diverged: figures, claims and the end page are those of the other run."""
    table, history = parquet.read(trained[0]), parquet.read(trained[1])
    lost = table["run"].eq(1)
    parquet.write(trained[0], table.assign(prediction=table["prediction"].mask(lost, np.nan)), PREDICTIONS)
    parquet.write(trained[1], history.assign(diverged=history["run"].eq(1) & history["epoch"].eq(1)), HISTORY)
    records_of(trained, settings, tmp_path / "records.parquet")
    frame = judged(tmp_path / "records.parquet")
    assert set(frame["runs"]) == {1} and frame["note"].str.contains("without run 1 .diverged at beta ").all()


def test_data_sets_are_put_together(trained, settings, tmp_path):
    one = records_of(trained, settings, tmp_path / "diabetes.parquet")
    parquet.write(tmp_path / "other.parquet", one.assign(dataset="other"), RECORDS)
    paths = [str(tmp_path / "diabetes.parquet"), str(tmp_path / "other.parquet")]
    aggregate.tabular(paths, str(tmp_path / "all.parquet"))
    both = parquet.read(tmp_path / "all.parquet", RECORDS)
    assert len(both) == 2 * len(one) and set(both["dataset"]) == {"diabetes", "other"}
    assert set(parquet.read_metadata(tmp_path / "all.parquet")) == {"diabetes", "other"}
