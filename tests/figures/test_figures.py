"""The figures of the tabular data and of the theory: their files, the numbers in their CSV, their marks, their layout."""

import itertools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from learner_collusion.claims.verdict import standard_error_band
from learner_collusion.errors import UserError
from learner_collusion.figures import collusion, gat, style, summary, tabular
from learner_collusion.records import parquet
from learner_collusion.records.tabular import RECORDS
from learner_collusion.stages.figure import Settings

NOTE = "Fidelity 'ci', not the paper's: runs 2 instead of 10."
MARK = "Fidelity 'ci', not the paper's."
METRICS = ("err", "div", "bias_share", "increase_0.2", "increase_0.4", "learners")


def settings(**others) -> Settings:
    plain = {"note": "", "mark": "", "titles": {}, "experiment": None, "options": {}, "seed": 0, "illustration": None}
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
    """What the tabular figures hand over to be saved: figure, numbers and foot of each."""
    found = []
    monkeypatch.setattr(tabular, "save", lambda _, figure, output, plotted, foot: found.append((figure, plotted, foot)))
    return found


@pytest.mark.parametrize(
    ("draw", "metrics", "scale"),
    [
        (tabular.diversity, ["err", "div"], 1),
        (tabular.debiased, ["bias_share"], 100),
        (tabular.codependence, ["increase_0.2", "increase_0.4"], 1),
    ],
)
def test_the_csv_of_a_tabular_figure_holds_mean_standard_deviation_and_runs(made, tmp_path, draw, metrics, scale):
    path, records = made
    draw(settings(titles={"a": "A"}, note=NOTE, mark=MARK), path, tmp_path / "f.pdf")
    plotted = pd.read_csv(tmp_path / "f.csv")
    names = ["dataset", "metric", "beta", "mean", "standard_deviation", "runs", "run_0", "run_1", "run_2"]
    assert list(plotted.columns) == names + ["predicted"] * (draw is tabular.codependence)
    assert list(plotted["dataset"].unique()) == ["b", "a"] and (plotted["runs"] == 3).all()
    values = records[records["metric"].isin(metrics)].assign(value=lambda rows: scale * rows["value"])
    by = ["dataset", "metric", "beta"]
    expected = values.groupby(by)["value"].agg(["mean", lambda v: v.std(ddof=0)])
    plotted = plotted.set_index(by)
    assert len(plotted) == len(expected) == 2 * 3 * len(metrics)
    np.testing.assert_allclose(plotted[["mean", "standard_deviation"]], expected.loc[plotted.index], rtol=1e-8)
    runs = values.set_index([*by, "run"])["value"].unstack().loc[plotted.index]
    np.testing.assert_allclose(plotted[["run_0", "run_1", "run_2"]], runs, rtol=1e-8)


@pytest.mark.parametrize("draw", [tabular.diversity, tabular.debiased, tabular.codependence])
def test_a_run_that_diverged_has_no_point_and_leaves_no_mean(made, tmp_path, saved, draw):
    path, records = made
    lost = records["run"].eq(1) & records["beta"].eq(1) & records["metric"].ne("learners") & records["dataset"].eq("a")
    parquet.write(path, records.assign(value=records["value"].mask(lost)), RECORDS)
    draw(settings(), path, tmp_path / "f.pdf")
    [(_, plotted, foot)] = saved
    there = plotted["dataset"].eq("a") & plotted["beta"].eq(1)
    assert plotted.loc[there, ["mean", "run_1"]].isna().all(axis=None)
    assert plotted.loc[there, ["run_0", "run_2"]].notna().all(axis=None)
    assert plotted.loc[~there, "mean"].notna().all()
    assert foot.endswith("No point, and no mean there: 1 trainings that diverged.")


def test_means_and_runs_show_the_numbers_of_the_csv(made, tmp_path, saved):
    path, _ = made
    tabular.diversity(settings(), path, tmp_path / "f.pdf")
    figure, plotted, _ = saved[0]
    for (_, rows), panel in zip(
        plotted.groupby(["metric", "dataset"], sort=False), [figure.axes[i] for i in (0, 2, 1, 3)], strict=True
    ):
        mean, *runs = panel.lines
        np.testing.assert_array_equal(mean.get_xdata(), rows["beta"])
        np.testing.assert_array_equal(mean.get_ydata(), rows["mean"])
        for number, line in enumerate(runs):
            np.testing.assert_array_equal(line.get_ydata(), rows[f"run_{number}"])
        assert len(runs) == 3 and not panel.collections
        assert all(line.get_linewidth() < mean.get_linewidth() / 2 for line in runs)


@pytest.mark.parametrize(("values", "scale", "hidden"), [
    ({"mean": [1.0, 2.0], "run_0": [0.5, 3.0], "run_1": [1.5, 1.0]}, "linear", 0),
    ({"mean": [1.0, 50.0], "run_0": [0.5, 90.0], "run_1": [1.5, 10.0]}, "log", 0),
    ({"mean": [1.0, 50.0], "run_0": [-0.5, 90.0], "run_1": [2.5, 10.0]}, "log", 1),
    ({"mean": [1.0, 50.0], "run_0": [0.0099, 90.0], "run_1": [2.5, 10.0]}, "log", 1),
    ({"mean": [0.0, 0.0], "run_0": [0.0, 0.0], "run_1": [-1.0, 1.0]}, "linear", 0),
    ({"mean": [1.0, np.nan], "run_0": [0.5, np.nan], "run_1": [20.0, 1.0]}, "log", 0),
])  # fmt: skip
def test_wide_values_are_drawn_on_a_logarithmic_axis_and_those_below_it_counted(values, scale, hidden):
    _, [[axes]] = style.panels(1)
    assert style.log_axis(axes, pd.DataFrame(values | {"runs": 2})) == hidden and axes.get_yscale() == scale
    if scale == "log":
        shown = pd.DataFrame(values).to_numpy()
        assert axes.get_ylim()[0] < shown[shown > 0.01].min()


def test_values_that_a_logarithmic_axis_cannot_show_are_said(tmp_path, saved):
    rows = [
        ("tabular", "a", run, beta, metric, value)
        for run in range(2) for beta, increase in ((0.0, -0.001 * run + 0.002), (0.5, 0.003 - 0.005 * run), (1.0, 0.5))
        for metric, value in (("increase_0.2", increase), ("learners", 5.0))
    ]  # fmt: skip
    parquet.write(tmp_path / "r.parquet", pd.DataFrame(rows, columns=RECORDS.names), RECORDS)
    tabular.codependence(settings(), tmp_path / "r.parquet", tmp_path / "f.pdf")
    assert "Below the axes: 1 values." in saved[0][2] and saved[0][0].axes[0].get_yscale() == "log"


def test_the_increase_is_predicted_from_div_alone(tmp_path, saved):
    """Against all choices of the kept learners, for random predictions, one run of 4 learners and one of 6."""
    rows, expected = [], []
    for run, learners in enumerate((4, 6)):
        f, y = np.random.default_rng(run).normal(size=(2, 7, learners))[0], np.arange(7.0)
        kept = learners - learners // 2
        increases = [
            np.mean((f[:, list(chosen)].mean(1) - y) ** 2) for chosen in itertools.combinations(range(learners), kept)
        ]
        expected.append(np.mean(increases) - np.mean((f.mean(1) - y) ** 2))
        found = {"div": f.var(1).mean(), "learners": learners, "increase_0.5": expected[-1]}
        rows += [("tabular", "a", run, 0.0, metric, value) for metric, value in found.items()]
    parquet.write(tmp_path / "r.parquet", pd.DataFrame(rows, columns=RECORDS.names), RECORDS)
    tabular.codependence(settings(), tmp_path / "r.parquet", tmp_path / "f.pdf")
    figure, plotted, foot = saved[0]
    np.testing.assert_allclose(plotted["predicted"], np.mean(expected), rtol=1e-12)
    assert "Dashed: DIV (M - k) / (k (M - 1))" in foot
    assert figure.legends[0].get_texts()[-1].get_text() == "predicted from DIV"


def test_without_m_in_the_records_nothing_is_predicted(tmp_path, saved):
    rows = [("tabular", "a", 0, beta, "increase_0.2", 0.1) for beta in (0.0, 1.0)]
    parquet.write(tmp_path / "r.parquet", pd.DataFrame(rows, columns=RECORDS.names), RECORDS)
    tabular.codependence(settings(), tmp_path / "r.parquet", tmp_path / "f.pdf")
    assert saved[0][1]["predicted"].isna().all() and "Dashed" not in saved[0][2] and len(saved[0][0].axes[0].lines) == 1


def test_reduced_fidelity_is_on_the_figure_in_one_line_and_in_full_in_its_metadata(made, tmp_path):
    """The mark takes room at the foot, in the warning colour."""
    from matplotlib.colors import to_rgb
    from PIL import Image

    tabular.debiased(settings(), made[0], tmp_path / "plain.pdf")
    tabular.debiased(settings(note=NOTE, mark=MARK), made[0], tmp_path / "noted.pdf")
    plain, noted = (Image.open(tmp_path / f"{name}.png") for name in ("plain", "noted"))
    assert 0 < noted.height - plain.height < 0.25 * 160

    def warned(image):
        return (np.abs(np.asarray(image)[..., :3] / 255 - to_rgb(style.VERMILION)).max(2) < 0.02).sum()

    assert warned(noted) > 100 and warned(plain) == 0
    assert noted.info["Description"] == NOTE and "Description" not in plain.info
    assert b"runs 2 instead of 10" in (tmp_path / "noted.pdf").read_bytes()


def test_same_numbers_same_bytes(made, tmp_path):
    for name in ("one", "two"):
        tabular.codependence(settings(note=NOTE, mark=MARK), made[0], tmp_path / f"{name}.pdf")
    for suffix in (".pdf", ".png", ".csv"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_the_foot_counts_the_runs(tmp_path, random, saved):
    path, _ = write(tmp_path, random)
    tabular.diversity(settings(), path, tmp_path / "f.pdf")
    path, _ = write(tmp_path, random, runs=1)
    tabular.debiased(settings(), path, tmp_path / "f.pdf")
    (_, _, several), (figure, _, one) = saved
    assert several.startswith("Thick: mean over 3 runs; thin: the runs. M, tuned in each run: 5.")
    assert one.startswith("Line: one run.") and "thin" not in one and len(figure.axes[0].lines) == 1


@pytest.mark.parametrize(("runs", "band", "text"), [
    ([6, 6], "two standard errors", "Line: mean over 6 runs; band: two standard errors."),
    ([2], "two standard errors", "Thick: mean over 2 runs; thin: the runs."),
    ([6, 2], "two standard errors",
     "Line: mean over 2 or 6 runs; band: two standard errors (of two runs: thin, the runs)."),
    ([1, 1], "two standard errors", "Line: one run."),
    ([5], "", "Thick: mean over 5 runs; thin: the runs."),
    ([], "", ""),
])  # fmt: skip
def test_what_lines_and_bands_are_is_said(runs, band, text):
    assert style.spread(pd.Series(runs), band) == text


@pytest.mark.parametrize(("count", "thin", "bands"), [(1, 0, 0), (2, 2, 0), (3, 0, 1)])
def test_two_runs_are_drawn_three_have_a_band(count, thin, bands):
    _, [[axes]] = style.panels(1)
    runs = pd.DataFrame({0.0: np.arange(count), 1.0: np.arange(count) + 1.0})
    band = style.with_runs(standard_error_band(runs).rename_axis("x").reset_index(), runs).assign(runs=count, line="a")
    style.lines(axes, band, "x", "line")
    assert len(axes.lines) == 1 + thin and len(axes.collections) == bands


def test_bands_show_the_numbers_of_the_csv():
    _, [[axes]] = style.panels(1)
    rows = pd.DataFrame({"x": [0, 1], "mean": [1, 2], "low": [0.5, 1.25], "high": [1.5, 2.75], "runs": 4, "line": "a"})
    style.lines(axes, rows, "x", "line")
    corners = {tuple(corner) for corner in axes.collections[0].get_paths()[0].vertices}
    assert {(0, 0.5), (1, 1.25), (1, 2.75), (0, 1.5)} <= corners


def test_titles_are_shown_as_they_are_written(tmp_path, random, saved):
    """Formulas, braces and underscores of a study's own titles break nothing."""
    titles = {"a": "cost in $ {per_unit}, \\frac{1} $ or 50 %_x^2", "b": "$x"}
    path, _ = write(tmp_path, random)
    tabular.diversity(settings(titles=titles), path, tmp_path / "f.pdf")
    figure = saved[0][0]
    figure.draw_without_rendering()
    assert [axes.get_title().replace("\n", " ") for axes in figure.axes[:2]] == [titles["b"], titles["a"]]


def test_a_study_of_its_own_is_labelled_at_the_foot_without_a_warning(made, tmp_path, saved):
    study = "A study of its own, 'houses', by the paper's protocol."
    for draw in (tabular.diversity, tabular.debiased, tabular.codependence):
        draw(settings(note=study, study=study), made[0], tmp_path / "f.pdf")
        assert saved[-1][2].endswith(f" {study}")


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_long_titles_without_spaces_stay_in_the_figure(tmp_path, random, saved, count):
    names = [f"d{i}" for i in range(count)]
    titles = {name: f"{name}_sales_of_houses_2021_final_version_2_corrected" for name in names}
    path, _ = write(tmp_path, random, names)
    tabular.debiased(settings(titles=titles), path, tmp_path / "f.pdf")
    figure = saved[0][0]
    figure.draw_without_rendering()
    shown = [axes.title for axes in figure.axes if axes.get_title()]
    assert [title.get_text().replace("\n", "") for title in shown] == list(titles.values())
    boxes = [title.get_window_extent() for title in shown]
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert not any(box.overlaps(other) for i, box in enumerate(boxes) for other in boxes[i + 1 :])


@pytest.mark.parametrize("draw", [tabular.diversity, tabular.codependence])
def test_many_data_sets_with_long_titles_overlap_nowhere(tmp_path, random, saved, draw):
    """Twelve panels continue below, at most four in a row, and no title or label covers another or leaves the figure."""
    names = [f"d{i}" for i in range(12)]
    titles = {name: f"The {name} data set of some institute, second edition (2019)" for name in names}
    path, _ = write(tmp_path, random, names)
    draw(settings(titles=titles), path, tmp_path / "f.pdf")
    figure = saved[0][0]
    figure.draw_without_rendering()
    shown = [axes.title.get_text().replace("\n", " ") for axes in figure.axes if axes.title.get_text()]
    assert shown == list(titles.values())
    assert figure.axes[0].get_gridspec().ncols == 4
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
    assert [text.get_text() for text in legend.get_texts()] == ["20% dropped", "40% dropped", "predicted from DIV"]
    assert not any(legend.get_window_extent().overlaps(axes.get_tightbbox()) for axes in figure.axes)


def test_more_drop_rates_than_colours_are_all_drawn(tmp_path, saved):
    rates = [f"increase_{rate / 100:g}" for rate in range(10, 90, 10)]
    rows = [("tabular", "a", 0, beta, m, 0.5) for beta in (0.0, 1.0) for m in (*rates, "learners")]
    parquet.write(tmp_path / "r.parquet", pd.DataFrame(rows, columns=RECORDS.names), RECORDS)
    tabular.codependence(settings(), tmp_path / "r.parquet", tmp_path / "f.pdf")
    [axes] = saved[0][0].axes
    assert len(axes.lines) == len(rates) == len({line.get_color() for line in axes.lines})


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


def test_figure_1_shows_output_space(tmp_path, config, monkeypatch):
    """Arrows lead from where the learners are trained independently to where they are trained jointly."""
    found = []
    monkeypatch.setattr(collusion, "save", lambda _, figure, output, plotted, foot: found.append((figure, plotted)))
    collusion.illustrate(settings(illustration=config["illustration"]), None, tmp_path / "f.pdf")
    figure, rows = found[0]
    at = rows.set_index(["beta", rows["x"].round(3)])
    ends = {tuple(at.loc[(1.0, [-1, 1]), name]) for name in ("f1", "f2", "ensemble")}
    drawn = {(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in figure.axes[0].lines}
    assert ends < drawn and len(drawn) == 4
    arrows = [text for text in figure.axes[0].texts if text.arrow_patch]
    assert {tuple(arrow.xy) for arrow in arrows} == {tuple(at.loc[(1.0, [-1, 1]), name]) for name in ("f1", "f2")}
    moved = {
        name: at.loc[(1.0, [-1, 1]), name].to_numpy() - at.loc[(0.0, [-1, 1]), name] for name in ("f1", "ensemble")
    }
    assert np.linalg.norm(moved["ensemble"]) < 0.1 * np.linalg.norm(moved["f1"])


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


def test_seaborn_does_not_load_scipy():
    """It would take longer than drawing a figure; afterwards SciPy is there for whoever needs it."""
    code = (
        "import sys; import learner_collusion.figures.style; print(any(m.split('.')[0] == 'scipy' for m in sys.modules)); "
        "import scipy.stats"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
