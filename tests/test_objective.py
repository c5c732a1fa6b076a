"""AugmentedLoss against Eq. 2, and its gradients against an independent formulation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from learner_collusion import AugmentedLoss, decompose, split_learners

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


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.floats(0, 1), st.sampled_from(CASES))
def test_gradient_by_finite_differences(seed, beta, case):
    f, y, weights = make(seed, case[0])
    torch.autograd.gradcheck(lambda x: AugmentedLoss(beta, *case, weights)(x, y), f, eps=1e-6, atol=1e-7)


def per_example(seed: int, rows: int = 6, learners: int = 4) -> torch.Tensor:
    """Convex weights (rows, learners), some of them 0, different in each row."""
    random = np.random.default_rng(seed)
    weights = random.dirichlet(np.ones(learners), rows) * (random.uniform(size=(rows, learners)) < 0.6)
    weights[:, 0] += 1e-3  # some learner stays in each row
    return torch.tensor(weights / weights.sum(1, keepdims=True))


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def equation_2(f: np.ndarray, y: np.ndarray, weights: np.ndarray, beta: float, loss: str, averaging: str) -> np.ndarray:
    """(1 - beta) ERR-bar + beta ERR of each example, one example and one learner at a time, from the definitions."""

    def one(output: np.ndarray, target: np.ndarray) -> float:
        """The loss of an output: a vector for squared_error, probabilities for the others."""
        if loss == "cross_entropy":
            return -(target * np.log(output)).sum()
        return ((output - target) ** 2).sum()

    values = []
    for scores, target, w in zip(f, y, weights, strict=True):
        outputs = scores if loss == "squared_error" else softmax(scores)
        mean = softmax((w[:, None] * scores).sum(0)) if averaging == "score" else (w[:, None] * outputs).sum(0)
        err_bar = sum(weight * one(output, target) for weight, output in zip(w, outputs, strict=True))
        values.append((1 - beta) * err_bar + beta * one(mean, target))
    return np.array(values)


@given(st.integers(0, 2**31), st.floats(0, 1), st.sampled_from(CASES))
def test_weights_of_each_example_against_the_formula(seed, beta, case):
    f, y, _ = make(seed, case[0])
    weights = per_example(seed)
    expected = equation_2(f.detach().numpy(), y.numpy(), weights.numpy(), beta, *case)
    found = AugmentedLoss(beta, *case, reduction="none")(f, y, weights)
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(AugmentedLoss(beta, *case)(f, y, weights), found.mean())
    parts = decompose(f, y, *case, weights, reduction="none")
    torch.testing.assert_close(found, parts.err_bar - beta * parts.div)


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.floats(0, 1), st.sampled_from(CASES))
def test_gradient_with_weights_of_each_example(seed, beta, case):
    f, y, _ = make(seed, case[0])
    weights = per_example(seed)
    torch.autograd.gradcheck(lambda x: AugmentedLoss(beta, *case)(x, y, weights), f, eps=1e-6, atol=1e-7)
    AugmentedLoss(beta, *case)(f, y, weights).backward()
    assert (f.grad[weights == 0] == 0).all()  # who takes no part learns nothing


@pytest.mark.parametrize("case", CASES)
def test_weights_of_a_call_take_the_place_of_the_module_s(case):
    f, y, weights = make(0, case[0])
    other = per_example(1)[0]
    module = AugmentedLoss(0.3, *case, weights, reduction="none")
    assert torch.equal(module(f, y, other), AugmentedLoss(0.3, *case, other, reduction="none")(f, y))
    assert torch.equal(module(f, y), module(f, y, weights))
    torch.testing.assert_close(module(f, y), module(f, y, weights.expand(6, 4)))
    uniform = AugmentedLoss(0.3, *case, reduction="none")
    assert torch.equal(uniform(f, y), uniform(f, y, torch.full((4,), 0.25)))


@pytest.mark.parametrize("loss", ["zero_one", "logistic", "exponential"])
def test_other_losses_take_weights_of_each_example(loss):
    """An example with its weights is the same as that example alone."""
    random = torch.Generator().manual_seed(0)
    f = torch.randn(6, 4, 3 if loss == "zero_one" else 1, dtype=torch.float64, generator=random)
    y = torch.tensor([0, 1, 2, 0, 1, 2]) if loss == "zero_one" else torch.tensor([1.0, -1, 1, 1, -1, -1]).double()
    weights = per_example(0)
    parts = decompose(f, y, loss, weights=weights, reduction="none")
    for i in range(6):
        alone = decompose(f[i : i + 1], y[i : i + 1], loss, weights=weights[i], reduction="none")
        for one, other in zip(parts, alone, strict=True):
            torch.testing.assert_close(one[i : i + 1], other)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (torch.full((6, 4), 0.3), "must add up to 1"),
        (torch.tensor([[0.5, 0.5, 0.5, -0.5]]).expand(6, 4), "must not be negative"),
        (torch.tensor([[0.25] * 4] * 5 + [[0.0] * 4]), "must add up to 1"),
        (torch.full((6, 4), float("nan")), "must add up to 1"),
        (torch.full((5, 4), 0.25), r"shape \(4,\), or one row per example, shape \(6, 4\), but have shape \(5, 4\)"),
    ],
)
def test_weights_that_are_not_convex_are_refused(weights, words):
    f, y, _ = make(0, "squared_error")
    with pytest.raises(ValueError, match=words):
        AugmentedLoss(0.5)(f, y, weights)


def test_sum():
    f, y, _ = make(0, "squared_error")
    torch.testing.assert_close(AugmentedLoss(0.5, reduction="sum")(f, y), 6 * AugmentedLoss(0.5)(f, y))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reduction": "max"}, "'mean', 'sum' or 'none'"),
        ({"loss": "mse"}, "choose one of"),
        ({"loss": "cross_entropy", "averaging": "mean"}, "choose one of"),
        ({"averaging": "score"}, "no meaning for squared_error"),
        ({"inputs": "logits"}, "'scores' or 'probabilities'"),
        ({"ignore_index": -100}, "class labels"),
        ({"weights": [0.5, 0.6]}, "add up to 1"),
        ({"weights": [0.5, float("nan")]}, "add up to 1"),
        ({"weights": torch.full((2, 2), 0.5)}, r"weights must be \(learners,\)"),
        ({"check": "sometimes"}, "choose one of first"),
    ],
)
def test_what_does_not_fit_is_refused_when_the_loss_is_made(options, words):
    with pytest.raises(ValueError, match=words):
        AugmentedLoss(0.5, **options)


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor, lambda w: torch.tensor(w).bfloat16()])
def test_weights_of_any_kind(kind):
    f, y, _ = make(0, "squared_error")
    weights = [0.5, 0.25, 0.125, 0.125]  # exact in bfloat16
    expected = AugmentedLoss(0.5, weights=torch.tensor(weights).double())(f, y)
    assert torch.equal(AugmentedLoss(0.5, weights=kind(weights))(f, y), expected)
    assert torch.equal(AugmentedLoss(0.5)(f, y, kind(weights)), expected)


def test_at_1_the_learners_may_overflow():
    """exp(-m) for margins that cancel: the ensemble's loss is 1, one learner's infinite."""
    f = torch.tensor([[800.0, -800.0]], dtype=torch.float64, requires_grad=True)
    value = AugmentedLoss(1, "exponential")(f, torch.ones(1))
    value.backward()
    assert value.item() == 1 and torch.isfinite(f.grad).all()


def test_at_0_the_ensemble_may_overflow():
    f = torch.tensor([[1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    value = AugmentedLoss(0, lambda outputs, _: torch.where(outputs[:, 0] == 1.5, torch.inf, outputs[:, 0]))(
        f, torch.ones(1)
    )
    value.backward()
    assert value.item() == 1.5 and (f.grad == 0.5).all()


# When values are read


@pytest.mark.parametrize("check", ["first", "always", "never"])
def test_check(check):
    """Whether bad weights are refused in the first and in the second batch."""
    f, y, weights = make(0, "squared_error")
    loss = AugmentedLoss(0.5, check=check)

    def refused(weights):
        try:
            loss(f, y, weights)
        except ValueError:
            return True
        return False

    assert refused(2 * weights) == (check != "never")
    assert not refused(weights)
    assert refused(2 * weights) == (check == "always")


@pytest.mark.parametrize("reading", ["first", "never"])
def test_later_batches_are_not_read(reading, monkeypatch):
    """No value is taken out of a tensor: a GPU need not wait."""
    random = torch.Generator().manual_seed(0)
    f, y = torch.randn(6, 4, 3, generator=random), torch.tensor([0, 1, 2, 0, 1, 2])
    for loss in ("cross_entropy", "brier", "zero_one", "squared_error", "logistic", "exponential"):
        module = AugmentedLoss(0.5, loss, weights=[0.25] * 4, check=reading, reduction="none")
        g = f if loss in ("cross_entropy", "brier", "zero_one") else f[..., 0]
        t = y if g.ndim == 3 else torch.ones(6)
        module(g, t)

        def read(*_):
            raise AssertionError("a value was read")

        with monkeypatch.context() as patch:
            for name in ("__bool__", "item", "__float__", "__int__", "tolist", "cpu", "nonzero"):
                patch.setattr(torch.Tensor, name, read)
            module(g, t)
            module(g, t, torch.full((6, 4), 0.25))


def absolute_error(outputs, targets):
    return (outputs - targets).abs().sum(1)


COMPILED = [
    *CASES,
    ("brier", "score"),
    ("zero_one", "output"),
    ("zero_one", "probability"),
    ("logistic", "output"),
    ("exponential", "output"),
    (absolute_error, "output"),
]


@pytest.mark.parametrize("weights", [None, "module", "call"])
@pytest.mark.parametrize("case", COMPILED, ids=lambda case: f"{getattr(case[0], '__name__', case[0])}-{case[1]}")
def test_it_compiles_without_a_graph_break(case, weights):
    torch.compiler.reset()
    loss = case[0]
    random = torch.Generator().manual_seed(0)
    f = torch.randn(6, 4, 1 if loss in ("logistic", "exponential") else 3, generator=random)
    y = torch.tensor([0, 1, 2, 0, 1, 2])
    if loss in ("logistic", "exponential"):
        y = torch.tensor([1, -1, 1, 1, -1, -1])
    elif loss == "squared_error" or callable(loss):
        y = torch.randn(6, 3, generator=random)
    given = per_example(1).float() if weights == "call" else None
    options = {"ignore_index": 2} if loss in ("cross_entropy", "brier", "zero_one") else {}
    module = AugmentedLoss(0.3, *case, per_example(2)[0] if weights == "module" else None, **options)
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    results = []
    for function in (module, compiled):
        x = f.clone().requires_grad_(loss != "zero_one")
        value = function(x, y, given)
        results.append((value.detach(), torch.autograd.grad(value, x)[0] if x.requires_grad else x))
    torch.testing.assert_close(*results)
    if weights is None:
        module.beta = 0.7
        torch.testing.assert_close(compiled(f, y), module(f, y))


def test_decompose_compiles_too():
    torch.compiler.reset()
    f, y = torch.randn(6, 4, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    compiled = torch.compile(decompose, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(f, y, "cross_entropy"), decompose(f, y, "cross_entropy"))


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


@pytest.mark.parametrize("beta", [-0.1, 1.2, float("nan"), float("inf")])
def test_beta_outside_is_refused(beta):
    loss = AugmentedLoss(0.5)
    for change in (AugmentedLoss, lambda value: setattr(loss, "beta", value)):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\].*Theorem 5\.1"):
            change(beta)
    assert loss.beta == 0.5


def test_beta_can_follow_a_schedule():
    f, y, _ = make(0, "squared_error")
    loss = AugmentedLoss(0)
    for beta in (0, 0.5, 1):
        loss.beta = beta
        assert torch.equal(loss(f, y), AugmentedLoss(beta)(f, y))


def test_beta_outside_can_be_asked_for():
    loss = AugmentedLoss(1.2, allow_any_beta=True)
    assert loss(torch.tensor([[1.0, -1.0]]), torch.tensor([0.0])) < 0
    loss.beta = -3
    with pytest.raises(ValueError, match="must be finite"):
        loss.beta = float("nan")


def test_learners_that_are_stacked_in_the_batch():
    """Learner after learner, as `torch.cat` over learners gives: the same loss and gradients as learner by learner."""
    nets = [torch.nn.Linear(3, 4) for _ in range(5)]
    x, y = torch.randn(7, 3), torch.randint(4, (7,))
    stacked, apart = torch.cat([net(x) for net in nets]), torch.stack([net(x) for net in nets], 1)
    assert torch.equal(split_learners(stacked, 5), apart)
    loss = AugmentedLoss(0.5, "cross_entropy", "probability")
    given = stacked.detach().requires_grad_()
    loss(split_learners(given, 5), y).backward()
    assert loss(split_learners(stacked, 5), y) == loss(apart, y) and given.grad.abs().sum() > 0
    assert split_learners(torch.arange(6), 3).tolist() == [[0, 2, 4], [1, 3, 5]]
    for rows, learners in ((7, 2), (6, 0), (0, 3)):
        with pytest.raises(ValueError, match="no multiple"):
            split_learners(torch.zeros(rows, 2), learners)


def test_joint_training_of_averaged_scores_is_fusion():
    """Ensemble-PyTorch's Fusion averages the outputs of its estimators and takes the criterion of the mean: beta = 1."""
    outputs, y = torch.randn(9, 5, 4), torch.randint(4, (9,))
    ours = AugmentedLoss(1.0, "cross_entropy", "score")(outputs, y)
    assert float(ours) == pytest.approx(float(torch.nn.functional.cross_entropy(outputs.mean(1), y)), rel=1e-6)
    targets = torch.randn(9, 4)
    mean = torch.nn.functional.mse_loss(outputs.mean(1), targets)  # over the outputs, too: a quarter of the sum
    assert float(AugmentedLoss(1.0)(outputs, targets)) == pytest.approx(4 * float(mean), rel=1e-6)
