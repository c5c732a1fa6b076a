"""decompose against float64 NumPy references written from the definitions, and its behaviour at the edges."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from learner_collusion import decompose

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(2, 5), st.integers(0, 2**31))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def draw(shape, scale=2.0):
    batch, learners, outputs, seed = shape
    random = np.random.default_rng(seed)
    weights = random.dirichlet(np.ones(learners))
    f = scale * random.normal(size=(batch, learners, outputs))
    soft = random.dirichlet(np.ones(outputs), batch)
    return f, soft, random.integers(0, outputs, batch), weights, random


def check(f, y, loss, averaging, weights, err, err_bar):
    """Each part against the reference, and DIV, which decompose computes on its own, against their difference."""
    found = decompose(torch.tensor(f), torch.tensor(y), loss, averaging, torch.tensor(weights), reduction="none")
    np.testing.assert_allclose(found.err, err, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.err_bar, err_bar, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.div, err_bar - err, rtol=1e-8, atol=1e-8)
    mean = decompose(torch.tensor(f), torch.tensor(y), loss, averaging, torch.tensor(weights))
    np.testing.assert_allclose(mean.div, (err_bar - err).mean(), rtol=1e-8, atol=1e-8)


@given(SHAPES)
def test_squared_error(shape):
    f, _, _, w, random = draw(shape)
    y = random.normal(size=(f.shape[0], f.shape[2]))
    ensemble = np.einsum("bmk,m->bk", f, w)
    learners = ((f - y[:, None]) ** 2).sum(2) @ w
    check(f, y, "squared_error", "output", w, ((ensemble - y) ** 2).sum(1), learners)


@given(SHAPES)
def test_squared_error_of_one_output_needs_no_last_axis(shape):
    f, _, _, w, random = draw(shape)
    f, y = f[..., 0], random.normal(size=len(f))
    check(f, y, "squared_error", "output", w, (f @ w - y) ** 2, (f - y[:, None]) ** 2 @ w)


@given(SHAPES, st.booleans(), st.booleans())
def test_cross_entropy(shape, by_score, hard):
    f, soft, classes, w, _ = draw(shape)
    y = np.eye(f.shape[2])[classes] if hard else soft
    p = softmax(f)
    ensemble = softmax(np.einsum("bmk,m->bk", f, w)) if by_score else np.einsum("bmk,m->bk", p, w)
    err = -(y * np.log(ensemble)).sum(1)
    err_bar = -(y[:, None] * np.log(p)).sum(2) @ w
    check(f, classes if hard else soft, "cross_entropy", "score" if by_score else "probability", w, err, err_bar)


@given(SHAPES, st.sampled_from(["probability", "score"]))
def test_brier(shape, averaging):
    f, soft, _, w, _ = draw(shape)
    p = softmax(f)
    ensemble = softmax(np.einsum("bmk,m->bk", f, w)) if averaging == "score" else np.einsum("bmk,m->bk", p, w)
    check(f, soft, "brier", averaging, w, ((ensemble - soft) ** 2).sum(1), ((p - soft[:, None]) ** 2).sum(2) @ w)


@given(SHAPES)
def test_zero_one_by_majority_vote(shape):
    f, _, classes, w, _ = draw(shape)
    votes = np.einsum("bmk,m->bk", np.eye(f.shape[2])[f.argmax(2)], w)
    err = (votes.argmax(1) != classes).astype(float)
    check(f, classes, "zero_one", "output", w, err, (f.argmax(2) != classes[:, None]) @ w)


@given(SHAPES, st.sampled_from(["logistic", "exponential"]))
def test_margin_losses(shape, loss):
    f, _, classes, w, _ = draw(shape)
    f, y = f[..., 0], np.where(classes == 0, -1, 1)
    reference = (lambda m: np.log1p(np.exp(-m))) if loss == "logistic" else (lambda m: np.exp(-m))
    check(f, y, loss, "output", w, reference(y * (f @ w)), reference(y[:, None] * f) @ w)


@given(SHAPES)
def test_any_callable(shape):
    f, _, _, w, random = draw(shape)
    y = random.normal(size=(f.shape[0], f.shape[2]))

    def huber(outputs, targets):
        return torch.nn.functional.huber_loss(outputs, targets, reduction="none").sum(1)

    def reference(x):
        return np.where(np.abs(x) <= 1, 0.5 * x**2, np.abs(x) - 0.5)

    ensemble = np.einsum("bmk,m->bk", f, w)
    check(f, y, huber, "output", w, reference(ensemble - y).sum(1), reference(f - y[:, None]).sum(2) @ w)


@pytest.mark.parametrize("loss", ["cross_entropy", "brier"])
def test_output_averaging_of_a_classifier_is_probability_averaging(loss, random):
    f, y = torch.tensor(random.normal(size=(5, 3, 4))), torch.arange(5) % 4
    assert decompose(f, y, loss) == decompose(f, y, loss, "probability")


def test_perfect_prediction_costs_nothing():
    """The official code's shipped configuration charges 1.461 for it: softmax of a softmax."""
    f = torch.zeros(1, 2, 10)
    f[..., 3] = 100.0
    assert decompose(f, torch.tensor([3]), "cross_entropy", "probability").err.item() < 1e-6


@given(st.integers(0, 2**31), st.sampled_from(["probability", "score"]), st.sampled_from([1e1, 1e3, 1e4]))
def test_cross_entropy_is_finite_for_large_scores(seed, averaging, size):
    random = np.random.default_rng(seed)
    f = torch.tensor(size * random.uniform(-1, 1, (4, 3, 5)), dtype=torch.float32, requires_grad=True)
    parts = decompose(f, torch.tensor(random.integers(0, 5, 4)), "cross_entropy", averaging)
    sum(parts).backward()
    assert all(torch.isfinite(part) for part in parts)
    assert torch.isfinite(f.grad).all()


@pytest.mark.parametrize("loss", ["brier", "logistic"])
def test_other_losses_are_finite_for_large_scores(loss):
    f = torch.tensor([[[1e4, -1e4], [-1e4, 1e4]]] if loss == "brier" else [[1e4, -1e4]], requires_grad=True)
    parts = decompose(f, torch.tensor([1]), loss)
    sum(parts).backward()
    assert all(torch.isfinite(part) for part in parts)
    assert torch.isfinite(f.grad).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"loss": "mse"}, "choose one of"),
        ({"averaging": "mean"}, "choose one of"),
        ({"averaging": "score"}, "has no meaning for squared_error"),
        ({"weights": torch.tensor([0.5, 0.6])}, "add up to 1"),
        ({"weights": torch.tensor([1.0])}, "one entry per learner"),
        ({"reduction": "sum"}, "'mean' or 'none'"),
        ({"targets": torch.zeros(3)}, "one row an example"),
        ({"loss": "cross_entropy"}, "scores for each class"),
        ({"loss": "logistic"}, "-1 or \\+1"),
    ],
)
def test_mistakes_are_told_in_one_sentence(change, words):
    arguments = {"predictions": torch.zeros(2, 2), "targets": torch.zeros(2)} | change
    with pytest.raises(ValueError, match=words):
        decompose(**arguments)
