import numpy as np
import pytest

from learner_collusion.statistics import band, bootstrap


def mean(runs):
    return runs.mean((1, 2))


def test_band_is_the_populations(random):
    values = random.normal(size=(10, 3))
    m, s = band(values)
    np.testing.assert_allclose(s**2, ((values - m) ** 2).sum(0) / 10)


def test_bootstrap_against_the_normal_interval(random):
    runs = random.normal(3.0, 1.0, size=(400, 1))
    value, low, high = bootstrap(mean, runs, 4000, 0.95, 0)
    half = 1.96 * runs.std() / 20
    assert value == pytest.approx(runs.mean())
    assert low == pytest.approx(value - half, abs=0.02) and high == pytest.approx(value + half, abs=0.02)


def test_bootstrap_keeps_pairs_together(random):
    noise = 100 * random.normal(size=10)
    runs = np.stack([noise + 1, noise], 1)
    _, low, high = bootstrap(lambda r: r[..., 0].mean(1) - r[..., 1].mean(1), runs, 500, 0.95, 0)
    assert low == pytest.approx(1) and high == pytest.approx(1)


def test_one_run_has_no_interval():
    assert np.isnan(bootstrap(mean, np.ones((1, 1)), 10, 0.95, 0)[1:]).all()
