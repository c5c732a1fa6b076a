"""Queries of the ImageNet records: the validation pictures are the ones that are reported."""

import numpy as np
import pandas as pd
import pytest
from made_imagenet import BEST, EVALUATIONS, collusion, history

from learner_collusion.errors import UserError
from learner_collusion.records.imagenet import at_best, curve, learner_curve

MODEL = "imagenet_resnet18"
WHERE = {"model": MODEL, "dataset": "imagenette"}


@pytest.fixture
def records() -> pd.DataFrame:
    made = [history(MODEL, beta, run) for beta in (0.0, 1.0) for run in range(2)]
    return pd.concat([*made, history("imagenet_mobilevit_xs", 0.0, 0)], ignore_index=True)


def test_the_validation_metric_at_the_lowest_validation_err(records):
    found = at_best(records, "top5", [0.0, 1.0], **WHERE)
    expected = [[collusion(MODEL, beta, run, BEST)["top5"] for beta in (0.0, 1.0)] for run in range(2)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_mean_over_the_learners(records):
    found = at_best(records, "accuracy", [0.0, 1.0], of_learners=True, **WHERE)
    np.testing.assert_allclose(found.loc[0], [collusion(MODEL, b, 0, BEST)["learner"] for b in (0.0, 1.0)], rtol=1e-12)


def test_a_cell_that_is_not_there_is_nan(records):
    found = at_best(records[~((records["beta"] == 1) & (records["run"] == 1))], "accuracy", [0.0, 1.0], **WHERE)
    assert found.isna().to_numpy().tolist() == [[False, False], [False, True]]


def test_curves_of_ensemble_and_learners(records):
    ensemble, second = curve(records, "accuracy", 1.0, **WHERE), curve(records, "accuracy", 1.0, learner=1, **WHERE)
    assert ensemble.shape == second.shape == (2, EVALUATIONS)
    np.testing.assert_allclose(second.loc[0], [collusion(MODEL, 1.0, 0, n)["learner"] - 0.01 for n in range(1, 7)])
    np.testing.assert_allclose(learner_curve(records, 1.0, 2, **WHERE), second + 0.01, rtol=1e-12)


def test_a_number_twice_is_told(records):
    with pytest.raises(UserError, match=r"hold .* twice"):
        curve(pd.concat([records, records]), "accuracy", 0.0, **WHERE)
