"""Both sides of every identity, against autograd and independent NumPy; and the paper's slips, each with its check."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from learner_collusion import theory
from learner_collusion.claims.theory import gradient_errors, objective_errors
from learner_collusion.gat import alpha_of_beta, beta_of_alpha, gamma_of_alpha

SEEDS = st.integers(0, 2**31)


def normal(seed, *shape):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def simplex(seed, *shape):
    return torch.tensor(np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), shape[:-1] or None))


@given(SEEDS)
def test_left_sides_are_what_they_say(seed):
    """The left sides once more in NumPy, from the paper's formulas, one example at a time."""
    f, y, w = normal(seed, 3, 4, 2).numpy(), normal(seed + 1, 3, 2).numpy(), simplex(seed, 4).numpy()
    soft = simplex(seed, 3, 2).numpy()
    sides = theory.ambiguity(torch.tensor(f), torch.tensor(y), torch.tensor(w))
    scores = theory.score_averaging(torch.tensor(f), torch.tensor(soft), torch.tensor(w))
    averaged = theory.probability_averaging(torch.tensor(f), torch.tensor(soft), torch.tensor(w))
    for i in range(3):
        mean = sum(w[j] * f[i, j] for j in range(4))
        p = [np.exp(f[i, j]) / np.exp(f[i, j]).sum() for j in range(4)]
        q, p_mean = np.exp(mean) / np.exp(mean).sum(), sum(w[j] * p[j] for j in range(4))
        assert float(sides.left[i]) == pytest.approx(sum(w[j] * ((f[i, j] - mean) ** 2).sum() for j in range(4)))
        assert float(scores.left[i]) == pytest.approx(sum(w[j] * (q * np.log(q / p[j])).sum() for j in range(4)))
        expected = sum(w[j] * (soft[i] * np.log(p_mean / p[j])).sum() for j in range(4))
        assert float(averaged.left[i]) == pytest.approx(expected)


@pytest.mark.parametrize(
    "loss",
    [
        lambda f, y: -(y * f.log_softmax(0)).sum(),
        lambda f, y: ((f - y) ** 2).sum(),
        lambda f, y: torch.exp(-f[0] * torch.sign(y[0] - 0.5)),
        lambda f, y: torch.nn.functional.softplus(-f[0] * torch.sign(y[0] - 0.5)),
    ],
    ids=["cross-entropy", "squared error", "exponential", "logistic"],
)
def test_hessian_form(loss):
    found = theory.hessian_form(loss, 2 * normal(1, 20, 5, 3), simplex(2, 20, 3), simplex(3, 5))
    assert found.sides.error() < 1e-9
    assert (found.c >= 0).all() and (found.c <= 1).all()
    assert (found.sides.left >= -1e-12).all()  # convex losses


@given(SEEDS)
def test_gradients_of_appendix_e_against_autograd(seed):
    scores, classes = 2 * normal(seed, 5, 3, 4), torch.tensor(np.random.default_rng(seed).integers(0, 4, 5))
    assert max(gradient_errors(scores, classes).values()) < 1e-12
    assert max(objective_errors(scores, classes).values()) < 1e-12


@given(SEEDS, st.floats(0, 50), st.integers(2, 20))
def test_gradient_adjusted_targets(seed, alpha, learners):
    f, y = normal(seed, 6, learners), normal(seed + 1, 6)
    assert theory.gradient_adjusted(f, y, alpha).error() < 1e-9
    assert theory.gradient_adjusted_without_oneself(f, y, alpha).error() < 1e-9
    assert theory.lemma_d2(f, y).error() < 1e-9
    assert alpha_of_beta(beta_of_alpha(alpha)) == pytest.approx(alpha, rel=1e-6, abs=1e-9)


def test_objective_is_unbounded_beyond_one_only():
    steps, weights = torch.logspace(0, 8, 9, dtype=torch.float64), simplex(0, 4)
    assert theory.unbounded_regression(1.001, weights, steps)[-1] < -1e9
    assert (theory.unbounded_regression(1.0, weights, steps) >= 0).all()
    target = simplex(1, 3)
    fall = theory.unbounded_classification(1.5, weights, target, torch.logspace(2, 300, 50, dtype=torch.float64))
    assert (fall.diff() < 0).all() and fall[-1] < -10
    assert (theory.unbounded_classification(1.0, weights, target, steps) >= 0).all()


# The paper's slips (docs/errata.md): the printed form fails where the true one holds.


def test_erratum_theorem_43_soft_labels():
    scores, w = normal(0, 10, 4, 3), simplex(1, 4)
    hard, soft = torch.eye(3, dtype=torch.float64)[torch.arange(10) % 3], simplex(2, 10, 3)
    for targets, holds in ((hard, True), (soft, False)):
        div = theory.probability_averaging(scores, targets, w).right
        assert torch.allclose(theory.true_class_term(scores, targets, w), div) is holds


def test_erratum_zero_one_diversity_is_not_disagreement():
    from learner_collusion import decompose

    # three voters of two classes: right vote, one dissents: +1/3; wrong vote, one dissents: -1/3
    f = torch.tensor([[[1.0, 0], [1, 0], [0, 1]], [[1.0, 0], [1, 0], [0, 1]]])
    div = decompose(f, torch.tensor([0, 1]), "zero_one", reduction="none").div
    assert div.tolist() == pytest.approx([1 / 3, -1 / 3])
    # with more classes not even plus or minus the disagreement
    random = np.random.default_rng(0)
    f, y = torch.tensor(random.normal(size=(300, 5, 4))), torch.tensor(random.integers(0, 4, 300))
    parts = decompose(f, y, "zero_one", reduction="none")
    votes = torch.nn.functional.one_hot(f.argmax(2), 4).sum(1).argmax(1)
    disagreement = (f.argmax(2) != votes[:, None]).double().mean(1)
    assert ((parts.div.abs() - disagreement).abs() > 1e-9).double().mean() > 0.3


def test_erratum_c1_lagrange_multiplier():
    """d/db_j of the mean over N M terms is -2/(N M) sum(...), not -2/N."""
    f, b = normal(0, 7, 3), torch.zeros(3, dtype=torch.float64, requires_grad=True)
    deviation = f - f.mean(1, keepdim=True)
    (gradient,) = torch.autograd.grad(((deviation - b) ** 2).mean(), b)
    torch.testing.assert_close(gradient, -2 / (7 * 3) * deviation.sum(0))
    assert not torch.allclose(gradient, -2 / 7 * deviation.sum(0))


def test_erratum_c3_second_order_of_a_beta_variable():
    mean, precision = torch.tensor(0.6, dtype=torch.float64), torch.tensor(5.0, dtype=torch.float64)
    draws = np.random.default_rng(0).beta(3.0, 2.0, 400_000)
    exact = float(theory.beta_diversity(mean, precision))
    assert exact == pytest.approx(np.mean(np.log(0.6 / draws)), abs=3e-3)
    true = float(theory.beta_diversity_second_order(mean, precision))
    printed = float(theory.beta_diversity_as_printed(mean, precision))
    assert abs(true - exact) < abs(printed - exact)
    large = torch.tensor(1e4, dtype=torch.float64)  # the approximation becomes exact as the variance vanishes
    ratio = theory.beta_diversity(mean, large)
    assert float(theory.beta_diversity_second_order(mean, large) / ratio) == pytest.approx(1, abs=1e-3)
    assert float(theory.beta_diversity_as_printed(mean, large) / ratio) < 0.01


def test_erratum_figure_9_is_a_power_law():
    near = 1 - np.logspace(-2, -8, 7)
    np.testing.assert_allclose((alpha_of_beta(near) + 1) * np.sqrt(1 - near), 1, rtol=1e-6)


def test_erratum_d3_smaller_ensembles_weigh_more_only_up_to_m_minus_1():
    for learners in (2, 3, 5, 10):
        assert gamma_of_alpha(learners - 1, learners) == pytest.approx(1)
        beyond = np.linspace(learners - 1, 50, 100)[1:]
        assert (gamma_of_alpha(beyond, learners) < 1).all()
    assert gamma_of_alpha(0.5, 2) > gamma_of_alpha(0.5, 5) and gamma_of_alpha(9, 2) < gamma_of_alpha(9, 5)


def test_erratum_appendix_f_cross_term():
    common, shifts, y = normal(0, 9), normal(1, 9, 4), normal(2, 9)
    assert theory.squared_error_with_shift(common, shifts, y).error() < 1e-12
    assert theory.squared_error_with_shift(common, shifts, y, factor=1.0).error() > 1e-2


@given(SEEDS, st.integers(1, 6), st.integers(1, 3))
def test_expected_increase_over_all_choices(seed, learners, outputs):
    """Every subset of every size: the mean of ERR over them, against the closed form."""
    f, y = 3 * normal(seed, 4, learners, outputs), normal(seed + 1, 4, outputs)

    def err(kept):
        return ((f[:, list(kept)].mean(1) - y) ** 2).sum(1)

    div = ((f - f.mean(1, keepdim=True)) ** 2).sum(2).mean(1)
    for kept in range(1, learners + 1):
        choices = torch.stack([err(choice) for choice in itertools.combinations(range(learners), kept)])
        found = theory.expected_increase(div, learners, kept)
        torch.testing.assert_close(found, choices.mean(0) - err(range(learners)), rtol=1e-9, atol=1e-9)


def test_expected_increase_by_hand():
    assert theory.expected_increase(0.9, 10, 8) == pytest.approx(0.9 * 2 / (8 * 9))
    assert theory.expected_increase(0.9, 10, 10) == 0 and theory.expected_increase(0.0, 1, 1) == 0
    for kept in (0, 11):
        with pytest.raises(ValueError, match="between 1 and the number of learners, 10"):
            theory.expected_increase(0.9, 10, kept)


def test_codependence_is_the_expected_increase():
    f, y = normal(0, 400, 10), normal(1, 400)
    from learner_collusion import codependence, decompose

    found = codependence(f, y, 0.4, 2000)
    assert found == pytest.approx(theory.expected_increase(float(decompose(f, y).div), 10, 6), rel=0.02)
