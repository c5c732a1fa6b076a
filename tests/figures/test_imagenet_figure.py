"""Figure 6 with both sides, with the left one alone as before, and with the right one alone."""

import numpy as np
import pandas as pd
import pytest
from made_imagenet import TITLES, collusion
from made_imagenet import write as write_imagenet
from made_images import EXPERIMENTS
from made_images import TITLES as IMAGE_TITLES
from made_images import write as write_images

from learner_collusion.errors import UserError
from learner_collusion.figures import imagenet, images
from learner_collusion.stages.figure import Settings

BESIDE = {
    "model": "imagenet_resnet18",
    "dataset": "imagenette",
    "learners": 2,
    "betas": [0, 1],
    "runs": 1,
    "evaluate_every": 2000,
    "steps": None,
}
OPTIONS = {"metric": "accuracy", "learners": True}


@pytest.fixture
def saved(monkeypatch):
    """What the figure hands over to be saved: figure, numbers, foot, and what it lacks."""
    found = []
    for module in (imagenet, images):
        monkeypatch.setattr(module, "save", lambda _, figure, output, *others: found.append((figure, *others)))
    return found


def settings(left=True, beside=BESIDE) -> Settings:
    titles = IMAGE_TITLES | TITLES
    return Settings("", "", titles, EXPERIMENTS["practical"] if left else None, OPTIONS, 0, None, beside=beside)


def titles_of(figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes]


def test_both_sides(tmp_path, random, saved):
    left, right = write_images(tmp_path, random), write_imagenet(tmp_path)
    imagenet.practical(settings(), left, tmp_path / "f.pdf", right)
    figure, rows, foot, lacks = saved[0]
    assert titles_of(figure) == ["CIFAR-10, ResNet-18", "SVHN, ResNet-18", "Imagenette, ResNet-18"]
    mine = rows[rows["quantity"] == "validation accuracy"]
    assert mine.groupby("beta")["x"].apply(list).to_dict() == {
        beta: [2000 * n for n in range(1, 7)] for beta in (0.0, 1.0)
    }
    expected = [100 * collusion("", beta, 0, n)["accuracy"] for beta in (0.0, 1.0) for n in range(1, 7)]
    np.testing.assert_allclose(mine["mean"], expected, rtol=1e-12)
    np.testing.assert_allclose(mine["learner_0"] - mine["learner_1"], 2, rtol=1e-9)
    assert len(rows[rows["quantity"] == "accuracy"]) == 3  # the left panel, SVHN left out
    assert "3 learners" in foot and "Right: one run; thick: ensemble of 2, thin: each learner." in foot
    assert lacks == "SVHN is left out: its origin does not answer."
    lines = [line for line in figure.axes[2].lines if len(line.get_xdata())]
    assert len(lines) == 6 and figure.axes[2].get_xlabel() == "Training iteration"


def test_the_last_evaluation_is_at_the_end_of_training(tmp_path, saved):
    beside = BESIDE | {"steps": 11_500}  # no multiple of 2,000
    imagenet.practical(settings(left=False, beside=beside), None, tmp_path / "f.pdf", write_imagenet(tmp_path))
    assert saved[0][1]["x"].tolist() == [2000, 4000, 6000, 8000, 10_000, 11_500] * 2


def test_without_imagenet_it_is_as_it_was(tmp_path, random, saved):
    imagenet.practical(settings(beside=None), write_images(tmp_path, random), tmp_path / "f.pdf")
    figure, rows, foot, _ = saved[0]
    assert titles_of(figure)[-1] == "ImageNet, ResNet-18" and set(rows["quantity"]) == {"accuracy"}
    assert "ImageNet: not run" in [text.get_text() for text in figure.axes[-1].texts] and "Right" not in foot


def test_the_right_side_alone(tmp_path, saved):
    beside = BESIDE | {"evaluate_every": None}
    imagenet.practical(settings(left=False, beside=beside), None, tmp_path / "f.pdf", write_imagenet(tmp_path))
    figure, rows, foot, lacks = saved[0]
    assert titles_of(figure) == ["Imagenette, ResNet-18"] and figure.axes[0].get_xlabel() == "Epoch"
    assert rows["x"].tolist() == [1, 2, 3, 4, 5, 6] * 2 and lacks == ""
    assert foot.endswith("The paper's left panels, CIFAR, are not part of these results.")


def test_pictures_that_are_not_available_are_named(tmp_path, random, saved):
    missing = write_imagenet(tmp_path, missing=True)
    imagenet.practical(settings(), write_images(tmp_path, random), tmp_path / "f.pdf", missing)
    figure, rows, _, lacks = saved[0]
    assert "Imagenette: not available, left out" in " ".join(figure.axes[-1].texts[0].get_text().split())
    assert lacks.endswith("Imagenette is left out: there is no such file.") and set(rows["quantity"]) == {"accuracy"}
    imagenet.practical(settings(left=False), None, tmp_path / "f.pdf", missing)
    assert len(saved[1][1]) == 0 and saved[1][3] == "Imagenette is left out: there is no such file."


def test_without_any_image_data_set_the_right_side_stands_alone(tmp_path, random, saved):
    left = write_images(tmp_path, random, missing=("svhn", "cifar10"))
    imagenet.practical(settings(), left, tmp_path / "f.pdf", write_imagenet(tmp_path))
    assert titles_of(saved[0][0]) == ["Imagenette, ResNet-18"]


def test_several_runs_are_means(tmp_path, saved):
    beside = BESIDE | {"runs": 2}
    imagenet.practical(settings(left=False, beside=beside), None, tmp_path / "f.pdf", write_imagenet(tmp_path, runs=2))
    _, rows, foot, _ = saved[0]
    np.testing.assert_allclose(rows["mean"], rows[["run_0", "run_1"]].mean(axis=1), rtol=1e-12)
    assert foot.startswith("Mean over 2 runs; thick: ensemble of 2")


def test_a_cell_that_is_not_there_is_told(tmp_path):
    path = write_imagenet(tmp_path, models=("imagenet_mobilevit_xs",))
    with pytest.raises(UserError, match="hold no run of imagenet_resnet18 on imagenette at beta 0: run the workflow"):
        imagenet.practical(settings(left=False), None, tmp_path / "f.pdf", path)


def test_the_same_bytes_twice(tmp_path, random):
    left, right = write_images(tmp_path, random), write_imagenet(tmp_path)
    for copy in ("one", "two"):
        imagenet.practical(settings(), left, tmp_path / f"{copy}.pdf", right)
    for suffix in (".pdf", ".png", ".csv"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
    rows = pd.read_csv(tmp_path / "one.csv")
    assert {"dataset", "beta", "x", "mean", "learner_0"} <= set(rows)
