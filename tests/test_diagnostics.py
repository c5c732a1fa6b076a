"""Debiasing, bias share and codependence: their defining properties, and hand-made cases."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from learner_collusion import bias_share, codependence, debias, decompose
from learner_collusion.diagnostics import codependence_curve, left_out


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
    assert codependence(f, torch.zeros(40), drop=0) == 0


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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"drop": 1.0}, "keep at least one of the 4 learners"),
        ({"drop": -0.1}, "not be negative"),
        ({"drop": float("nan")}, "drop must"),
        ({"per": "batch"}, "'example' or 'ensemble'"),
        ({"draws": 0}, "at least one"),
        ({"weights": torch.full((3, 4), 0.25)}, "one entry per learner"),
        ({"weights": [1.0, 0, 0, 0], "drop": 0.5}, "so many are 0"),
    ],
)
def test_codependence_refuses(change, words):
    with pytest.raises(ValueError, match=words):
        codependence(torch.zeros(3, 4), torch.zeros(3), **{"drop": 0.25} | change)


@given(st.integers(1, 30), st.floats(0, 0.99))
def test_codependence_says_what_it_left_out(learners, drop):
    """int(M p) of M learners: nothing left out is an error, another share than `drop` is told."""
    f, y = torch.zeros(2, learners), torch.zeros(2)
    count = int(learners * drop + 1e-9)
    assert left_out(learners, drop) == count
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if count == 0 and drop > 0:
            with pytest.raises(ValueError, match=f"of {learners} learners leaves none out: choose 1/{learners}"):
                codependence(f, y, drop, 1)
        else:
            codependence(f, y, drop, 1)
    if abs(count - learners * drop) > 1e-6 and count:
        assert f"{count} of {learners} learners, {count / learners:.0%}" in str(told[0].message)
    else:
        assert not told


def test_one_of_seven_learners_is_14_percent():
    with pytest.warns(UserWarning, match=r"int\(7 \* 0\.2\) = 1 of 7 learners, 14%"):
        codependence(torch.randn(5, 7), torch.zeros(5), 0.2)


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_equal_calls_draw_equal_learners_and_leave_the_global_state_alone(loss):
    f, _, _ = make(6, batch=30, outputs=3)
    y = torch.arange(30) % 3 if loss == "cross_entropy" else torch.zeros(30, 3)
    before = torch.get_rng_state()
    first = codependence(f, y, 0.4, 5, loss=loss)
    assert first == codependence(f, y, 0.4, 5, loss=loss)
    assert first != codependence(f, y, 0.4, 5, loss=loss, generator=torch.Generator().manual_seed(1))
    decompose(f, y, loss), bias_share(f), debias(f)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("draws", [10, 100, 1000])
def test_half_precision_does_not_spoil_many_draws(half, draws):
    f, y, _ = make(7, batch=50, outputs=1)
    f, y = f[..., 0].to(half), y[:, 0].to(half)
    assert codependence(f, y, 0.4, draws) == pytest.approx(codependence(f.double(), y.double(), 0.4, draws), rel=1e-5)
    assert bias_share(f) == pytest.approx(bias_share(f.double()), rel=1e-5)


# Averaged scores


@given(st.integers(0, 2**31), st.booleans())
def test_constants_of_all_classes_change_no_bias_of_scores(seed, weighted):
    """softmax ignores them; they once moved the share of constant bias from .5 % to 96 %."""
    f, _, w = make(seed, outputs=4)
    w = w if weighted else None
    for shape in ((1, 5, 1), (12, 5, 1)):
        shift = torch.tensor(10 * np.random.default_rng(seed).normal(size=shape))
        assert bias_share(f + shift, w, "score") == pytest.approx(bias_share(f, w, "score"), abs=1e-9)
        torch.testing.assert_close(debias(f + shift, w, "score"), debias(f, w, "score"))
    before, after = (
        torch.tensordot(x, w if weighted else torch.full((5,), 0.2).double(), ([1], [0]))
        for x in (f, debias(f, w, "score"))
    )
    torch.testing.assert_close(after.softmax(1), before.softmax(1))  # the ensemble stays


def test_independent_scores_with_offsets_have_no_bias():
    random = torch.Generator().manual_seed(0)
    f = torch.randn(500, 5, 3, generator=random) + torch.tensor([50.0, -20, 0, 10, -40])[:, None]
    assert bias_share(f) > 0.95 and bias_share(f, averaging="score") < 0.01


@given(st.integers(0, 2**31))
def test_bias_of_probabilities(seed):
    f, _, w = make(seed, outputs=4)
    p = f.softmax(2)
    assert bias_share(f, w, "probability") == pytest.approx(bias_share(p, w), rel=1e-9)
    assert bias_share(p, w, "probability", "probabilities") == pytest.approx(bias_share(p, w), rel=1e-9)
    assert bias_share(p, w, "score", "probabilities") == pytest.approx(bias_share(f, w, "score"), rel=1e-6)
    torch.testing.assert_close(debias(f, w, "probability"), debias(p, w))


@pytest.mark.parametrize("function", [debias, bias_share])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((torch.zeros(5),), "1 dimension"),
        ((torch.tensor([[1.0, np.nan]]),), "NaN in row 0, learner 1"),
        ((torch.zeros(5, 3), [0.5, 0.6, 0.1]), "add up to 1"),
        ((torch.zeros(5, 3), torch.full((5, 3), 1 / 3)), "one entry per learner"),
        ((torch.zeros(5, 3), None, "score"), r"\(batch, learners, classes\)"),
        ((torch.zeros(5, 3, 2), None, "mean"), "choose one of"),
        ((torch.rand(5, 3, 2).softmax(2), None, "probability"), "look like probabilities"),
        ((torch.tensor([[[1.0, 0.0]]]), None, "score", "probabilities"), "no finite score"),
    ],
)
def test_debias_and_bias_share_refuse(function, arguments, words):
    with pytest.raises(ValueError, match=words):
        function(*arguments)
