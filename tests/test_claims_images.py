"""Verdicts on image records made so that the answer is known."""

import numpy as np
import pytest
from made_images import EXPERIMENTS, TITLES, collusion, write

from learner_collusion import claims
from learner_collusion.claims_images import judge

SETTINGS = {"experiments": EXPERIMENTS, "titles": TITLES, "bootstrap": 300, "level": 0.95, "seed": 0}


def verdicts(rows):
    return {(row["id"], row["claim"], row["dataset"]): row["verdict"] for row in rows}


def test_collusion_bears_the_claims_out(tmp_path, random):
    found = verdicts(judge(write(tmp_path, random), SETTINGS))
    assert {key[0] for key in found} == {"C6", "C7", "C8", "C9", "C10", "C12", "C13", "C14"}
    for key, verdict in found.items():
        assert verdict == ("left out" if "SVHN" in key[2] else claims.HOLDS), key


def test_the_opposite_refutes_them(tmp_path, random):
    def backwards(cell, epoch):
        other = {0: 1, 0.5: 0, 1: 0.5}[cell["beta"]]
        known = collusion(cell | {"beta": other, "dropped": 0.4 - cell["dropped"]}, epoch)
        return known | {"div": (1 + epoch) * (1 + 0.01 * cell["dropped"])}

    found = verdicts(judge(write(tmp_path, random, backwards), SETTINGS))
    assert {v for k, v in found.items() if "SVHN" not in k[2]} == {claims.FAILS}


def test_one_run_has_no_interval_and_no_verdict(tmp_path, random):
    single = {name: e | {"runs": 1} for name, e in EXPERIMENTS.items()}
    rows = judge(write(tmp_path, random, experiments=single), SETTINGS | {"experiments": single})
    for row in rows:
        if "SVHN" not in row["dataset"]:
            assert row["verdict"] == claims.UNDECIDED and row["note"] == "one run: no interval"
            assert np.isfinite(row["value"]) and np.isnan(row["low"])


@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_one_experiment_is_judged_alone(tmp_path, random, name):
    only = {name: EXPERIMENTS[name]}
    rows = judge(write(tmp_path, random, experiments=only), SETTINGS | {"experiments": only})
    expected = {"practical": {"C9", "C10", "C12"}, "curves": {"C6", "C7", "C8"}, "cnn": {"C13"}, "dropout": {"C14"}}
    assert {row["id"] for row in rows} == expected[name]


def test_they_are_written_as_a_table(tmp_path, random):
    rows = judge(write(tmp_path, random), SETTINGS)
    claims.write(rows, "images", "Fidelity 'ci'.", TITLES, str(tmp_path / "c.md"), str(tmp_path / "c.parquet"))
    text = (tmp_path / "c.md").read_text()
    assert "Fidelity 'ci'." in text and "left out: the data could not be had" in text and "nan" not in text
