"""The image figures: the numbers in their CSV, the panels that are left out, and the same bytes twice."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_images import EXPERIMENTS, TITLES, write
from PIL import Image

from learner_collusion.errors import UserError
from learner_collusion.figures import images, registry
from learner_collusion.records import parquet
from learner_collusion.records.images import IMAGES, at_best, curve
from learner_collusion.stages.figure import Settings

FIGURES = {
    "gap": ("curves", {}),
    "losses": ("curves", {}),
    "decomposition": ("curves", {"split": "train"}),
    "against_beta": ("practical", {"metric": "accuracy", "learners": True}),
    "both_metrics": ("cnn", {}),
    "dropout": ("dropout", {}),
}


@pytest.fixture
def path(tmp_path, random):
    return write(tmp_path, random)


@pytest.fixture
def saved(monkeypatch):
    """What the figures hand over to be saved: figure, numbers, foot, and what they lack."""
    found = []
    monkeypatch.setattr(images, "save", lambda _, figure, output, *others: found.append((figure, *others)))
    return found


def settings(name: str, note: str = "", titles: dict = TITLES, experiments: dict = EXPERIMENTS) -> Settings:
    experiment, options = FIGURES[name]
    return Settings(note, note, titles, experiments[experiment], options, 0, None)


def draw(name, path, output, note="") -> pd.DataFrame:
    getattr(images, name)(settings(name, note), path, output)
    return pd.read_csv(output.with_suffix(".csv"))


@pytest.mark.parametrize("name", list(FIGURES))
def test_every_figure_is_drawn_twice_with_the_same_bytes(path, tmp_path, name):
    for copy in ("one", "two"):
        rows = draw(name, path, tmp_path / f"{copy}.pdf", "Fidelity 'ci'.")
        assert len(rows) and (rows["runs"] == 3).all() and "drop_rate" in rows
    for suffix in (".pdf", ".png", ".csv"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_mean_and_two_standard_errors(path, tmp_path):
    rows = draw("against_beta", path, tmp_path / "f.pdf")
    cell = {"protocol": "sgd", "dataset": "cifar10", "model": "resnet18", "learners": 3, "averaging": "probability"}
    values = 100 * at_best(parquet.read(path, IMAGES), "accuracy", "beta", drop_rate=0.0, **cell)
    mine = rows[rows["dataset"] == "cifar10"]
    assert mine["x"].tolist() == values.columns.tolist() == [0, 0.5, 1]
    np.testing.assert_allclose(mine["mean"], values.mean(), rtol=1e-8)
    np.testing.assert_allclose(mine["two_standard_errors"], 2 * values.std(ddof=1) / np.sqrt(3), rtol=1e-6)


def test_what_is_missing_has_no_rows_and_says_so_on_the_figure(path, tmp_path, saved):
    images.against_beta(settings("against_beta"), path, tmp_path / "f.pdf")
    figure, rows, _, lacks = saved[0]
    assert set(rows["dataset"]) == {"cifar10"}
    assert lacks == "SVHN is left out: its origin does not answer."
    words = " ".join(text.get_text().replace("\n", " ") for axes in figure.axes for text in axes.texts)
    assert "SVHN: not available, left out" in words


def test_only_figures_that_lack_a_data_set_say_so(path, tmp_path, saved):
    images.gap(settings("gap", "Fidelity 'ci'."), path, tmp_path / "f.pdf")
    assert saved[0][3] == ""


@pytest.mark.parametrize("name", list(FIGURES))
def test_a_figure_of_missing_data_alone_is_drawn_without_lines(tmp_path, random, name):
    path = write(tmp_path, random, missing=("svhn", "cifar10"))
    rows = draw(name, path, tmp_path / "f.pdf")
    assert len(rows) == 0 and "two_standard_errors" in rows and (tmp_path / "f.pdf").stat().st_size > 1000
    with Image.open(tmp_path / "f.png") as image:
        assert image.height < 1.2 * 160  # a sentence, no empty panels
        assert "is left out: its origin does not answer." in image.info["Description"]


def test_the_gap_is_test_minus_train(path, tmp_path):
    rows = draw("gap", path, tmp_path / "f.pdf")
    records = parquet.read(path, IMAGES)
    cell = {"protocol": "curves", "dataset": "cifar10", "model": "resnet18", "learners": 3, "beta": 1.0}
    expected = (curve(records, "test", "err", **cell) - curve(records, "train", "err", **cell)).mean()
    np.testing.assert_allclose(rows.loc[rows["beta"] == 1, "mean"], expected, rtol=1e-6)


def test_curves_end_where_the_first_run_stopped(path, tmp_path):
    records = parquet.read(path, IMAGES)
    stopped = (records["protocol"] == "curves") & (records["run"] == 1) & (records["evaluation"] > 4)
    parquet.write(path, records[~stopped], IMAGES, {})
    rows = draw("losses", path, tmp_path / "f.pdf")
    assert rows["x"].max() == 4 and rows["mean"].notna().all() and (rows["runs"] == 3).all()


def test_one_run_has_no_band(tmp_path, random, saved):
    single = {name: e | {"runs": 1} for name, e in EXPERIMENTS.items()}
    path = write(tmp_path, random, experiments=single)
    images.both_metrics(settings("both_metrics"), path, tmp_path / "f.pdf")
    figure, rows, foot, _ = saved[0]
    assert (rows["two_standard_errors"] == 0).all() and (rows["runs"] == 1).all()
    assert foot == "Line: one run." and not any(axes.collections for axes in figure.axes)


def test_records_without_the_experiment_are_told(tmp_path, random):
    path = write(tmp_path, random, experiments={"practical": EXPERIMENTS["practical"]})
    with pytest.raises(UserError, match=r"hold no complete run of protocol cnn, .*: run the workflow"):
        draw("both_metrics", path, tmp_path / "f.pdf")
    assert not (tmp_path / "f.pdf").exists()


def test_models_that_are_no_entry_of_the_registry_have_their_names_as_titles(tmp_path, random, saved):
    practical = EXPERIMENTS["practical"] | {"models": ["my_package.nets.MyNet"], "datasets": ["cifar10"]}
    path = write(tmp_path, random, experiments={"practical": practical})
    images.against_beta(
        settings("against_beta", titles={}, experiments={"practical": practical}), path, tmp_path / "f.pdf"
    )
    assert saved[0][0].axes[0].get_title() == "cifar10, MyNet"


def test_each_learner_is_a_thin_line(path, tmp_path, saved):
    images.against_beta(settings("against_beta"), path, tmp_path / "f.pdf")
    figure, rows, *_ = saved[0]
    records = parquet.read(path, IMAGES)
    cell = {"protocol": "sgd", "dataset": "cifar10", "drop_rate": 0.0}
    mean = 100 * at_best(records, "accuracy", "beta", of_learners=True, **cell).mean()
    np.testing.assert_allclose(rows[["learner_0", "learner_1", "learner_2"]].mean(axis=1), mean, rtol=1e-12)
    ensemble, *learners = (line for line in figure.axes[0].lines if len(line.get_xdata()))
    assert len(learners) == 3 and all(line.get_linewidth() < ensemble.get_linewidth() for line in learners)
    np.testing.assert_array_equal(learners[1].get_ydata(), rows["learner_1"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ensemble", "each learner"]


@pytest.mark.parametrize(("name", "option", "train", "test"), [
    ("gap", {}, True, True), ("losses", {}, True, True),
    ("decomposition", {"split": "train"}, True, False), ("decomposition", {"split": "test"}, False, True),
])  # fmt: skip
def test_the_foot_says_how_the_splits_shown_were_measured(path, tmp_path, saved, name, option, train, test):
    getattr(images, name)(dataclasses.replace(settings(name), options=option), path, tmp_path / "f.pdf")
    foot = saved[0][2]
    assert ("Train: running mean" in foot, "Test: evaluation mode" in foot) == (train, test)


@pytest.mark.parametrize("classes", [2, 10, None])  # ln 2 lies within the losses of the made records, ln 10 far above
@pytest.mark.parametrize(("name", "panel", "option"), [
    ("losses", 1, {}), ("against_beta", 0, {"metric": "err"}), ("both_metrics", 2, {}),
])  # fmt: skip
def test_a_uniform_guess_is_a_dotted_line_where_the_panel_shows_it_anyway(
    path, tmp_path, saved, name, panel, option, classes
):
    def drawn():
        getattr(images, name)(dataclasses.replace(settings(name), options=option), path, tmp_path / "f.pdf")
        figure, rows, foot, _ = saved[-1]
        return [axes.get_ylim() for axes in figure.axes], figure.axes[panel].lines[-1].get_ydata(), rows, foot

    limits, _, rows, _ = drawn()
    records, protocol = parquet.read(path, IMAGES), EXPERIMENTS[FIGURES[name][0]]["protocol"]
    made = {f"{protocol}-cifar10": [{"dataset": {"classes": classes}}]} if classes else {}
    parquet.write(path, records, IMAGES, parquet.read_metadata(path) | {"settings": made})
    same_limits, line, same_rows, foot = drawn()
    assert same_limits == limits and same_rows.equals(rows)
    marked = list(line) == [np.log(2), np.log(2)]
    assert (marked, "Dotted: a uniform guess." in foot) == (classes == 2, classes == 2)


def test_captions_are_sentences_with_one_space_between():
    """And those of bands of standard errors say what a band is not."""
    for name, entry in registry.FIGURES.items():
        assert "  " not in entry.caption and entry.caption == entry.caption.strip(), name
        assert ("band to values that no run has" in entry.caption) == (entry.part == "images"), name


@pytest.mark.parametrize(("every", "label"), [(None, "Epoch"), (200, "Evaluation (every 200 batches)")])
def test_the_axis_says_what_is_counted(path, tmp_path, saved, every, label):
    images.losses(dataclasses.replace(settings("losses"), evaluate_every=every), path, tmp_path / "f.pdf")
    assert [axes.get_xlabel() for axes in saved[0][0].axes] == ["", label]


def test_figure_18_names_beta_and_the_number_of_learners(path, tmp_path, saved):
    images.dropout(settings("dropout"), path, tmp_path / "f.pdf")
    assert saved[0][0].get_suptitle() == "CIFAR-10, ResNet-18, M = 3, \N{GREEK SMALL LETTER BETA} = 1"


def test_two_runs_are_drawn(tmp_path, random, saved):
    two = {name: e | {"runs": 2} for name, e in EXPERIMENTS.items()}
    images.both_metrics(settings("both_metrics"), write(tmp_path, random, experiments=two), tmp_path / "f.pdf")
    figure, rows, foot, _ = saved[0]
    assert foot == "Thick: mean over 2 runs; thin: the runs."
    assert [len(axes.lines) for axes in figure.axes] == [3] * 4 and not any(axes.collections for axes in figure.axes)
    np.testing.assert_allclose(rows[["run_0", "run_1"]].mean(axis=1), rows["mean"], rtol=1e-12)
