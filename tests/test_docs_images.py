"""Sentences of the documentation about images are what the galleries hold."""

import re

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, words

from learner_collusion.plan import configuration
from learner_collusion.records import parquet

GALLERY = ROOT / "docs/gallery"


def test_how_the_training_curves_differ():
    """docs/deviations.md on Figures 5 and 10 to 12: of single epochs, and of the two ways to take training numbers."""
    text = words("docs/deviations.md")
    records = parquet.read(GALLERY / "laptop/images.parquet", published=True)
    ensemble = records.query("protocol.str.startswith('curves') and learner == -1")
    test = ensemble.query("split == 'test' and metric == 'err' and evaluation > 90")
    jumps = [
        one.pivot_table(index="run", columns="evaluation", values="value").diff(axis=1).abs().mean(axis=None)
        for _, one in test.groupby("beta")
    ]
    assert f"differs from the next by {min(jumps):.2f} to {max(jumps):.2f} on average" in text
    fifth = ensemble.query("metric == 'div' and evaluation == 5 and beta == 1").groupby("split")["value"].mean()
    told = f"is {fifth['train']:.2f} running and {fifth['train_evaluated']:.2f} in evaluation mode"
    assert f"DIV at beta = 1 after five epochs {told}" in text


def test_what_dropping_learners_gave():
    text = words("README.md")
    for gallery, claim in (("laptop_dropout", "lowers diversity"), ("digits_dropout", "weakens each of them")):
        rows = parquet.read(GALLERY / gallery / "claims/images.parquet", published=True)
        [row] = rows[rows["claim"].str.contains(claim)].to_dict("records")
        assert row["verdict"] == "holds" and row["runs"] == 5 and f"docs/gallery/{gallery}/README.md" in text
    assert "with [five runs]" in text and "lowers diversity on CIFAR-10" in text and "weakens each learner" in text


@pytest.fixture(scope="module")
def cifar100():
    """The records of laptop_cifar100, and a function that gives a metric of its curves, a row per run and a column per evaluation."""
    records = parquet.read(GALLERY / "laptop_cifar100/images.parquet", published=True)
    curves = records[records["protocol"].eq("curves") & records["learner"].eq(-1)]

    def curve(split: str, metric: str, beta: int) -> pd.DataFrame:
        mine = curves[curves["split"].eq(split) & curves["metric"].eq(metric) & curves["beta"].eq(beta)]
        return mine.pivot(index="run", columns="evaluation", values="value")

    return records, curve


NOTES = "docs/notes/sizes_and_searches.md"


def test_what_the_curves_of_cifar100_are_worth(cifar100):
    """Their test loss beside that of a uniform guess, in the README and in the notes: why C16 cannot hold, and C17 is undecided."""
    _, curve = cifar100
    readme, notes, guess = words("README.md"), words(NOTES), np.log(100)
    ends = {beta: curve("test", "err", beta).iloc[:, -10:].mean(axis=None) for beta in (0, 1)}
    right = {beta: 100 * curve("test", "accuracy", beta).iloc[:, -10:].mean(axis=None) for beta in (0, 1)}
    assert ends[0] < guess < ends[1] and round(right[0]) == round(right[1]) == 6
    assert (
        f"at {ends[1]:.2f} against {guess:.2f}, independent training's at {ends[0]:.2f}, and 6 % of the test" in readme
    )
    assert f"(ln 100 = {guess:.2f}). Joint training ends at {ends[1]:.2f}, above it" in notes
    assert (
        f"independent training at {ends[0]:.2f}, with the same accuracy ({right[1]:.2f} and {right[0]:.2f} %)" in notes
    )
    gap = (curve("test", "err", 0) - curve("train", "err", 0)).iloc[:, -10:].mean(axis=None)
    assert f"independent training's is {gap:.2f}," in notes and f"training would have to be {1.5 * gap:.2f}," in notes
    joint, alone = (curve("test", "err", beta) for beta in (1, 0))
    lowest, when, other = joint.min(axis=1), joint.idxmin(axis=1), alone.idxmin(axis=1)
    assert f"(its lowest is {lowest.min():.2f} to {lowest.max():.2f})" in notes
    assert f"epochs {when.min()} to {when.max()}, where at beta = 0 it is in {other.min()} to {other.max()}" in notes
    config = configuration.load(GALLERY / "laptop_cifar100/config.yaml")
    sgd, few = (configuration.protocol(config, name) for name in ("sgd", "curves"))
    assert (sgd["width"], sgd["subset"]["train"], few["width"], few["subset"]["train"]) == (1 / 16, 4000, 1 / 4, 500)
    assert "networks a sixteenth as wide and 4,000 images" in readme and "networks a quarter as wide and 500" in readme
    figure = pd.read_csv(GALLERY / "laptop_cifar100/fig6_practical.csv").set_index("x")["mean"]
    assert f"{figure[0]:.1f} % on average at beta = 0, {figure[1]:.1f} at 1)" in notes and figure.idxmax() == 0.5
    claims = parquet.read(GALLERY / "laptop_cifar100/claims/images.parquet", published=True)
    assert "The two rows of C9 are the same number" in notes and claims.query("id == 'C9'")["value"].nunique() == 1


def test_the_jumps_of_single_runs_on_cifar100(cifar100):
    """Figure 12: which runs, how high, how many learners, and how well they had fitted their images before."""
    records, curve = cifar100
    notes, err_bar, train = words(NOTES), curve("test", "err_bar", 0), curve("train", "err", 0)
    jumps = [(run, at) for run, row in err_bar.iterrows() for at in row.index[row > 7]]
    assert [run for run, _ in jumps] == [1, 2, 2, 3, 3, 3] and jumps[-3:] == [(3, 60), (3, 99), (3, 100)]
    assert f"7.8 or more (Figure 12), in run 1 once ({err_bar.loc[1].max():.2f})" in notes
    assert err_bar.loc[3].idxmax() == 99 and "and, to 15, in epoch 99" in notes and round(err_bar.loc[3, 99]) == 15
    rows = records[records["protocol"].eq("curves") & records["beta"].eq(0) & records["learner"].ge(0)]
    rows = rows[rows["split"].eq("train") & rows["metric"].eq("accuracy")].set_index(["run", "evaluation"])["value"]
    assert [(rows[jump] < 0.6).sum() for jump in jumps] == [1, 1, 1, 1, 1, 2]
    others = [rows[jump][rows[jump] >= 0.6].min() for jump in jumps]
    assert f"a training accuracy of {100 * min(others):.1f} % or more" in notes
    before = {jump: train.loc[jump[0], jump[1] - 2] for jump in jumps[:-1]}
    second = before.pop(jumps[2])
    assert f"was {min(before.values()):.3f} to {max(before.values()):.3f}, but {second:.2f} before the second" in notes
    margins = curve("test", "err_bar", 1).iloc[:, -10:].mean(axis=1) - err_bar.iloc[:, -10:].mean(axis=1)
    assert list(margins.index[margins < 0]) == [3] and (curve("test", "div", 0) > 0).all(axis=None)


def test_what_became_of_squeezenet():
    """docs/notes on the preset `imagenette`."""
    text = words("docs/notes/sizes_and_searches.md")
    records = parquet.read(GALLERY / "imagenette/imagenet.parquet", published=True).query("split == 'validation'")
    joint = records.query("model == 'imagenet_squeezenet1_1' and beta == 1").set_index("evaluation")
    whole = {
        metric: joint[(joint["metric"] == metric) & (joint["learner"] == -1)]["value"] for metric in ("err", "err_bar")
    }
    assert (
        whole["err_bar"][6] < 100 and whole["err_bar"][7] > 1e6 and "above a million from one epoch to the next" in text
    )
    assert f"the ensemble's is {whole['err'][7]:.2f}, that of a guess" in text
    falls = 1 - whole["err_bar"].shift(-1) / whole["err_bar"]
    assert np.allclose(falls[range(7, 15)], 0.11, atol=0.02) and "it falls by 11 % an epoch" in text
    top5 = in_the_table("SqueezeNet 1.1", "top-5")
    assert f"Top-5 is higher than with independent training ({top5[1]:.1f} against {top5[0]:.1f} %)" in text
    [independent, _], [alone, _] = in_the_table("SqueezeNet 1.1"), learners_at_the_end("squeezenet1_1")
    assert f"{independent:.1f} % for the independent ensemble, one of whose learners stays at the share" in text
    assert alone[0] < 11 and alone[1] > 20


def in_the_table(model: str, metric: str = "top-1") -> list[float]:
    """The ensembles' accuracy in per cent, for beta 0 and 1, at the lowest validation loss."""
    claims = parquet.read(GALLERY / "imagenette/claims/imagenet.parquet", published=True)
    row = claims[claims["dataset"].str.contains(f"{model},") & (claims["statistic"] == f"{metric}(0) - {metric}(1)")]
    return [float(word) for word in re.findall(r"[\d.]+", row["effect"].item())]


def learners_at_the_end(model: str) -> list[list[float]]:
    """The accuracy of each learner in per cent, sorted, for beta 0 and 1."""
    records = parquet.read(GALLERY / "imagenette/imagenet.parquet", published=True)
    last = records.query(f"model == 'imagenet_{model}' and evaluation == 25 and split == 'validation' and learner >= 0")
    last = last[last["metric"] == "accuracy"]
    return [sorted(100 * last[last["beta"] == beta]["value"]) for beta in (0, 1)]


@pytest.mark.parametrize(
    ("name", "model", "learners"),
    [
        ("ShuffleNet V2 0.5x", "shufflenet_x0_5", 10),
        ("ShuffleNet V2 1x", "shufflenet_x1_0", 5),
        ("MobileViT-XS", "mobilevit_xs", 3),
    ],
)
def test_what_became_of_the_others(name, model, learners):
    """docs/notes on the preset `imagenette`."""
    text = words("docs/notes/sizes_and_searches.md")
    alone, together = learners_at_the_end(model)
    assert "**{}**: {:.1f} against {:.1f} %".format(name, *in_the_table(name)) in text and len(together) == learners
    told = f"{alone[0]:.0f} to {alone[-1]:.0f} % alone, and {together[0]:.0f} to {together[-1]:.0f} %"
    assert told in text
    if name == "MobileViT-XS":
        others = [in_the_table(title) for title in ("DenseNet-121", "ResNet-18", "ResNet-34", "MobileNet V3-small")]
        assert all(
            mine > max(theirs) for mine, theirs in zip(in_the_table(name), zip(*others, strict=True), strict=True)
        )
        assert "the most accurate of the eight both ways" in text


def test_the_tables_of_the_notes_that_galleries_hold():
    """Of dropped learners on 20,000 images, and of the forms of the small CNN."""
    text = words(NOTES)
    rows = pd.read_csv(GALLERY / "laptop_dropout/fig18_learner_dropout.csv").pivot(
        index="x", columns="quantity", values="mean"
    )
    learners = parquet.read(GALLERY / "laptop_dropout/images.parquet", published=True)
    assert set(learners["run"]) == {*range(5)}
    for share, one in rows.iterrows():
        assert (
            f"| {share:g} | {one['err']:.2f} | {one['err_bar']:.2f} | {one['div']:.2f} | {one['accuracy']:.1f} |"
            in text
        )
    for name, shown in (("cnn_stride", "strided form"), ("cnn_no_augmentation", "without augmentation")):
        records = parquet.read(GALLERY / name / "images.parquet", published=True).query("learner == -1")
        told = text.split(f"[{shown}]", 1)[1].split("|", 1)[1]
        for _, one in records.groupby("beta"):
            best = one.loc[one["metric"] == "best", "evaluation"].item()
            there = one.query(f"split == 'test' and evaluation == {best}").set_index("metric")["value"]
            cells = f" {best} | {100 * there['accuracy']:.1f} | {there['err']:.3f} |"
            assert told.startswith(cells)
            told = told.removeprefix(cells)
    times = pd.read_csv(GALLERY / "cnn/times.csv").set_index("stage")["wall_seconds"]
    assert "three and a half hours of two cores" in text and abs(times["cells"] / 3600 / 2 - 3.5) < 0.05
