"""Correlations of the learners' errors, and the codependence curve with its intervals."""

import itertools

import numpy as np
import pytest
import torch

from learner_collusion import codependence, decompose, diagnose
from learner_collusion.dependence import codependence_by_count, counts_left_out, error_correlations

ROWS = 300


def made(learners=4, classes=None, seed=0):
    random = torch.Generator().manual_seed(seed)
    shape = (ROWS, 1) if classes is None else (ROWS, 1, classes)
    truth = torch.randn(shape, generator=random)
    f = truth + 0.5 * torch.randn((ROWS, learners, *shape[2:]), generator=random)
    y = truth[:, 0] if classes is None else torch.multinomial(truth[:, 0].softmax(1), 1, generator=random)[:, 0]
    return f, y


def test_correlations_are_numpys():
    f, y = made()
    y = y + 1e4
    errors = (f + 1e4 - y[:, None]).double().numpy()
    assert np.allclose(error_correlations(f + 1e4, y).numpy(), np.corrcoef(errors.T), atol=1e-5)


def test_correlations_of_probabilities_add_up_over_classes():
    f, y = made(3, 4)
    errors = f.softmax(2).double() - torch.nn.functional.one_hot(y, 4)[:, None]
    away = (errors - errors.mean(0)).movedim(1, 0).flatten(1)
    expected = (away @ away.T) / torch.outer(away.norm(dim=1), away.norm(dim=1))
    for loss in ("cross_entropy", "brier"):
        assert torch.allclose(error_correlations(f, y, loss, "probability"), expected, atol=1e-6)


def test_a_constant_error_has_no_correlation():
    f, y = made()
    found = error_correlations(torch.cat([f.double(), y.double()[:, None]], 1), y.double())
    assert found[:, 4].isnan().all() and found[:4, :4].isfinite().all()


def test_the_curve_of_the_squared_error_is_the_mean_over_all_choices():
    f, y = made()
    div = diagnose(f, y, draws=50).div
    curve, rows = codependence_by_count(f, y, div)
    err = float(decompose(f, y).err)
    assert rows == ROWS and [count for count, _ in curve] == [1, 2, 3]
    for count, found in curve:
        choices = itertools.combinations(range(4), 4 - count)
        mean = np.mean([float(decompose(f[:, list(kept)], y).err) for kept in choices])
        assert found.value == pytest.approx(mean - err, rel=1e-4) and found.low < found.value < found.high


@pytest.mark.parametrize(
    ("loss", "averaging"), [("cross_entropy", "probability"), ("cross_entropy", "score"), ("brier", "score")]
)
def test_the_curve_of_other_losses_is_that_of_codependence(loss, averaging):
    f, y = made(5, 3)
    curve, _ = codependence_by_count(f, y, diagnose(f, y, loss, averaging, draws=20).div, loss, averaging)
    for count, found in curve:
        mean = codependence(f, y, count / 5 + 1e-9, 200, loss=loss, averaging=averaging)
        assert found.low < mean < found.high and found.value > 0


def test_few_rows_of_many_predictions(monkeypatch):
    monkeypatch.setattr("learner_collusion.dependence._PREDICTIONS", 1500)
    f, y = made(5, 3)
    assert codependence_by_count(f, y, diagnose(f, y, "cross_entropy", draws=20).div, "cross_entropy")[1] == 100


def test_the_counts():
    assert counts_left_out(3) == [1, 2] and counts_left_out(20) == [2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert counts_left_out(100) == list(range(10, 100, 10))


def test_a_callable_with_other_targets_has_no_errors():
    f, _ = made()
    with pytest.raises(ValueError, match="no errors to correlate"):
        error_correlations(f, torch.zeros(ROWS, 2, 2), lambda outputs, _: outputs.square().sum(1))
