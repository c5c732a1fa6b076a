"""The image figures: the numbers in their CSV, the panels that are left out, and the same bytes twice."""

import csv

import numpy as np
import pytest
from made_images import EXPERIMENTS, TITLES, write

from learner_collusion.errors import UserError
from learner_collusion.figures import images
from learner_collusion.image_records import ImageRecords

FIGURES = {
    "gap": ("curves", {}),
    "losses": ("curves", {}),
    "parts": ("curves", {"split": "train"}),
    "practical": ("practical", {"imagenet": True}),
    "both_metrics": ("cnn", {}),
    "dropout": ("dropout", {}),
}


@pytest.fixture
def path(tmp_path, random):
    return write(tmp_path, random)


def draw(name, path, output, note="", **options):
    experiment, known = FIGURES[name]
    settings = {"experiment": EXPERIMENTS[experiment], "titles": TITLES}
    getattr(images, name)(path, settings, note, str(output), **(known | options))
    with open(output.with_suffix(".csv"), newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", list(FIGURES))
def test_every_figure_is_drawn_twice_with_the_same_bytes(path, tmp_path, name):
    for copy in ("one", "two"):
        rows = draw(name, path, tmp_path / f"{copy}.pdf", "Fidelity 'ci'.")
        assert rows and all(row["runs"] == "3" for row in rows)
    for suffix in (".pdf", ".png", ".csv"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_mean_and_two_standard_errors(path, tmp_path):
    rows = draw("practical", path, tmp_path / "f.pdf")
    cell = {"protocol": "sgd", "dataset": "cifar10", "model": "resnet18", "learners": 3, "averaging": "probability"}
    betas, values = ImageRecords(path).best("accuracy", "beta", dropped=0.0, **cell)
    mine = [row for row in rows if row["dataset"] == "cifar10"]
    assert [float(row["x"]) for row in mine] == betas.tolist()
    np.testing.assert_allclose([float(row["mean"]) for row in mine], 100 * values.mean(0))
    width = 100 * 2 * values.std(0, ddof=1) / np.sqrt(3)
    np.testing.assert_allclose([float(row["two_standard_errors"]) for row in mine], width, rtol=1e-6)


def test_what_is_missing_has_no_rows_and_says_so_on_the_figure(path, tmp_path, monkeypatch):
    noted = []
    monkeypatch.setattr(images, "save", lambda figure, pdf, rows, note, foot: noted.append((figure, rows, note)))
    experiment = {"experiment": EXPERIMENTS["practical"], "titles": TITLES}
    images.practical(path, experiment, "", str(tmp_path / "f.pdf"), imagenet=True)
    figure, rows, note = noted[0]
    assert {row["dataset"] for row in rows} == {"cifar10"}
    assert note == "SVHN is left out: its origin does not answer."
    words = " ".join(text.get_text().replace("\n", " ") for axes in figure.axes for text in axes.texts)
    assert "SVHN could not be had: left out" in words and "ImageNet: not run" in words


def test_the_gap_is_test_minus_train(path, tmp_path):
    rows = draw("gap", path, tmp_path / "f.pdf")
    found = ImageRecords(path)
    cell = {"protocol": "curves", "dataset": "cifar10", "model": "resnet18", "learners": 3, "beta": 1.0}
    expected = (found.curve("test", "err", **cell) - found.curve("train", "err", **cell)).mean(0)
    mine = [float(row["mean"]) for row in rows if row["beta"] == "1"]
    np.testing.assert_allclose(mine, expected, rtol=1e-6)


def test_one_run_has_no_band(tmp_path, random, monkeypatch):
    single = {name: e | {"runs": 1} for name, e in EXPERIMENTS.items()}
    path = write(tmp_path, random, experiments=single)
    rows = draw("both_metrics", path, tmp_path / "f.pdf")
    assert {(row["two_standard_errors"], row["runs"]) for row in rows} == {("0", "1")}
    feet = []
    monkeypatch.setattr(images, "save", lambda figure, pdf, rows, note, foot: feet.append(foot))
    images.both_metrics(path, {"experiment": EXPERIMENTS["cnn"], "titles": TITLES}, "", str(tmp_path / "f.pdf"))
    assert feet[0].startswith("Line: one run, so there is no band.")


def test_records_without_the_experiment_are_told(tmp_path, random):
    path = write(tmp_path, random, experiments={"practical": EXPERIMENTS["practical"]})
    with pytest.raises(UserError, match="hold no whole run"):
        draw("both_metrics", path, tmp_path / "f.pdf")
    assert not (tmp_path / "f.pdf").exists()
