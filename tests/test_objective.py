"""AugmentedLoss against Eq. 2, and its gradients against an independent formulation."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from learner_collusion import AugmentedLoss, decompose

CASES = [("squared_error", "output"), ("cross_entropy", "probability"), ("cross_entropy", "score"), ("brier", "output")]


def make(seed, loss):
    random = torch.Generator().manual_seed(seed)
    f = torch.randn(6, 4, 3, dtype=torch.float64, generator=random)
    y = torch.randn(6, 3, dtype=torch.float64, generator=random)
    weights = torch.rand(4, dtype=torch.float64, generator=random)
    return f.requires_grad_(), y if loss == "squared_error" else y.softmax(1), weights / weights.sum()


@given(st.integers(0, 2**31), st.floats(0, 1), st.sampled_from(CASES))
def test_both_forms_of_equation_2(seed, beta, case):
    f, y, weights = make(seed, case[0])
    parts = decompose(f, y, *case, weights)
    found = AugmentedLoss(beta, *case, weights)(f, y)
    torch.testing.assert_close(found, (1 - beta) * parts.err_bar + beta * parts.err)
    torch.testing.assert_close(found, parts.err_bar - beta * parts.div)


@given(st.integers(0, 2**31), st.floats(0, 1), st.sampled_from(CASES))
def test_gradient_by_finite_differences(seed, beta, case):
    f, y, weights = make(seed, case[0])
    torch.autograd.gradcheck(lambda x: AugmentedLoss(beta, *case, weights)(x, y), f, eps=1e-6, atol=1e-7)


def test_it_is_an_ordinary_module():
    """Moves with its weights, trains a model, and prints what it is."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 5)
    loss = AugmentedLoss(0.9, weights=torch.full((5,), 0.2)).double()
    assert loss.weights.dtype == torch.float64 and "beta=0.9" in repr(loss)
    x, y = torch.randn(64, 3), torch.randn(64)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    first = loss(model(x), y).item()
    for _ in range(50):
        optimiser.zero_grad()
        loss(model(x), y).backward()
        optimiser.step()
    assert loss(model(x), y).item() < first


@pytest.mark.parametrize("beta", [-0.1, 1.2, float("nan")])
def test_beta_outside_is_refused(beta):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\].*Theorem 5\.1"):
        AugmentedLoss(beta)


def test_beta_outside_can_be_asked_for():
    assert AugmentedLoss(1.2, allow_any_beta=True)(torch.tensor([[1.0, -1.0]]), torch.tensor([0.0])) < 0
