"""The Gaussian process of the native library, against scikit-learn's and SciPy's; and its bytes from other compilers."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel
from skopt.learning.gaussian_process.kernels import HammingKernel

from learner_collusion import native
from learner_collusion.native import process

pytestmark = pytest.mark.skipif(native.compiled() is None, reason="the native library was not built: no C++ compiler")
SOURCE = Path(native.__file__).parent / "process" / "process.cpp"


def problem(seed):
    """One-hot rows, a normalised objective that depends on them, bounds as scikit-optimize's, and three starts."""
    random = np.random.default_rng(seed)
    n, levels = int(random.integers(2, 24)), random.integers(2, 5, random.integers(1, 6))
    codes = np.stack([random.integers(0, size, n) for size in levels], 1)
    x = np.concatenate([np.eye(size)[codes[:, i]] for i, size in enumerate(levels)], 1)
    y = codes @ random.normal(size=len(levels)) + random.normal(size=n)
    bounds = np.array([[0.01, 1000.0], *[[1e-5, 1e5]] * (x.shape[1] + 1)])
    starts = np.vstack([np.zeros(len(bounds)), random.random((2, len(bounds)))])
    return x, (y - y.mean()) / (y.std() or 1), bounds, starts


def kernel_of(theta):
    kernel = ConstantKernel(1.0, (0.01, 1000.0)) * HammingKernel(length_scale=np.ones(len(theta) - 2)) + WhiteKernel()
    return kernel.clone_with_theta(theta)


def reference(fitted, y):
    """scikit-learn's process with the same parameters."""
    theirs = GaussianProcessRegressor(kernel_of(fitted.theta), optimizer=None)
    return theirs.fit(fitted.x.astype(float), y)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_likelihood_and_predictions_are_those_of_scikit_learn(seed):
    x, y, bounds, starts = problem(seed)
    fitted = process.fit(x, y, 1e-10, bounds, starts)
    theirs = reference(fitted, y)
    assert -fitted.value == pytest.approx(theirs.log_marginal_likelihood_value_, rel=1e-7, abs=1e-6)
    points = np.random.default_rng(seed).integers(0, 2, (30, x.shape[1])).astype(float)
    mean, variance = process.predict(fitted, points)
    white = np.exp(fitted.theta[-1])  # scikit-learn's deviation holds the noise
    their_mean, their_deviation = theirs.predict(points, return_std=True)
    size = np.exp(fitted.theta[0])
    np.testing.assert_allclose(mean, their_mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(variance, np.maximum(their_deviation**2 - white, 0), atol=1e-6 * max(1, size))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(12))
def test_no_start_ends_far_above_scipys_optimum(seed):
    x, y, bounds, starts = problem(seed)
    model = GaussianProcessRegressor(kernel_of(starts[0]), optimizer=None).fit(x, y)

    def objective(theta):
        value, gradient = model.log_marginal_likelihood(theta, eval_gradient=True)
        return -value, -gradient

    limits = np.log(bounds)
    found = scipy.optimize.minimize(objective, starts[0], jac=True, method="L-BFGS-B", bounds=limits)
    fitted = process.fit(x, y, 1e-10, bounds, starts[:1])
    value, gradient = objective(fitted.theta)
    assert value == pytest.approx(fitted.value, rel=1e-7, abs=1e-6)
    stationary = np.abs(np.clip(fitted.theta - gradient, *limits.T) - fitted.theta).max()
    assert stationary < 0.02 and fitted.value < found.fun + max(1.0, 0.1 * abs(found.fun))


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3"])
def test_the_bytes_are_the_same_from_other_compilers(compiler, level, tmp_path, monkeypatch):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    library = tmp_path / "process.so"
    command = [compiler, "-std=c++17", level, "-ffp-contract=off", "-fPIC", "-shared", str(SOURCE), "-o", str(library)]
    subprocess.run(command, check=True)
    problems = [problem(seed) for seed in range(20)]
    ours = [process.fit(x, y, 1e-10, bounds, starts) for x, y, bounds, starts in problems]
    points = [process.predict(fitted, fitted.x) for fitted in ours]
    monkeypatch.setattr(process, "compiled", lambda: ctypes.CDLL(str(library)))
    for (x, y, bounds, starts), one, predicted in zip(problems, ours, points, strict=True):
        other = process.fit(x, y, 1e-10, bounds, starts)
        assert [part.tobytes() for part in other[:4]] == [part.tobytes() for part in one[:4]]
        assert other.value == one.value
        for a, b in zip(predicted, process.predict(other, x), strict=True):
            assert a.tobytes() == b.tobytes()


def test_shapes_that_do_not_fit_and_numbers_that_are_not_finite_end_in_a_sentence():
    x, y, bounds, starts = problem(0)
    for wrong in ((x, y[1:], bounds, starts), (x, y, bounds[1:], starts), (x, y, bounds, starts[:, 1:])):
        with pytest.raises(ValueError, match="do not fit together"):
            process.fit(wrong[0], wrong[1], 1e-10, *wrong[2:])
    with pytest.raises(ValueError, match="not finite"):
        process.fit(x, y * np.nan, 1e-10, bounds, starts)
    fitted = process.fit(x, y, 1e-10, bounds, starts)
    with pytest.raises(ValueError, match="columns"):
        process.predict(fitted, x[:, 1:])
