"""The figures of the tabular data and of the theory: their files, the numbers in their CSV, their marks, their layout."""

import numpy as np
import pandas as pd
import pytest

from learner_collusion.errors import UserError
from learner_collusion.figures import collusion, gat, style, summary, tabular
from learner_collusion.records import parquet
from learner_collusion.records.tabular import RECORDS
from learner_collusion.stages.figure import Settings

NOTE = "Fidelity 'ci', not the paper's: runs 2 instead of 10."
METRICS = ("err", "div", "bias_share", "increase_0.2", "increase_0.4", "learners")


def settings(**others) -> Settings:
    plain = {"note": "", "titles": {}, "experiment": None, "options": {}, "seed": 0, "illustration": None}
    return Settings(**(plain | others))


def write(folder, random, datasets=("b", "a"), runs: int = 3):
    """Random records; the path and the frame."""
    rows = [
        ("tabular", dataset, run, beta, metric, 5.0 if metric == "learners" else random.uniform(0, 1))
        for dataset in datasets for run in range(runs) for beta in (0.0, 0.5, 1.0) for metric in METRICS
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=RECORDS.names)
    parquet.write(folder / "r.parquet", frame, RECORDS)
    return folder / "r.parquet", frame


@pytest.fixture
def made(tmp_path, random):
    """Records of two data sets, three runs."""
    return write(tmp_path, random)


@pytest.fixture
def saved(monkeypatch):
    """What the tabular figures hand over to be saved: figure, note and foot of each."""
    found = []
    monkeypatch.setattr(tabular, "save", lambda figure, output, plotted, note, foot: found.append((figure, note, foot)))
    return found


@pytest.mark.parametrize(
    ("draw", "metrics", "scale"),
    [
        (tabular.diversity, ["err", "div"], 1),
        (tabular.debiased, ["bias_share"], 100),
        (tabular.codependence, ["increase_0.2", "increase_0.4"], 1),
    ],
)
def test_tabular_figures_plot_mean_and_standard_deviation(made, tmp_path, draw, metrics, scale):
    path, records = made
    draw(settings(titles={"a": "A"}, note=NOTE), path, tmp_path / "f.pdf")
    plotted = pd.read_csv(tmp_path / "f.csv")
    assert list(plotted.columns) == ["dataset", "metric", "beta", "mean", "standard_deviation", "runs"]
    assert list(plotted["dataset"].unique()) == ["b", "a"] and (plotted["runs"] == 3).all()
    values = records[records["metric"].isin(metrics)].assign(value=lambda rows: scale * rows["value"])
    expected = values.groupby(["dataset", "metric", "beta"])["value"].agg(["mean", lambda v: v.std(ddof=0)])
    found = plotted.set_index(["dataset", "metric", "beta"])[["mean", "standard_deviation"]]
    assert len(found) == len(expected) == 2 * 3 * len(metrics)
    np.testing.assert_allclose(found, expected.loc[found.index], rtol=1e-8)


def test_lines_and_bands_show_the_numbers_of_the_csv(made, tmp_path, monkeypatch):
    path, _ = made
    frames = []
    monkeypatch.setattr(tabular, "save", lambda figure, output, plotted, note, foot: frames.append((figure, plotted)))
    tabular.codependence(settings(), path, tmp_path / "f.pdf")
    figure, plotted = frames[0]
    for panel, (_, mine) in zip(figure.axes, plotted.groupby("dataset", sort=False), strict=True):
        drawn = [line for line in panel.lines if len(line.get_xdata())]
        bands = panel.collections
        for line, band, (_, rows) in zip(drawn, bands, mine.groupby("metric"), strict=True):
            np.testing.assert_array_equal(line.get_xdata(), rows["beta"])
            np.testing.assert_array_equal(line.get_ydata(), rows["mean"])
            ends = band.get_paths()[0].vertices[:, 1]
            for end in (rows["mean"] - rows["standard_deviation"], rows["mean"] + rows["standard_deviation"]):
                assert all(np.isclose(ends, value, rtol=1e-12).any() for value in end)


def test_reduced_fidelity_is_on_the_figure_itself(made, tmp_path):
    """The note takes room at the foot, in the warning colour."""
    from matplotlib.colors import to_rgb
    from matplotlib.image import imread

    tabular.debiased(settings(), made[0], tmp_path / "plain.pdf")
    tabular.debiased(settings(note=NOTE), made[0], tmp_path / "noted.pdf")
    plain, noted = (imread(tmp_path / f"{name}.png")[..., :3] for name in ("plain", "noted"))
    assert noted.shape[0] > plain.shape[0]

    def warned(image):
        return (np.abs(image - to_rgb(style.VERMILION)).max(2) < 0.02).sum()

    assert warned(noted) > 100 and warned(plain) == 0


def test_same_numbers_same_bytes(made, tmp_path):
    for name in ("one", "two"):
        tabular.codependence(settings(note=NOTE), made[0], tmp_path / f"{name}.pdf")
    for suffix in (".pdf", ".png", ".csv"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_the_foot_counts_the_runs(tmp_path, random, saved):
    path, _ = write(tmp_path, random)
    tabular.diversity(settings(note=NOTE), path, tmp_path / "f.pdf")
    path, _ = write(tmp_path, random, runs=1)
    tabular.debiased(settings(), path, tmp_path / "f.pdf")
    (_, note, several), (_, _, one) = saved
    assert (
        several.startswith("Line: mean over 3 runs; band: one standard deviation.")
        and "(5)" in several
        and note == NOTE
    )
    assert one.startswith("Line: one run.") and "band" not in one


@pytest.mark.parametrize("draw", [tabular.diversity, tabular.codependence])
def test_many_data_sets_with_long_titles_overlap_nowhere(tmp_path, random, saved, draw):
    """Twelve panels continue below, and no title or label covers another or leaves the figure."""
    names = [f"d{i}" for i in range(12)]
    titles = {name: f"The {name} data set of some institute, second edition (2019)" for name in names}
    path, _ = write(tmp_path, random, names)
    draw(settings(titles=titles), path, tmp_path / "f.pdf")
    figure = saved[0][0]
    figure.draw_without_rendering()
    shown = [axes.title.get_text().replace("\n", " ") for axes in figure.axes if axes.title.get_text()]
    assert shown == list(titles.values())
    page = figure.bbox
    boxes = [axes.title.get_window_extent() for axes in figure.axes if axes.title.get_text()]
    boxes += [axes.yaxis.label.get_window_extent() for axes in figure.axes if axes.get_ylabel()]
    for i, box in enumerate(boxes):
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_the_legend_covers_no_panel(made, tmp_path, saved):
    tabular.codependence(settings(), made[0], tmp_path / "f.pdf")
    figure = saved[0][0]
    figure.draw_without_rendering()
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["20% dropped", "40% dropped"]
    assert not any(legend.get_window_extent().overlaps(axes.get_tightbbox()) for axes in figure.axes)


def test_more_drop_rates_than_colours_are_all_drawn(tmp_path, saved):
    rates = [f"increase_{rate / 100:g}" for rate in range(10, 90, 10)]
    rows = [("tabular", "a", 0, beta, m, 0.5) for beta in (0.0, 1.0) for m in (*rates, "learners")]
    parquet.write(tmp_path / "r.parquet", pd.DataFrame(rows, columns=RECORDS.names), RECORDS)
    tabular.codependence(settings(), tmp_path / "r.parquet", tmp_path / "f.pdf")
    [axes] = saved[0][0].axes
    assert len(axes.collections) == len(rates) == len({tuple(band.get_facecolor()[0]) for band in axes.collections})


def test_empty_records_are_told(tmp_path):
    parquet.write(tmp_path / "r.parquet", {name: [] for name in RECORDS.names}, RECORDS)
    with pytest.raises(UserError, match="holds no records"):
        tabular.diversity(settings(), tmp_path / "r.parquet", tmp_path / "f.pdf")
    assert not (tmp_path / "f.pdf").exists()


def test_figure_1_shows_collusion(tmp_path, config):
    collusion.illustrate(settings(illustration=config["illustration"]), None, tmp_path / "f.pdf")
    rows = pd.read_csv(tmp_path / "f.csv")
    spread = ((rows["f1"] - rows["f2"]) ** 2).groupby(rows["beta"]).mean()
    assert spread[1.0] > 20 * spread[0.0]
    np.testing.assert_allclose(rows["ensemble"], (rows["f1"] + rows["f2"]) / 2, atol=1e-5)


def test_figure_1_takes_many_learners(tmp_path, config):
    small = config["illustration"] | {"learners": 8, "epochs": 2}
    collusion.illustrate(settings(illustration=small), None, tmp_path / "f.pdf")
    assert list(pd.read_csv(tmp_path / "f.csv").columns) == ["beta", "x", "ensemble", *(f"f{j}" for j in range(1, 9))]


@pytest.mark.parametrize("draw", [gat.gamma, gat.alpha, summary.diagram])
def test_figures_without_data(tmp_path, draw):
    draw(settings(), None, tmp_path / "f.pdf")
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF") and (tmp_path / "f.csv").stat().st_size > 100
    assert (tmp_path / "f.png").stat().st_size > 5000


def test_figure_8_reaches_one_where_the_theorem_says(tmp_path):
    gat.gamma(settings(), None, tmp_path / "f.pdf")
    rows = pd.read_csv(tmp_path / "f.csv")
    for learners in (2, 3, 5, 10):
        mine = rows[rows["learners"] == learners]
        peak = mine.loc[mine["gamma"].idxmax()]
        assert peak["alpha"] == pytest.approx(learners - 1, abs=0.03) and peak["gamma"] == pytest.approx(1, abs=1e-4)
