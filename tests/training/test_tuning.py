"""The optimiser asks for the points that scikit-optimize asks for, with the quicker process and with its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skopt.learning import GaussianProcessRegressor
from skopt.learning.gaussian_process.kernels import ConstantKernel, HammingKernel, WhiteKernel

from learner_collusion.training import tuning

GRID = {"learning_rate": [0.01, 0.005, 0.001], "batch_size": [16, 32, 64], "weight_decay": [0, 0.01, 0.001],
        "learners": [5, 10, 15, 20], "hidden_units": [10, 20, 30], "layers": [1, 2, 3]}  # fmt: skip


def asked(seed, acquisition, trials=16):
    """Points and what is told of them: a value that depends on the point, and noise."""
    optimiser = tuning.Optimiser(GRID, 8, 60, acquisition, np.random.default_rng(seed))
    noise, points = np.random.default_rng(seed + 1), []
    for _ in range(trials):
        point = optimiser.ask()
        points.append(point)
        value = sum(values.index(point[name]) for name, values in GRID.items()) + noise.normal()
        optimiser.tell(10.0 if point["layers"] == 3 else float(value))
    return points


@pytest.mark.parametrize(("seed", "acquisition"), [(0, "gp_hedge"), (1, "gp_hedge"), (2, "EI"), (3, "LCB")])
def test_it_asks_for_the_points_that_scikit_optimize_asks_for(seed, acquisition, monkeypatch):
    quick = asked(seed, acquisition)
    for point in quick:
        assert all(point[name] in values for name, values in GRID.items())
        assert all(type(value) in (int, float) for value in point.values())
    monkeypatch.setattr(tuning, "CategoricalProcess", GaussianProcessRegressor)
    assert asked(seed, acquisition) == quick


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(3, 25), st.integers(2, 7))
def test_the_likelihood_is_the_same_bit_for_bit(seed, rows, columns):
    random = np.random.default_rng(seed)
    x, y = random.integers(0, 3, (rows, columns)).astype(float), random.normal(size=rows)
    kernel = ConstantKernel(1.0, (0.01, 1000.0)) * HammingKernel(length_scale=np.ones(columns)) + WhiteKernel()
    theta, values = random.uniform(-5, 5, columns + 2), []
    for kind in (GaussianProcessRegressor, tuning.CategoricalProcess):
        process = kind(kernel, normalize_y=True, noise="gaussian", n_restarts_optimizer=1, random_state=0)
        process.fit(x, y)
        values.append((process.kernel_.theta, process.alpha_, *process.log_marginal_likelihood(theta, True, False)))
    for ours, theirs in zip(*values, strict=True):
        np.testing.assert_array_equal(ours, theirs)
