"""Records of real runs against NumPy, and the identity that each asserts."""

import json

import numpy as np
import pytest

from learner_collusion import evaluation, records, tabular


@pytest.fixture
def run(diabetes, settings, tmp_path):
    best = {"learning_rate": 0.01, "batch_size": 32, "weight_decay": 0, "learners": 5, "hidden": 10, "layers": 1}
    (tmp_path / "best.json").write_text(json.dumps(best))
    paths = [str(tmp_path / name) for name in ("best.json", "history.parquet", "predictions.parquet")]
    tabular.sweep_runs(str(diabetes), paths[:1], "diabetes", [0], settings, paths[1:2], paths[2:])
    return paths[1:]


def values_of(path):
    table = records.read(path, records.RECORDS)
    return {(r["beta"], r["metric"]): r["value"] for r in table.to_pylist()}


def test_records_against_numpy(run, settings, tmp_path):
    evaluation.evaluate("diabetes", [run[1]], [run[0]], settings, str(tmp_path / "records.parquet"))
    found = values_of(tmp_path / "records.parquet")
    betas, f, y = tabular.read_predictions(run[1])
    f, y = f.astype(np.float64), y.astype(np.float64)
    for beta, g in zip(betas, f, strict=True):
        mean = g.mean(1)
        bias = (g - mean[:, None]).mean(0)
        div = ((g - mean[:, None]) ** 2).mean()
        clean = ((g - bias - mean[:, None]) ** 2).mean()
        assert found[beta, "err"] == pytest.approx(((mean - y) ** 2).mean())
        assert found[beta, "err_bar"] == pytest.approx(((g - y[:, None]) ** 2).mean())
        assert found[beta, "div"] == pytest.approx(div) == pytest.approx(found[beta, "err_bar"] - found[beta, "err"])
        assert found[beta, "div_debiased"] == pytest.approx(clean)
        assert found[beta, "bias_share"] == pytest.approx(1 - clean / div)
        # dropping d of M at random adds d / (M - d) * div / (M - 1), in expectation; the rest is noise of 88 * 100 draws
        for drop, d in ((0.2, 1), (0.4, 2), (0.6, 3)):
            expected = d / (5 - d) * div / 4
            noise = 4 * 2 * np.sqrt(found[beta, "err"] * expected / (88 * settings["codependence"]["draws"]))
            assert found[beta, f"increase_{drop}"] == pytest.approx(expected, abs=noise)
        assert found[beta, "learners"] == 5 and found[beta, "diverged"] == 0


def test_same_bytes_again(run, settings, tmp_path):
    for name in ("a", "b"):
        evaluation.evaluate("diabetes", [run[1]], [run[0]], settings, str(tmp_path / name))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
