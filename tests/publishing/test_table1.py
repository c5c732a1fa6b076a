"""Table 1: ours, the paper's and the difference; parameters of the modules themselves."""

import numpy as np
import pyarrow.parquet as pq
from made_imagenet import MODELS, TITLES, collusion, experiments, write

from learner_collusion.models.registry import MODELS as MODELS_OF_THE_REGISTRY
from learner_collusion.models.registry import builder
from learner_collusion.publishing.table1 import PAPER
from learner_collusion.stages.table import Settings, make

WIDTH = 0.125


def settings(models=MODELS, runs=1, of_the_paper=True, note=""):
    options = {
        "experiments": experiments(models, runs),
        "classes": 10,
        "built": {model: {"width": WIDTH, "options": {}} for model in models},
        "of_the_paper": of_the_paper,
    }
    return Settings(note, 0, 1, None, options, titles=TITLES)


def made(tmp_path, chosen, records=None):
    path = records or write(tmp_path, runs=1)
    make("table1_imagenet", chosen, str(tmp_path / "t.md"), str(tmp_path / "t.parquet"), path)
    return (tmp_path / "t.md").read_text(), pq.read_table(tmp_path / "t.parquet").to_pandas()


def test_the_papers_numbers_are_those_of_its_table():
    """Eight architectures; joint training is worse throughout."""
    assert set(PAPER) == {name for name in MODELS_OF_THE_REGISTRY if name.startswith("imagenet_")}
    assert len(PAPER) == 8 and all(first > third and second > fourth for first, second, third, fourth in PAPER.values())


def test_ours_beside_the_papers(tmp_path):
    text, rows = made(tmp_path, settings())
    assert rows["training"].tolist() == ["independent", "joint"] * 3 and rows["model"].tolist()[::2] == list(MODELS)
    best = [collusion("", beta, 0, 4) for beta in (0.0, 1.0)]
    np.testing.assert_allclose(rows["top1"], [100 * one["accuracy"] for one in best] * 3, rtol=1e-12)
    np.testing.assert_allclose(rows["top5"], [100 * one["top5"] for one in best] * 3, rtol=1e-12)
    np.testing.assert_allclose(rows["learners_top1"], [100 * one["learner"] for one in best] * 3, rtol=1e-9)
    papers = [PAPER[model][number] for model in MODELS for number in (0, 2)]
    np.testing.assert_allclose(rows["top1_difference"], rows["top1"] - papers, rtol=1e-12)
    assert "| ResNet-18 | 2 | independent | 50.00 | 68.10 | -18.10 | 70.00 | 88.43 | -18.43 | 45.00 |" in text
    assert "| ResNet-18 | -5.00 | -5.36 | -2.00 | -4.40 |" in text  # joint minus independent
    assert text.startswith("# Table 1: ") and "in percent, one run," in text


def test_the_caption_counts_the_parameters_of_the_modules(tmp_path):
    text, rows = made(tmp_path, settings())
    for model, title in ((model, TITLES[model]) for model in MODELS):
        count = sum(parameter.numel() for parameter in builder(model)(10, WIDTH).parameters())
        assert f"{title} {count:,}" in text and set(rows.loc[rows["model"] == model, "parameters"]) == {count}


def test_on_another_data_set_no_difference_is_taken_and_top_5_is_explained(tmp_path):
    text, rows = made(tmp_path, settings(of_the_paper=False, note="Fidelity 'mine'."))
    assert rows["top1_difference"].isna().all() and rows["top1_paper"].notna().all()
    assert (
        "| 50.00 | 68.10 | 70.00 | 88.43 | 45.00 |" in text
        and "no difference is taken" in text
        and "**Fidelity 'mine'.**" in text
    )
    assert "Top-5 of 10 classes says little: a guess is right 50% of the time." in text


def test_a_users_network_is_built_as_it_is_trained(tmp_path):
    """With its options: its parameters are those that are told."""
    model = "users_networks.Wide"
    chosen = settings((model,))
    chosen.options["built"][model] = {"width": 1, "options": {"channels": 5}}
    _, rows = made(tmp_path, chosen, write(tmp_path, models=(model,)))
    assert rows["parameters"].tolist() == [5 * 10 + 10] * 2


def test_what_is_not_available_is_named(tmp_path):
    text, rows = made(tmp_path, settings(), write(tmp_path, missing=True))
    assert rows["top1"].isna().all() and "| ResNet-18 | 2 | joint | - | 62.74 | - |" in text
    assert "**Imagenette is left out: there is no such file.**" in text


def test_models_that_are_not_trained_yet_have_dashes(tmp_path):
    text, rows = made(tmp_path, settings(), write(tmp_path, models=MODELS[:1]))
    assert rows["runs"].tolist() == [1, 1, 0, 0, 0, 0] and rows["top1"].notna().tolist() == [True, True, *[False] * 4]
    assert "in percent, one run," in text and "a dash: not trained" in text


def test_the_mean_over_several_runs(tmp_path):
    text, rows = made(tmp_path, settings(runs=2), write(tmp_path, runs=2))
    np.testing.assert_allclose(rows["top1"].iloc[0], 50.5, rtol=1e-12)
    assert "mean over 2 runs" in text and (rows["runs"] == 2).all()


def test_the_same_bytes_twice(tmp_path):
    path = write(tmp_path)
    for copy in "ab":
        make("table1_imagenet", settings(), str(tmp_path / f"{copy}.md"), str(tmp_path / f"{copy}.parquet"), path)
    for suffix in ("md", "parquet"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
