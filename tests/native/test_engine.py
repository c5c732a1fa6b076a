"""The binding of the MLP sweep: plain numbers and arrays in, NumPy's numbers out, on every instruction set."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learner_collusion import native
from learner_collusion.native import engine

pytestmark = pytest.mark.skipif(native.compiled() is None, reason="the native library was not built: no C++ compiler")
shapes = st.tuples(st.integers(1, 9), st.integers(1, 19), st.integers(1, 9), st.integers(1, 4))


def layers(shape):
    features, _, hidden_units, count = shape
    widths = [features, *[hidden_units] * count, 1]
    return list(zip(widths[:-1], widths[1:], strict=True))


def drawn(shape, rows, seed):
    """Parameters (learners, parameters), x (rows, features) and y (rows,)."""
    random = np.random.default_rng(seed)
    parameters = random.normal(size=(shape[1], sum((inputs + 1) * outputs for inputs, outputs in layers(shape))))
    return parameters, random.normal(size=(rows, shape[0])), random.normal(size=rows)


def forward(shape, parameters, x):
    h, start = np.broadcast_to(x, (shape[1], *x.shape)), 0
    for inputs, outputs in layers(shape):
        weight = parameters[:, start : start + inputs * outputs].reshape(-1, inputs, outputs)
        bias = parameters[:, None, start + inputs * outputs : start + (inputs + 1) * outputs]
        start += (inputs + 1) * outputs
        h = h @ weight + bias
        h = np.maximum(h, 0) if start < parameters.shape[1] else h
    return h[:, :, 0].T


@pytest.mark.parametrize("isa", ["portable", "avx2", "avx512"])
@given(shapes, st.integers(1, 150), st.integers(0, 99))
def test_native_predictions_against_numpy(isa, shape, rows, seed):
    parameters, x, _ = drawn(shape, rows, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEARNER_COLLUSION_ISA", isa)
        predicted = engine.predict(shape, parameters, x)
    expected = forward(shape, parameters, x)
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@given(shapes, st.integers(1, 40), st.floats(0, 1), st.integers(0, 99))
def test_native_first_epoch_of_one_batch(shape, rows, beta, seed):
    """The history holds the decomposition before the step; Adam's first step is the learning rate times a sign."""
    parameters, x, y = (a.astype(np.float32) for a in drawn(shape, rows, seed))
    weights = np.random.default_rng(seed).dirichlet(np.ones(shape[1])).astype(np.float32)
    permutation = np.arange(rows)[None]
    [trained] = engine.train(
        shape, (x, y, x, y), [beta], 0.01, 0, rows, 1, 1, parameters, permutation, weights, threads=3
    )
    f = forward(shape, parameters.astype(float), x)
    err, err_bar = np.mean((f @ weights - y) ** 2), np.mean((f - y[:, None]) ** 2 @ weights)
    assert trained.history.shape == (1, engine.HISTORY_WIDTH) and trained.diverged == 0
    np.testing.assert_allclose(trained.history[0, :2], [err, err_bar], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(
        trained.history[0, 3] - trained.history[0, 4], trained.history[0, 2], rtol=1e-3, atol=1e-3
    )
    derivatives = engine.gradient(shape, parameters, x, y, beta, weights)
    clear = np.abs(derivatives) > 1e-4
    np.testing.assert_allclose((parameters - trained.last)[clear], 0.01 * np.sign(derivatives)[clear], atol=1e-5)
    assert trained.best_epoch == 1 and trained.best.tobytes() == trained.last.tobytes()


def test_native_is_exact_for_a_beta_alone_and_on_more_threads():
    shape, betas = (9, 13, 10, 2), [0, 0.25, 0.5, 1]
    parameters, x, y = drawn(shape, 90, 0)
    permutations = np.random.default_rng(1).permuted(np.tile(np.arange(70), (20, 1)), axis=1)
    split, weights = (x[:70], y[:70], x[70:], y[70:]), np.full(13, 1 / 13, np.float32)

    def train(betas, threads):
        return engine.train(shape, split, betas, 0.01, 0.001, 16, 20, 4, parameters, permutations, weights, threads)

    alone = [train([beta], 1)[0] for beta in betas]
    for others in (train(betas, 1), train(betas, 2), train(betas, 3)):
        for one, other in zip(alone, others, strict=True):
            assert all(a.tobytes() == b.tobytes() for a, b in zip(one[:3], other[:3], strict=True))
            assert one[3:] == other[3:] and len(one.history) - one.best_epoch in (4, 20 - one.best_epoch)


def test_an_instruction_set_that_does_not_exist(monkeypatch):
    monkeypatch.setenv("LEARNER_COLLUSION_ISA", "sse9")
    with pytest.raises(ValueError, match="set it to one of auto, portable, avx2, avx512"):
        native.wanted()


def test_the_engine_needs_numpy_alone():
    code = (
        "import sys; from learner_collusion.native import engine;"
        "assert not {'torch', 'pandas', 'scipy'} & set(sys.modules);"
        "ours = {name for name in sys.modules if name.startswith('learner_collusion.')};"
        "assert ours == {'learner_collusion.native', 'learner_collusion.native.engine'}, ours"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
