"""What does not fit is refused in one sentence, and NaN, infinity and overflow end as they do in the PyTorch engine."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from learner_collusion import native
from learner_collusion.data.splits import Split
from learner_collusion.models.mlp import Network, initial_parameters
from learner_collusion.native import engine
from learner_collusion.native.convolution import pooled_convolution
from learner_collusion.training.engines import train_sweep
from learner_collusion.training.sweep import Settings, batch_permutations

pytestmark = pytest.mark.skipif(native.compiled() is None, reason="the native library was not built: no C++ compiler")
SHAPE, PARAMETERS, ROWS = (3, 5, 4, 2), 41, 20
SMALL = Network(*SHAPE)


def arguments():
    numbers = np.random.default_rng(0)
    x, y = numbers.normal(size=(ROWS + 6, 3)).astype(np.float32), numbers.normal(size=ROWS + 6).astype(np.float32)
    return {
        "shape": SHAPE,
        "split": (x[:ROWS], y[:ROWS], x[ROWS:], y[ROWS:]),
        "betas": [0.5],
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "batch_size": 8,
        "max_epochs": 3,
        "patience": 3,
        "initial": numbers.normal(size=(5, PARAMETERS)).astype(np.float32),
        "permutations": np.tile(np.arange(ROWS, dtype=np.int32), (3, 1)),
        "weights": np.full(5, 0.2, np.float32),
    }


def part(position, value):
    return lambda given_: {"split": tuple(value if i == position else a for i, a in enumerate(given_["split"]))}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shape": (3, 5, 4)}, "shape is"),
        ({"shape": (3, 5, 0, 2)}, "of at least 1"),
        ({"shape": (3, 5, 5, 2)}, "initial must have shape"),
        ({"shape": (2, 5, 4, 2)}, r"x must have shape \(rows, 2\)"),
        (part(0, np.empty((0, 3))), "at least one row"),
        (part(0, np.empty(3)), "x must have shape"),
        (part(1, np.zeros(19)), r"y must have shape \(20,\)"),
        (part(2, np.empty((0, 3))), "validation_x must have"),
        (part(3, np.zeros(7)), "validation_y must have"),
        ({"weights": np.ones(4)}, "weights must have shape"),
        ({"initial": np.zeros((5, 40))}, "initial must have shape"),
        ({"permutations": np.zeros((3, 19), np.int32)}, "permutations must have 20 columns"),
        ({"permutations": np.zeros((2, 20), np.int32)}, "at least 3 rows"),
        ({"permutations": np.full((3, 20), 20, np.int32)}, "numbers of rows"),
        ({"permutations": np.full((3, 20), -1, np.int32)}, "numbers of rows"),
        ({"permutations": np.full((3, 20), 2**32)}, "numbers of rows"),
        ({"permutations": np.full((3, 20), np.nan)}, "numbers of rows"),
        ({"batch_size": 0}, "must be at least 1"),
        ({"patience": 0}, "must be at least 1"),
        ({"max_epochs": -1}, "max_epochs at least 0"),
        ({"threads": 0}, "must be at least 1"),
    ],
)
def test_native_training_refuses_what_does_not_fit(change, words):
    given_ = arguments()
    with pytest.raises(ValueError, match=words):
        engine.train(**given_ | (change(given_) if callable(change) else change))


def test_native_takes_any_batch_that_is_large_enough_for_all_rows():
    whole = engine.train(**arguments() | {"batch_size": ROWS})[0]
    for batch_size in (ROWS + 1, 2**31, 2**40, 2**70):
        [found] = engine.train(**arguments() | {"batch_size": batch_size, "patience": 2**70, "threads": 2**40})
        assert found.last.tobytes() == whole.last.tobytes()
    assert engine.train(**arguments() | {"betas": []}) == []
    assert len(engine.train(**arguments() | {"max_epochs": 0})[0].history) == 0


@pytest.mark.parametrize(
    ("parameters", "x", "words"),
    [
        ((5, PARAMETERS), (10**6, 1), "x must have shape"),
        ((5, PARAMETERS), (0, 3), "at least one row"),
        ((5, PARAMETERS), (3,), "x must have shape"),
        ((4, PARAMETERS), (7, 3), "parameters must have shape"),
        ((5, PARAMETERS - 1), (7, 3), "parameters must have shape"),
    ],
)
def test_native_predictions_and_gradients_refuse_what_does_not_fit(parameters, x, words):
    parameters, x = np.zeros(parameters), np.zeros(x)
    with pytest.raises(ValueError, match=words):
        engine.predict(SHAPE, parameters, x)
    with pytest.raises(ValueError, match=words):
        engine.gradient(SHAPE, parameters, x, np.zeros(len(x)), 0.5, np.full(5, 0.2))


def test_native_gradients_refuse_what_does_not_fit():
    parameters, x = np.zeros((5, PARAMETERS)), np.zeros((7, 3))
    with pytest.raises(ValueError, match=r"y must have shape \(7,\)"):
        engine.gradient(SHAPE, parameters, x, np.zeros(6), 0.5, np.ones(5))
    with pytest.raises(ValueError, match=r"weights must have shape \(5,\)"):
        engine.gradient(SHAPE, parameters, x, np.zeros(7), 0.5, np.ones(6))
    with pytest.raises(ValueError, match="float32 or float64"):
        engine.gradient(SHAPE, parameters.astype(int), x, np.zeros(7), 0.5, np.ones(5))


@settings(max_examples=60)
@given(st.data())
def test_native_either_refuses_or_answers(data):
    """Wrong shapes at random, under the sanitizers too: never another end than ValueError or numbers of the right shape."""
    size = st.integers(0, 6)
    shape, x, parameters = (tuple(data.draw(size) for _ in range(n)) for n in (4, 2, 2))
    if data.draw(st.booleans()) and min(shape) > 0:
        parameters = (shape[1], engine._parameters(shape))
    try:
        found = engine.predict(shape, np.zeros(parameters), np.zeros(x))
        engine.gradient(shape, np.zeros(parameters), np.zeros(x), np.zeros(x[0]), 0.5, np.ones(parameters[0]))
    except ValueError as error:
        assert str(error).endswith(".")
    else:
        assert found.shape == (x[0], shape[1])


@pytest.mark.parametrize(
    ("x", "weight", "bias", "groups", "words"),
    [
        ((1, 3, 8, 8), (4, 2, 3, 3), (4,), 1, r"x must be \(images, 2, height, width\)"),
        ((1, 2, 3, 8), (4, 2, 3, 3), (4,), 1, "at least 4"),
        ((2, 8, 8), (4, 2, 3, 3), (4,), 1, "x must be"),
        ((1, 2, 8, 8), (4, 2, 3, 5), (4,), 1, "weight must be"),
        ((1, 2, 8, 8), (4, 2, 3, 3), (3,), 1, "bias must have shape"),
        ((1, 6, 8, 8), (4, 2, 3, 3), (4,), 3, "weight must be"),
        ((1, 2, 8, 8), (4, 2, 3, 3), (4,), 0, "weight must be"),
        ((1, 0, 8, 8), (4, 0, 3, 3), (4,), 1, "weight must be"),
    ],
)
def test_native_convolution_refuses_what_does_not_fit(x, weight, bias, groups, words):
    with pytest.raises(ValueError, match=words):
        pooled_convolution(torch.zeros(x), torch.zeros(weight), torch.zeros(bias), groups)


def test_native_convolution_refuses_two_precisions():
    with pytest.raises(ValueError, match="same dtype"):
        pooled_convolution(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 3, 3).double(), torch.zeros(1))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_native_convolution_lets_nan_through_as_pytorch(value):
    draw = random.Random(0)
    for seed in range(20):
        torch.manual_seed(seed)
        x, weight, bias = torch.randn(2, 2, 9, 9), torch.randn(3, 2, 3, 3), torch.randn(3)
        draw.choice([x, weight, bias]).view(-1)[draw.randrange(3)] = value
        found, expected = pooled_convolution(x, weight, bias), F.relu(F.max_pool2d(F.conv2d(x, weight, bias), 2))
        assert torch.equal(found.isnan(), expected.isnan())
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4, equal_nan=True)


def both(change=None, rate=0.01, decay=0.0, network=SMALL, seed=0):
    """The epochs of divergence of the two engines, for the betas 0, 0.5 and 1."""
    numbers = np.random.default_rng(seed)
    x = numbers.normal(size=(60, network.features)).astype(np.float32)
    y = x.sum(1)
    split, initial = Split(x[:40], y[:40], x[40:], y[40:]), initial_parameters(network, numbers)
    permutations = batch_permutations(40, 6, numbers)
    if change:
        change(split, initial, numbers)
    point = (network, split, Settings(rate, decay, 16, 6, 6), [0.0, 0.5, 1.0], initial, permutations)
    return [[t.diverged for t in train_sweep(*point, engine=name)] for name in ("native", "torch")]


PLACES = {
    "features": lambda split, initial: split.x,
    "targets": lambda split, initial: split.y,
    "validation features": lambda split, initial: split.validation_x,
    "validation targets": lambda split, initial: split.validation_y,
    "first weights": lambda split, initial: initial,
}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", PLACES)
def test_native_diverges_where_pytorch_does(place, value):
    """One number of an array, anywhere; negative infinity may end in a dead unit."""
    for seed in range(12):

        def change(split, initial, numbers):
            array = PLACES[place](split, initial).reshape(-1)
            array[numbers.integers(len(array))] = value

        network = Network(3, (1, 3, 5, 12, 20)[seed % 5], 4, 1 + seed % 3)
        native_, torch_ = both(change, network=network, seed=seed)
        assert native_ == torch_, (seed, network)
        assert any(native_) or value == -np.inf or place == "first weights"


@pytest.mark.parametrize("rate", [1e4, 1e6, 1e8, 1e10, 1e15, 1e20, 1e30])
def test_native_diverges_where_pytorch_does_at_rates_without_sense(rate):
    for seed in range(8):
        network = Network(3, (1, 4, 5, 20)[seed % 4], 6, 1 + seed % 3)
        native_, torch_ = both(rate=rate, decay=(0, 0.1)[seed % 2], network=network, seed=seed)
        assert native_ == torch_, (seed, network)
