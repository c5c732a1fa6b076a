"""Debiasing, bias share and codependence: their defining properties, and hand-made cases."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from learner_collusion import bias_share, codependence, debias, decompose
from learner_collusion.diagnostics import codependence_curve


def make(seed, batch=12, learners=5, outputs=2):
    random = np.random.default_rng(seed)
    f = random.normal(size=(batch, learners, outputs)) + 3 * random.normal(size=(learners, outputs))
    return (
        torch.tensor(f),
        torch.tensor(random.normal(size=(batch, outputs))),
        torch.tensor(random.dirichlet(np.ones(learners))),
    )


@given(st.integers(0, 2**31))
def test_debias_keeps_the_ensemble_and_is_optimal(seed):
    f, y, w = make(seed)
    g = debias(f, w)
    torch.testing.assert_close(torch.einsum("bmk,m->bk", g, w), torch.einsum("bmk,m->bk", f, w))
    best = decompose(g, y, weights=w).div
    shift = torch.tensor(np.random.default_rng(seed + 1).normal(size=f.shape[1:]))
    shift = shift - (shift * w[:, None]).sum(0)  # any other constants that leave the ensemble alone
    assert decompose(g + 0.1 * shift, y, weights=w).div >= best - 1e-12


@given(st.integers(0, 2**31))
def test_bias_share_is_the_share_of_div(seed):
    f, y, w = make(seed)
    expected = 1 - decompose(debias(f, w), y, weights=w).div / decompose(f, y, weights=w).div
    assert bias_share(f, w) == pytest.approx(float(expected), abs=1e-9)
    assert 0 <= bias_share(f, w) <= 1


def test_bias_share_at_the_ends():
    same = torch.randn(50, 1).expand(50, 4)
    assert bias_share(same) == 0
    assert bias_share(same + torch.tensor([1.0, -1.0, 2.0, -2.0])) == pytest.approx(1)


def test_codependence_by_hand():
    """Two learners, +1 and -1 around a perfect ensemble: with one of them the error is 1."""
    f = torch.tensor([[1.0, -1.0]]).repeat(40, 1)
    for per in ("example", "ensemble"):
        assert codependence(f, torch.zeros(40), drop=0.5, draws=20, per=per) == pytest.approx(1)
    assert codependence(f, torch.zeros(40), drop=0.2) == 0  # int(2 * 0.2) = 0 are dropped


@pytest.mark.parametrize("per", ["example", "ensemble"])
def test_codependence_against_its_expectation(per):
    """All subsets of the kept learners are equally likely: with many draws the mean over them."""
    import itertools

    f, y, _ = make(3, batch=30, learners=5, outputs=1)
    f, y = f[..., 0], y[:, 0]
    errors = [((f[:, list(kept)].mean(1) - y) ** 2).mean() for kept in itertools.combinations(range(5), 3)]
    expected = float(sum(errors) / len(errors) - ((f.mean(1) - y) ** 2).mean())
    found = codependence(f, y, 0.4, 4000, per, torch.Generator().manual_seed(0))
    assert found == pytest.approx(expected, rel=0.05)


def test_codependence_of_other_losses_and_weights():
    f, _, w = make(4, batch=20, outputs=3)
    y = torch.arange(20) % 3
    g = torch.Generator().manual_seed(1)
    value = codependence(f, y, 0.4, 50, "example", g, "cross_entropy", "probability", w)
    assert np.isfinite(value)
    with_weights = codependence(f, torch.zeros(20, 3), 0.4, 200, weights=w)
    even = codependence(f, torch.zeros(20, 3), 0.4, 200)
    assert with_weights > 0 and with_weights != even


def test_curve_is_paired_and_monotone_in_what_is_kept():
    f, y, _ = make(5, batch=200, learners=10, outputs=1)
    f, y = f[..., 0], y[:, 0]
    both = codependence_curve(torch.stack([f, f]), y, (0.2, 0.6), 30, generator=torch.Generator().manual_seed(0))
    assert torch.equal(both[0], both[1])
    assert both[0, 1] > both[0, 0] > 0


@pytest.mark.parametrize("change", [{"drop": 1.0}, {"drop": -0.1}, {"per": "batch"}])
def test_codependence_refuses(change):
    with pytest.raises(ValueError):
        codependence(torch.zeros(3, 4), torch.zeros(3), **change)
