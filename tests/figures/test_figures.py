"""Every figure: its files, the numbers in its CSV, its marks, and the same bytes twice."""

import csv

import numpy as np
import pytest

from learner_collusion import records
from learner_collusion.figures import collusion, gat, summary, tabular

NOTE = "Fidelity 'ci', not the paper's: runs 2 instead of 10."


@pytest.fixture
def made(tmp_path, random):
    """Records of two data sets, three runs."""
    rows = {name: [] for name in records.RECORDS.names}
    metrics = ("err", "div", "bias_share", "increase_0.2", "increase_0.4", "learners")
    for dataset in ("a", "b"):
        for run in range(3):
            for beta in (0.0, 0.5, 1.0):
                for metric in metrics:
                    value = 5.0 if metric == "learners" else random.uniform(0, 1)
                    for name, cell in zip(rows, ("tabular", dataset, run, beta, metric, value), strict=True):
                        rows[name].append(cell)
    records.write(tmp_path / "r.parquet", rows, records.RECORDS)
    return tmp_path / "r.parquet", rows


@pytest.mark.parametrize(
    ("draw", "metrics", "scale"),
    [
        (tabular.diversity, {"err", "div"}, 1),
        (tabular.debiased, {"bias_share"}, 100),
        (tabular.codependence, {"increase_0.2", "increase_0.4"}, 1),
    ],
)
def test_tabular_figures_plot_mean_and_standard_deviation(made, tmp_path, draw, metrics, scale):
    path, rows = made
    draw(path, {"a": "A"}, NOTE, tmp_path / "f.pdf")
    with open(tmp_path / "f.csv", newline="") as file:
        plotted = list(csv.DictReader(file))
    assert {row["metric"] for row in plotted} == metrics and len(plotted) == 2 * 3 * len(metrics)
    fields = {name: np.array(values) for name, values in rows.items()}
    for row in plotted:
        chosen = (fields["dataset"] == row["dataset"]) & (fields["metric"] == row["metric"])
        values = scale * fields["value"][chosen & (fields["beta"] == float(row["beta"]))]
        assert float(row["mean"]) == pytest.approx(values.mean())
        assert float(row["standard_deviation"]) == pytest.approx(values.std())


def test_reduced_fidelity_is_on_the_figure_itself(made, tmp_path):
    """The note takes room at the foot, in the warning colour."""
    from matplotlib.colors import to_rgb
    from matplotlib.image import imread

    from learner_collusion.figures.style import VERMILION

    tabular.debiased(made[0], {}, "", tmp_path / "plain.pdf")
    tabular.debiased(made[0], {}, NOTE, tmp_path / "noted.pdf")
    plain, noted = (imread(tmp_path / f"{name}.png")[..., :3] for name in ("plain", "noted"))
    assert noted.shape[0] > plain.shape[0]

    def warned(image):
        return (np.abs(image - to_rgb(VERMILION)).max(2) < 0.02).sum()

    assert warned(noted) > 100 and warned(plain) == 0


def test_same_numbers_same_bytes(made, tmp_path):
    for name in ("one", "two"):
        tabular.diversity(made[0], {}, NOTE, tmp_path / f"{name}.pdf")
    for suffix in (".pdf", ".png", ".csv"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_figure_1_shows_collusion(tmp_path, config):
    collusion.illustrate(config["illustration"], 0, "", tmp_path / "f.pdf")
    with open(tmp_path / "f.csv", newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    spread = {beta: np.mean([(r["f1"] - r["f2"]) ** 2 for r in rows if r["beta"] == beta]) for beta in (0.0, 1.0)}
    assert spread[1.0] > 20 * spread[0.0]
    for r in rows:
        assert r["ensemble"] == pytest.approx((r["f1"] + r["f2"]) / 2, abs=1e-5)


@pytest.mark.parametrize("draw", [gat.gamma, gat.alpha, summary.diagram])
def test_figures_without_data(tmp_path, draw):
    draw(tmp_path / "f.pdf")
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF") and (tmp_path / "f.csv").stat().st_size > 100
    assert (tmp_path / "f.png").stat().st_size > 5000
