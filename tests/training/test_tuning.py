"""The optimiser: points of the grid, the same for the same seed, and scikit-optimize's own where there is no compiler."""

import numpy as np
import pytest
from skopt import Optimizer
from skopt.space import Categorical

from learner_collusion import native
from learner_collusion.training import tuning

GRID = {"learning_rate": [0.01, 0.005, 0.001], "batch_size": [16, 32, 64], "weight_decay": [0, 0.01, 0.001],
        "learners": [5, 10, 15, 20], "hidden_units": [10, 20, 30], "layers": [1, 2, 3]}  # fmt: skip


def told(point, noise):
    """An objective that depends on the point, and noise; a third of the points diverge."""
    value = sum(values.index(point[name]) for name, values in GRID.items()) + noise.normal()
    return 10.0 if point["layers"] == 3 else float(value)


def asked(seed, acquisition, trials=16):
    optimiser = tuning.Optimiser(GRID, 8, 60, acquisition, np.random.default_rng(seed))
    noise, points = np.random.default_rng(seed + 1), []
    for _ in range(trials):
        points.append(optimiser.ask())
        optimiser.tell(told(points[-1], noise))
    return points


@pytest.mark.parametrize("acquisition", ["gp_hedge", "EI", "LCB"])
def test_it_asks_for_points_of_the_grid_in_plain_numbers_and_for_the_same_ones_again(acquisition):
    points = asked(0, acquisition)
    for point in points:
        assert all(point[name] in values for name, values in GRID.items())
        assert all(type(value) in (int, float) for value in point.values())
    assert asked(0, acquisition) == points
    assert asked(1, acquisition) != points


@pytest.mark.skipif(native.compiled() is None, reason="the native library was not built: no C++ compiler")
def test_the_search_does_better_than_the_random_points_that_it_starts_from():
    quiet = type("Quiet", (), {"normal": lambda self: 0.0})()
    gains = []
    for seed in range(8):
        values = [told(point, quiet) for point in asked(seed, "gp_hedge")]
        gains.append(np.mean(values[:8]) - np.mean(values[8:]))
    assert np.mean(gains) > 1


@pytest.mark.parametrize(("seed", "acquisition"), [(0, "gp_hedge"), (2, "EI")])
def test_without_a_compiler_it_asks_for_the_points_that_scikit_optimize_asks_for(seed, acquisition, monkeypatch):
    monkeypatch.setattr(native, "compiled", lambda: None)
    ours = asked(seed, acquisition)
    theirs = Optimizer(
        [Categorical(values, name=name) for name, values in GRID.items()], base_estimator="GP", n_initial_points=8,
        acq_func=acquisition, acq_optimizer="sampling", acq_optimizer_kwargs={"n_points": 60},
        random_state=int(np.random.default_rng(seed).integers(2**31)),
    )  # fmt: skip
    noise = np.random.default_rng(seed + 1)
    for point in ours:
        found = dict(zip(GRID, theirs.ask(), strict=True))
        assert found == point
        theirs.tell(list(found.values()), told(point, noise))
