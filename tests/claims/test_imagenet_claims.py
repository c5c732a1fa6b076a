"""The ImageNet claims on records with known answers: signs, values without a verdict, curves over training."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_imagenet import MODELS, TITLES, collusion, experiments, history

from learner_collusion.claims.catalogue import CLAIMS
from learner_collusion.claims.imagenet import judge
from learner_collusion.models.registry import MODELS as REGISTRY

ALL = tuple(name for name in REGISTRY if name.startswith("imagenet_"))


def settings(models=MODELS, runs=1, paper=()):
    claims = [claim for claim in CLAIMS if claim.part == "imagenet"]
    return SimpleNamespace(
        claims=claims,
        experiments=experiments(models, runs),
        titles=TITLES,
        confidence=0.95,
        paper={"imagenet": list(paper)},
    )


def judged(models=MODELS, runs=1, numbers=collusion, metadata=None, paper=()) -> pd.DataFrame:
    made = [history(model, beta, run, numbers) for model in models for beta in (0.0, 1.0) for run in range(runs)]
    return judge(pd.concat(made, ignore_index=True), metadata or {}, settings(models, runs, paper))


def of(rows, statistic):
    return rows[rows["statistic"].str.startswith(statistic)]


def test_one_run_of_an_architecture_has_a_value_and_no_verdict():
    rows = of(judged(), "top-1(0)")
    np.testing.assert_allclose(rows["value"], 0.05, rtol=1e-9)
    assert set(rows["verdict"]) == {"no verdict"} and (rows["on_its_side"] == 1).all()
    assert rows["dataset"].tolist() == [f"Imagenette, {TITLES[model]}, M = 2" for model in MODELS]
    assert rows["effect"].iloc[0] == "50.00 % against 45.00 %"
    np.testing.assert_allclose(of(judged(), "top-5(0)")["value"], 0.02, rtol=1e-9)


def test_sixteen_values_and_two_sign_tests_of_eight_architectures():
    rows = judged(ALL)
    assert len(of(rows, "top-1(0)")) == len(of(rows, "top-5(0)")) == 8
    signs = of(rows, "share of architectures")
    assert signs["verdict"].tolist() == ["holds", "holds"] and (signs["value"] == 1).all()
    assert signs["runs"].tolist() == signs["on_its_side"].tolist() == [8, 8]
    np.testing.assert_allclose(signs["p"], 2 * 2.0**-8, rtol=1e-12)
    assert signs["survives"].all() and set(signs["note"]) == {"sign test, 8 architectures"}
    assert signs["dataset"].iloc[0] == "Imagenette, 8 architectures"


@pytest.mark.parametrize(("against", "verdict"), [(1, "undecided"), (4, "undecided"), (8, "does not hold")])
def test_architectures_that_disagree(against, verdict):
    def numbers(model, beta, run, evaluation):
        turned = ALL.index(model) < against
        return collusion(model, 1 - beta if turned else beta, run, evaluation)

    row = of(judged(ALL, numbers=numbers), "share of architectures with top-1").iloc[0]
    assert row["value"] == 1 - against / 8 and row["verdict"] == verdict and row["low"] <= row["value"] <= row["high"]


def test_few_architectures_are_never_a_verdict():
    assert set(of(judged(), "share")["verdict"]) == {"undecided"}


def test_equal_accuracies_have_no_vote():
    def equal(model, beta, run, evaluation):
        return collusion(model, 0 if model == MODELS[0] else beta, run, evaluation)

    row = of(judged(numbers=equal), "share").iloc[0]
    assert row["runs"] == 2 and row["note"] == "sign test, 2 architectures; 1 with equal accuracies"
    none = of(judged(numbers=lambda m, b, r, e: collusion(m, 0, r, e)), "share").iloc[0]
    assert none["verdict"] == "left out" and "3 with equal accuracies" in none["note"]


def test_an_architecture_without_its_joint_cell_is_named():
    records = pd.concat([history(m, b, 0) for m in MODELS for b in (0.0, 1.0) if (m, b) != (MODELS[1], 1.0)])
    rows = judge(records, {}, settings())
    lacking = of(rows, "top-1(0)").iloc[1]
    assert lacking["verdict"] == "left out" and "no top-1 at beta 1" in lacking["note"]
    assert of(rows, "share").iloc[0]["note"] == "sign test, 2 architectures; 1 without both cells"


def test_throughout_training_of_ensemble_and_learners():
    rows = of(judged(), "accuracy(0) - accuracy(1)")
    assert rows["dataset"].tolist() == ["Imagenette, ResNet-18, M = 2"] * 3
    np.testing.assert_allclose(rows["value"], [0.05, 0.35 - 0.05, 0.35 - 0.05 - 0.05], rtol=1e-9)
    assert rows["effect"].iloc[0] == "ahead at 6 of 6 evaluations, +5.0 points on average"


def test_a_lead_at_nine_tenths_of_the_evaluations_is_throughout():
    def late(model, beta, run, evaluation):
        known = collusion(model, beta, run, evaluation)
        return known | {"accuracy": 0.9} if beta == 1 and evaluation == 1 else known

    row = of(judged(numbers=late), "accuracy(0) - accuracy(1), ensemble").iloc[0]
    assert row["value"] < 0  # one of six is more than a tenth
    assert row["effect"].startswith("ahead at 5 of 6")


def test_an_early_stop_leaves_the_evaluations_that_both_have():
    records = pd.concat([history(MODELS[0], beta, 0) for beta in (0.0, 1.0)])
    records = records[~((records["beta"] == 1) & (records["evaluation"] > 4))]
    row = of(judge(records, {}, settings(MODELS[:1])), "accuracy(0) - accuracy(1), ensemble").iloc[0]
    assert "of 4 evaluations" in row["effect"]


def test_three_runs_have_intervals():
    def noisy(model, beta, run, evaluation):
        known = collusion(model, beta, run, evaluation)
        return known | {"accuracy": known["accuracy"] + 0.001 * run * beta}

    rows = of(judged(runs=3, numbers=noisy), "top-1(0)")
    assert set(rows["verdict"]) == {"holds"} and (rows["low"] < rows["value"]).all() and (rows["runs"] == 3).all()


def test_a_diverged_cell_counts_with_its_best_evaluation_and_is_named():
    made = pd.concat([history(MODELS[0], beta, 0) for beta in (0.0, 1.0)])
    mark = made.head(1).assign(split="train", metric="diverged", value=1.0, beta=1.0)
    row = judge(pd.concat([made, mark]), {}, settings(MODELS[:1])).iloc[0]
    assert "diverged, so the best evaluation before counts: run 0 at beta 1" in row["note"]


def test_a_data_set_that_is_not_available():
    rows = judge(history(MODELS[0], 0.0, 0).head(0), {"missing": {"imagenette": "gone"}}, settings())
    assert set(rows["verdict"]) == {"left out"} and set(rows["note"]) == {"the data set is not available"}


def test_texts_are_neutral_on_other_data_than_the_papers():
    ours, papers = judged(), judged(paper=["imagenette"])
    assert (
        not ours["claim"].str.contains("Table|Figure|ImageNet").any()
        and papers["claim"].str.contains("Table|Figure").all()
    )
