"""Both engines: right against autograd, equal to each other, and the native one exact."""

import subprocess
import sys
from dataclasses import astuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from learner_collusion import AugmentedLoss
from learner_collusion import native as library
from learner_collusion.data.splits import Split
from learner_collusion.errors import UserError
from learner_collusion.models.mlp import Network, initial_parameters
from learner_collusion.native import engine as native_engine
from learner_collusion.training.engines import predict, train_sweep
from learner_collusion.training.sweep import HISTORY_COLUMNS, Settings, batch_permutations

native = pytest.mark.skipif(library.compiled() is None, reason="the native engine was not built: no C++ compiler")
ENGINES = [pytest.param("native", marks=native), "torch"]
BETAS = [round(0.1 * i, 1) for i in range(11)]


SMALL = Network(5, 6, 7, 2)


def problem(seed=0, rows=60, validation=25, network=SMALL, epochs=8):
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows + validation, network.features)).astype(np.float32)
    y = (x[:, 0] + 0.5 * np.sin(3 * x[:, 1 % network.features]) + 0.2 * random.normal(size=len(x))).astype(np.float32)
    split = Split(x[:rows], y[:rows], x[rows:], y[rows:])
    return network, split, initial_parameters(network, random), batch_permutations(rows, epochs, random)


def reference_gradient(network, parameters, x, y, beta, weights):
    """By autograd in float64, learner by learner, with plain linear layers."""
    leaf = torch.tensor(parameters, dtype=torch.float64, requires_grad=True)
    outputs = []
    for j in range(network.learners):
        h, start = torch.tensor(x, dtype=torch.float64), 0
        for i, (inputs, units) in enumerate(network.shapes()):
            weight = leaf[j, start : start + inputs * units].view(inputs, units)
            bias = leaf[j, start + inputs * units : start + (inputs + 1) * units]
            h = h @ weight + bias
            h = torch.relu(h) if i < network.layers else h
            start += (inputs + 1) * units
        outputs.append(h[:, 0])
    targets = torch.tensor(y, dtype=torch.float64)
    AugmentedLoss(beta, weights=torch.tensor(weights))(torch.stack(outputs, 1), targets).backward()
    return leaf.grad.numpy()


@native
@pytest.mark.parametrize("instructions", ["avx512", "avx2", "portable"])  # where one is not there, the next best
@settings(max_examples=40)
@given(
    st.integers(1, 9), st.integers(1, 19), st.integers(1, 9), st.integers(1, 4), st.integers(1, 11), st.floats(0, 1), st.integers(0, 99)
)  # fmt: skip
def test_native_gradient_against_autograd(instructions, features, learners, hidden_units, layers, rows, beta, seed):
    network = Network(features, learners, hidden_units, layers)
    random = np.random.default_rng(seed)
    parameters = random.normal(size=(learners, network.parameters))
    x, y = random.normal(size=(rows, features)), random.normal(size=rows)
    weights = random.dirichlet(np.ones(learners))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEARNER_COLLUSION_ISA", instructions)
        found = native_engine.gradient(astuple(network), parameters, x, y, beta, weights)
        single = native_engine.gradient(astuple(network), parameters.astype(np.float32), x, y, beta, weights)
    expected = reference_gradient(network, parameters, x, y, beta, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    np.testing.assert_allclose(single, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@settings(max_examples=15)
@given(st.integers(1, 7), st.integers(1, 6), st.integers(1, 8), st.integers(1, 3), st.integers(0, 99))
def test_torch_gradient_against_autograd(features, learners, hidden_units, layers, seed):
    from learner_collusion.training.torch_engine import _Stack

    network, random = Network(features, learners, hidden_units, layers), np.random.default_rng(seed)
    parameters = random.normal(size=(learners, network.parameters))
    x, y, weights = random.normal(size=(9, features)), random.normal(size=9), random.dirichlet(np.ones(learners))
    betas = [0.0, 0.3, 1.0]
    sweep, rates = torch.tensor([0, 1, 1]), torch.zeros(3, 2)
    initial = torch.tensor(parameters).repeat(3, 1)
    stack = _Stack(network, initial, sweep, torch.tensor(betas, dtype=torch.float64), rates, torch.tensor(weights))
    # two sweeps: the second one, which the last two betas belong to, has rows of its own
    gradient, _, _ = stack.gradient(
        stack.forward(torch.tensor(np.stack([x, x + 1]))), torch.tensor(np.stack([y, y - 1]))
    )
    for i, (beta, found) in enumerate(zip(betas, gradient.unflatten(0, (3, learners)), strict=True)):
        own = (x, y) if i == 0 else (x + 1, y - 1)
        np.testing.assert_allclose(found, reference_gradient(network, parameters, *own, beta, weights), atol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_training_against_torch_optim(engine):
    """The whole loop once more with nn.Linear, autograd, torch.optim.Adam and AugmentedLoss."""
    network, split, initial, permutations = problem(epochs=6)
    settings_ = Settings(0.01, 0.01, 16, 6, 6)
    [found] = train_sweep(network, split, settings_, [0.7], initial, permutations, engine=engine)
    leaf = torch.tensor(initial, requires_grad=True)
    optimiser = torch.optim.Adam([leaf], lr=0.01, weight_decay=0.01)
    loss = AugmentedLoss(0.7)

    def forward(x):
        outputs = []
        for j in range(network.learners):
            h, start = torch.tensor(x), 0
            for i, (inputs, units) in enumerate(network.shapes()):
                h = h @ leaf[j, start : start + inputs * units].view(inputs, units)
                h = h + leaf[j, start + inputs * units : start + (inputs + 1) * units]
                h, start = torch.relu(h) if i < network.layers else h, start + (inputs + 1) * units
            outputs.append(h[:, 0])
        return torch.stack(outputs, 1)

    for epoch in range(6):
        for start in range(0, len(split.y), 16):
            batch = permutations[epoch, start : start + 16]
            optimiser.zero_grad()
            loss(forward(split.x[batch]), torch.tensor(split.y[batch])).backward()
            optimiser.step()
        with torch.no_grad():
            f = forward(split.validation_x)
        err = float(((f.mean(1).numpy() - split.validation_y) ** 2).mean())
        assert found.history[epoch, 2] == pytest.approx(err, rel=1e-3)
        assert found.history[epoch, 3] - found.history[epoch, 4] == pytest.approx(err, rel=1e-3)
    np.testing.assert_allclose(found.last, leaf.detach(), atol=2e-3)


@native
def test_engines_agree_step_by_step_for_100_steps():
    """Each epoch is one batch, so the history has a row a step."""
    network, split, initial, permutations = problem(rows=16, epochs=100)
    settings_ = Settings(0.005, 0.001, 16, 100, 100)
    weights = np.random.default_rng(1).dirichlet(np.ones(network.learners))
    runs = [
        train_sweep(network, split, settings_, BETAS, initial, permutations, weights, engine=engine)
        for engine in ("native", "torch")
    ]
    for one, other in zip(*runs, strict=True):
        np.testing.assert_allclose(one.history, other.history, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(one.last, other.last, atol=2e-3)


@native
def test_engines_stop_alike():
    network, split, initial, permutations = problem(seed=3, rows=200, validation=60, epochs=60)
    settings_ = Settings(0.01, 0.0, 32, 60, 5)
    runs = [train_sweep(network, split, settings_, BETAS, initial, permutations, engine=e) for e in ("native", "torch")]
    assert len({len(r.history) for r in runs[0]}) > 1  # betas leave the batch at different epochs
    for one, other in zip(*runs, strict=True):
        assert len(one.history) - one.best_epoch == 5 or len(one.history) == 60
        assert one.history[one.best_epoch - 1, 2] == one.history[:, 2].min()
        assert one.history[:, 2].min() == pytest.approx(other.history[:, 2].min(), rel=0.05)


@native
def test_native_sweep_is_exact():
    """Alone, in a sweep, on one, two or three threads: the same bytes."""
    network, split, initial, permutations = problem(seed=1, network=Network(9, 13, 10, 2), epochs=20)
    settings_ = Settings(0.01, 0.001, 16, 20, 4)
    sweeps = [
        train_sweep(network, split, settings_, BETAS, initial, permutations, engine="native", threads=t)
        for t in (1, 2, 3)
    ]
    alone = [train_sweep(network, split, settings_, [b], initial, permutations, engine="native")[0] for b in BETAS]
    for results in zip(*sweeps, alone, strict=True):
        for other in results[1:]:
            for field in ("best", "last", "history"):
                assert getattr(results[0], field).tobytes() == getattr(other, field).tobytes()


def test_torch_beta_alone_agrees_with_the_sweep():
    """Same initial weights and batches; float32 tolerance, since a batched product may round a slice differently."""
    network, split, initial, permutations = problem(rows=16, epochs=100)
    settings_ = Settings(0.005, 0.0, 16, 100, 100)
    sweep = train_sweep(network, split, settings_, [0, 0.5, 1], initial, permutations, engine="torch")
    [alone] = train_sweep(network, split, settings_, [0.5], initial, permutations, engine="torch")
    np.testing.assert_allclose(sweep[1].history, alone.history, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_prediction_is_what_training_measured(engine):
    network, split, initial, permutations = problem()
    [trained] = train_sweep(network, split, Settings(0.01, 0, 16, 8, 3), [1.0], initial, permutations, engine=engine)
    f = predict(network, trained.best, split.validation_x, engine)
    assert f.shape == (len(split.validation_y), network.learners)
    err = ((f.mean(1) - split.validation_y) ** 2).mean()
    assert err == pytest.approx(trained.history[trained.best_epoch - 1, 2], rel=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_divergence_is_recorded_and_not_fatal(engine):
    network, split, initial, permutations = problem()
    split = Split(split.x * 1e15, split.y * 1e15, split.validation_x * 1e15, split.validation_y * 1e15)
    both = train_sweep(network, split, Settings(1e30, 0, 16, 8, 8), [0.0, 1.0], initial, permutations, engine=engine)
    for trained in both:
        assert 1 <= trained.diverged == len(trained.history)


@pytest.mark.parametrize("engine", ENGINES)
def test_beta_0_learners_ignore_each_other(engine):
    """Independent training: changing one learner's start leaves the others' gradients alone."""
    network, split, initial, permutations = problem()
    settings_ = Settings(0.01, 0, 16, 4, 4)
    other = initial.copy()
    other[0] *= 2
    first = train_sweep(network, split, settings_, [0.0], initial, permutations, engine=engine)[0].last
    second = train_sweep(network, split, settings_, [0.0], other, permutations, engine=engine)[0].last
    np.testing.assert_allclose(first[1:], second[1:], rtol=1e-6)
    assert not np.allclose(first[0], second[0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"betas": [1.2]}, r"must lie in \[0, 1\]"),
        ({"engine": "cuda"}, "choose one of"),
        ({"engine": "native", "device": "cuda"}, "runs on the CPU"),
        ({"initial": np.zeros((2, 2), np.float32)}, "initial must have shape"),
        ({"permutations": np.zeros((1, 60), np.int32)}, "permutations must be"),
        ({"permutations": np.full((8, 60), 60, np.int32)}, "permutations must be"),
        ({"weights": np.ones(3)}, "does not fit"),
    ],
)
def test_mistakes(change, words):
    network, split, initial, permutations = problem()
    arguments = {"betas": [0.5], "initial": initial, "permutations": permutations} | change
    with pytest.raises(UserError, match=words):
        train_sweep(network, split, Settings(0.01, 0, 16, 8, 3), **arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there():
    network, split, initial, permutations = problem()
    with pytest.raises(UserError, match="no GPU here"):
        train_sweep(network, split, Settings(0.01, 0, 16, 8, 3), [0], initial, permutations, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_cpu_and_gpu_agree():
    """60 rows in batches of 16: the last batch of each epoch is not a replay of the CUDA graph."""
    network, split, initial, permutations = problem()
    runs = [
        train_sweep(
            network, split, Settings(0.01, 0, 16, 8, 8), BETAS, initial, permutations, engine="torch", device=device
        )
        for device in ("cpu", "cuda")
    ]
    for one, other in zip(*runs, strict=True):
        np.testing.assert_allclose(one.history, other.history, rtol=1e-2, atol=1e-4)


def test_the_history_of_the_native_engine_has_the_columns_of_the_sweep():
    assert len(HISTORY_COLUMNS) == native_engine.HISTORY_WIDTH


def test_batch_permutations_take_every_row_once_in_each_epoch():
    permutations = batch_permutations(20, 3, np.random.default_rng(0))
    assert permutations.shape == (3, 20) and permutations.dtype == np.int32
    np.testing.assert_array_equal(np.sort(permutations, 1), np.tile(np.arange(20), (3, 1)))
    assert not np.array_equal(permutations[0], permutations[1])


def test_the_native_engine_needs_no_torch():
    code = (
        "import sys; from learner_collusion.training import engines; from learner_collusion.stages import train_tabular, tune;"
        "assert not {'torch', 'matplotlib', 'sklearn'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_library_torch_takes_over(monkeypatch):
    from learner_collusion.training import engines

    monkeypatch.setattr(library, "compiled", lambda: None)
    assert engines.choose_engine("auto") == "torch"
    with pytest.raises(UserError, match="install a C\\+\\+ compiler"):
        engines.choose_engine("native")
