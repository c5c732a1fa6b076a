"""Verdicts on records made so that the answer is known."""

import numpy as np
import pytest

from learner_collusion import claims, records
from learner_collusion.errors import UserError

SETTINGS = {"bootstrap": 500, "level": 0.95, "seed": 0, "titles": {}}


def write(path, random, div=(0.02, 0.03, 2.0), share=(0.02, 0.05, 0.5), err=(0.5, 0.5, 0.5), rise=(0.001, 0.001, 0.02)):
    """Ten runs of two data sets at beta 0, 0.5 and 1, each metric within 5 % of the value given."""
    rows = {name: [] for name in records.RECORDS.names}
    metrics = {"div": div, "bias_share": share, "err": err, "increase_0.2": rise, "increase_0.4": 2 * np.array(rise)}
    for dataset in ("facebook", "abalone"):
        for run in range(10):
            for metric, values in metrics.items():
                for beta, value in zip((0.0, 0.5, 1.0), values, strict=True):
                    noisy = value * (1 + 0.05 * random.uniform(-1, 1))
                    row = ("tabular", dataset, run, beta, metric, noisy)
                    for name, cell in zip(rows, row, strict=True):
                        rows[name].append(cell)
    records.write(path, rows, records.RECORDS)
    return path


def verdicts(path):
    return {(row["id"], row["dataset"]): row["verdict"] for row in claims.judge_tabular(path, SETTINGS)}


def test_collusion_bears_the_claims_out(tmp_path, random):
    found = verdicts(write(tmp_path / "r.parquet", random))
    assert found.pop(("C3", "abalone")) == "reported"
    assert set(found.values()) == {claims.HOLDS}
    assert {k[0] for k in found} == {"C1a", "C1b", "C2", "C3", "C4a", "C4b", "C5a", "C5b"}


def test_no_collusion_refutes_them(tmp_path, random):
    flat = {"div": (0.02, 0.08, 0.1), "share": (0.02, 0.02, 0.05), "err": (0.5, 0.6, 0.9), "rise": (0.001, 0.01, 0.01)}
    found = verdicts(write(tmp_path / "r.parquet", random, **flat))
    for name in ("C1a", "C1b", "C2", "C3", "C4a", "C4b", "C5a"):
        assert found.get((name, "facebook"), found.get((name, "mean of all"))) == claims.FAILS, name
    assert found["C2", "at least half"] == claims.FAILS


@pytest.mark.parametrize(
    ("low", "high", "limits", "expected"),
    [
        (11, 12, {"above": 10}, claims.HOLDS),
        (8, 9, {"above": 10}, claims.FAILS),
        (9, 11, {"above": 10}, claims.UNDECIDED),
        (0.4, 0.6, {"above": 0.3, "below": 0.7}, claims.HOLDS),
        (0.71, 0.8, {"above": 0.3, "below": 0.7}, claims.FAILS),
        (0.6, 0.8, {"above": 0.3, "below": 0.7}, claims.UNDECIDED),
        (float("nan"), float("nan"), {"above": 1}, claims.UNDECIDED),
    ],
)
def test_verdict(low, high, limits, expected):
    assert claims.verdict(low, high, **limits) == expected


def test_theory():
    rows = claims.judge_theory(20, 0)
    assert {row["verdict"] for row in rows} == {claims.HOLDS} and len(rows) == 12


def test_written_and_put_together(tmp_path, random):
    rows = claims.judge_tabular(write(tmp_path / "r.parquet", random), SETTINGS)
    note = "Fidelity 'ci', not the paper's: runs 2 instead of 10."
    claims.write(rows, "tabular", note, {"abalone": "Abalone"}, tmp_path / "t.md", tmp_path / "t.parquet")
    claims.combine([tmp_path / "t.parquet"], tmp_path / "all.md", tmp_path / "all.parquet")
    for name in ("t.md", "all.md"):
        text = (tmp_path / name).read_text()
        assert note in text and "| Abalone |" in text and "holds" in text
    assert "Not judged" in text and "ImageNet" in text
    assert records.read(tmp_path / "all.parquet", records.CLAIMS).num_rows == len(rows)
    with pytest.raises(UserError, match="no claims"):
        claims.combine([], tmp_path / "none.md", tmp_path / "none.parquet")
