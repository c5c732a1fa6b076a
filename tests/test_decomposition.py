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


# Masked classes


@pytest.mark.parametrize("hard", [True, False], ids=["labels", "distributions"])
@pytest.mark.parametrize("averaging", ["probability", "score"])
def test_masked_classes_as_in_pytorch(averaging, hard, random):
    """Scores of -inf: finite values and gradients, the same as without these classes."""
    f = torch.tensor(random.normal(size=(20, 3, 5)))
    f[..., [1, 4]] = -torch.inf
    labels = torch.tensor(random.choice([0, 2, 3], 20))
    y = labels if hard else torch.nn.functional.one_hot(labels, 5).double() * 0.8 + torch.tensor([0.1, 0, 0, 0.1, 0])
    full, cut = (x.clone().requires_grad_() for x in (f, f[..., [0, 2, 3]]))
    kept = torch.tensor([0, -1, 1, 2, -1])[labels] if hard else y[:, [0, 2, 3]]
    found, expected = (
        decompose(x, t, "cross_entropy", averaging, torch.tensor([0.5, 0.3, 0.2]), "none")
        for x, t in ((full, y), (cut, kept))
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    sum(part.sum() for part in found).backward()
    sum(part.sum() for part in expected).backward()
    torch.testing.assert_close(full.grad[..., [0, 2, 3]], cut.grad)
    assert (full.grad[..., [1, 4]] == 0).all()
    alone = decompose(f[:, :1], labels, "cross_entropy", averaging)
    torch.testing.assert_close(alone.err, torch.nn.functional.cross_entropy(f[:, 0], labels))


@pytest.mark.parametrize("case", [("brier", "probability"), ("brier", "score"), ("zero_one", "output")], ids=str)
def test_other_losses_take_masked_classes(case, random):
    f = torch.tensor(random.normal(size=(20, 3, 5)))
    f[..., [3, 4]] = -torch.inf
    y = torch.tensor(random.integers(0, 3, 20))
    for one, other in zip(decompose(f, y, *case), decompose(f[..., :3], y, *case), strict=True):
        torch.testing.assert_close(one, other)


def test_a_class_that_one_learner_masks():
    """Hand-made: the averaged probability has half of the other's, the averaged score none."""
    f = torch.tensor([[[0.0, 0.0], [0.0, -torch.inf]]], dtype=torch.float64, requires_grad=True)
    by_probability = decompose(f, torch.tensor([0]), "cross_entropy", "probability")
    by_score = decompose(f, torch.tensor([0]), "cross_entropy", "score")
    assert by_probability.err.item() == pytest.approx(-np.log(0.75))
    assert by_score.err.item() == 0 and by_score.div.item() == pytest.approx(np.log(2) / 2)
    (sum(by_probability) + sum(by_score)).backward()
    assert torch.isfinite(f.grad).all()


# What counts


@given(SHAPES, st.sampled_from(["cross_entropy", "brier", "zero_one", "squared_error", "exponential"]))
def test_a_learner_of_weight_0_does_not_count(shape, loss):
    """Whatever it predicts: its loss overflows here, and 0 * inf would be NaN."""
    f, _, classes, w, _ = draw(shape)
    f, y = (f[..., 0], 2.0 * (classes > 0) - 1) if loss in ("squared_error", "exponential") else (f, classes)
    wild = np.concatenate([f, np.full_like(f[:, :1], -1e300)], 1)
    if f.ndim == 3:
        wild[:, -1, 0] = 1e300
    found = decompose(wild, y, loss, weights=np.append(w, 0))
    np.testing.assert_allclose(found, decompose(f, y, loss, weights=w), rtol=1e-9, atol=1e-12)


@given(SHAPES, st.booleans())
def test_weights_of_classes_and_examples_as_documented(shape, by_class):
    f, _, classes, _, random = draw(shape)
    f, y = torch.tensor(f), torch.tensor(classes)
    of_class = torch.tensor(random.uniform(0.1, 2, f.shape[2]))
    weights = of_class[y] if by_class else torch.tensor(random.uniform(0.1, 2, len(y)))
    parts = decompose(f[:, :1], y, "cross_entropy", reduction="none")
    found = (parts.err * weights).sum() / weights.sum()
    if by_class:
        torch.testing.assert_close(found, torch.nn.functional.cross_entropy(f[:, 0], y, of_class))
    whole = decompose(f, y, "cross_entropy", reduction="none")  # a weighted sum keeps the identity
    assert float((weights * (whole.err_bar - whole.err - whole.div)).sum()) == pytest.approx(0, abs=1e-9)


def test_label_smoothing_as_documented(random):
    f, y = torch.tensor(random.normal(size=(9, 1, 4))), torch.tensor(random.integers(0, 4, 9))
    smooth = 0.9 * torch.nn.functional.one_hot(y, 4) + 0.1 / 4
    expected = torch.nn.functional.cross_entropy(f[:, 0], y, label_smoothing=0.1)
    torch.testing.assert_close(decompose(f, smooth, "cross_entropy").err, expected)


@given(SHAPES)
def test_sum_is_mean_times_batch(shape):
    f, _, classes, w, _ = draw(shape)
    total, mean = (decompose(f, classes, "cross_entropy", weights=w, reduction=r) for r in ("sum", "mean"))
    np.testing.assert_allclose(total, np.array(mean) * len(f), rtol=1e-12, atol=1e-15)


@given(SHAPES, st.sampled_from(["cross_entropy", "brier"]), st.sampled_from(["probability", "score"]))
def test_a_constant_added_to_all_classes_changes_nothing(shape, loss, averaging):
    f, _, classes, w, random = draw(shape)
    shifted = f + 5 * random.normal(size=(len(f), f.shape[1], 1))
    found = decompose(shifted, classes, loss, averaging, w)
    np.testing.assert_allclose(found, decompose(f, classes, loss, averaging, w), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights": torch.tensor([0.5, 0.6])}, "add up to 1"),
        ({"weights": torch.tensor([1.5, -0.5])}, "must not be negative"),
        ({"weights": [float("nan"), 1.0]}, "add up to 1"),
        ({"weights": torch.tensor([1.0])}, "one entry per learner"),
        ({"reduction": "max"}, "'mean', 'sum' or 'none'"),
    ],
)
def test_mistakes_are_told_in_one_sentence(change, words):
    """Those of predictions and targets: test_inputs.py."""
    with pytest.raises(ValueError, match=words):
        decompose(torch.zeros(2, 2), torch.zeros(2), **change)


def test_nothing_is_read_without_check():
    """As in torch.func.vmap, which refuses to read."""
    f, y = torch.randn(5, 3, 2), torch.arange(5) % 2
    found = torch.func.vmap(lambda a, b: decompose(a[None], b[None], "cross_entropy", check=False).div)(f, y)
    torch.testing.assert_close(found, decompose(f, y, "cross_entropy", reduction="none").div)
