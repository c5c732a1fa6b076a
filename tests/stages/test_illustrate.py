"""The small ensemble of the slider: real trainings, each the same alone and beside others, and Figure 1 at both ends."""

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from learner_collusion import cli
from learner_collusion.records import parquet
from learner_collusion.records.illustration import ILLUSTRATION
from learner_collusion.stages import illustrate
from learner_collusion.training import illustration


@pytest.fixture(scope="module")
def points(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("illustration") / "points.parquet"
    settings = illustrate.Settings(config["seed"], config["illustration"], config["report"]["betas"])
    illustrate.train(settings, str(path))
    before = path.read_bytes()
    illustrate.train(settings, str(path))
    assert path.read_bytes() == before
    return parquet.read(path, ILLUSTRATION)


def test_every_beta_has_its_lines(points, config):
    assert sorted(points["beta"].dropna().unique()) == sorted(config["report"]["betas"])
    counts = points.groupby("line").size()
    betas = len(config["report"]["betas"])
    assert counts["data"] == config["illustration"]["rows"] and counts["err"] == counts["div"] == betas
    assert counts["f1"] == counts["f2"] == counts["ensemble"] == betas * 241


def test_both_ends_are_figure_1(points):
    drawn = pd.read_csv(ROOT / "docs/gallery/fig1_collusion.csv")
    for beta in (0.0, 1.0):
        mine = points[points["beta"] == beta]
        for line in ("f1", "f2", "ensemble"):
            expected = drawn.loc[drawn["beta"] == beta, line].to_numpy()
            # to the digits of the CSV; where PyTorch trains, rounding errors add up over the epochs
            np.testing.assert_allclose(mine.loc[mine["line"] == line, "value"], expected, rtol=1e-3, atol=1e-3)


def test_a_beta_does_not_depend_on_the_others(config):
    small = config["illustration"] | {"epochs": 20, "learners": 3}
    together = illustration.train(small, 1, [0, 0.5, 0.9, 1])[2]
    alone = illustration.train(small, 1, [0.9])[2]
    pd.testing.assert_frame_equal(
        together[together["beta"] == 0.9].reset_index(drop=True), alone.reset_index(drop=True)
    )


def test_by_hand_it_takes_the_papers_betas(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["illustrate"]) == 0
    assert capsys.readouterr().out == "25 betas: results/illustration.parquet\n"
    assert (tmp_path / "results/illustration.parquet").stat().st_size > 0
