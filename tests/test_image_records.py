"""Image records: what is asked of them is what was written."""

import numpy as np
import pytest
from made_images import EPOCHS, write

from learner_collusion.image_records import ImageRecords

CELL = {"protocol": "sgd", "dataset": "cifar10", "model": "resnet18", "learners": 3, "averaging": "probability"}


@pytest.fixture
def found(tmp_path, random):
    return ImageRecords(write(tmp_path, random))


def test_the_test_metric_at_the_best_epoch_by_beta(found):
    betas, values = found.best("accuracy", "beta", dropped=0.0, **CELL)
    np.testing.assert_array_equal(betas, [0, 0.5, 1])
    assert values.shape == (3, 3)
    np.testing.assert_allclose(values, np.broadcast_to([0.8, 0.8, 0.6], (3, 3)), rtol=0.011)
    chosen = (found.fields["split"] == "test") & (found.fields["metric"] == "accuracy") & (found.fields["epoch"] == 4)
    assert np.isin(values, found.fields["value"][chosen]).all()


def test_the_learners_own_accuracy(found):
    _, values = found.best("accuracy", "beta", of_learners=True, dropped=0.0, **CELL)
    np.testing.assert_allclose(values, np.broadcast_to([0.78, 0.78, 0.28], (3, 3)), rtol=0.011)


def test_by_dropped_share(found):
    shares, values = found.best("div", "dropped", beta=1.0, **CELL)
    np.testing.assert_array_equal(shares, [0, 0.4])
    assert (values[:, 1] < values[:, 0]).all()


def test_curves(found):
    values = found.curve("train", "err", beta=1.0, dropped=0.0, **(CELL | {"protocol": "curves"}))
    assert values.shape == (3, EPOCHS) and np.isfinite(values).all() and (np.diff(values.mean(0)) < 0).all()


def test_what_is_missing_is_known(found):
    assert found.missing == {"svhn": "its origin does not answer"}
    _, values = found.best("accuracy", "beta", **(CELL | {"dataset": "svhn"}))
    assert values.shape == (0, 0)


def test_a_run_without_all_levels_does_not_count(found):
    gone = (found.fields["run"] == 1) & (found.fields["beta"] == 0.5)
    found.fields = {name: values[~gone] for name, values in found.fields.items()}
    _, values = found.best("accuracy", "beta", dropped=0.0, **CELL)
    assert values.shape == (2, 3)
