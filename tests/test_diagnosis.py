"""`diagnose` names what independent learners do not show, and nothing else: made ensembles of known independence."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from learner_collusion import Diagnosis, bias_share, decompose, diagnose

ROWS = 400
SHIFTS = torch.tensor([0.5, -0.5, 0.3, -0.3])


def made(seed=0, noise=0.3):
    """Predictions (rows, 4) of independent learners that each add an error of their own, and targets (rows,)."""
    random = torch.Generator().manual_seed(seed)
    truth = torch.randn(ROWS, generator=random)
    f = truth[:, None] + noise * torch.randn(ROWS, 4, generator=random)
    return f, truth + 0.3 * torch.randn(ROWS, generator=random)


def classes(seed=0, classes=3):
    """Scores (rows, 4, classes) and class indices (rows,)."""
    random = torch.Generator().manual_seed(seed)
    truth = 1.5 * torch.randn(ROWS, 1, classes, generator=random)
    y = torch.multinomial(truth[:, 0].softmax(1), 1, generator=random)[:, 0]
    return truth + 0.3 * torch.randn(ROWS, 4, classes, generator=random), y


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_independent_learners_do_not_collude(seed):
    f, y = made(seed)
    assert diagnose(f, y, draws=100).collusive is False
    f, y = classes(seed)
    for averaging in ("probability", "score"):
        assert diagnose(f, y, "cross_entropy", averaging, draws=100).collusive is False


def test_much_diversity_is_no_collusion():
    """DIV of twice ERR: noisy learners, independent of each other."""
    f, y = made(noise=1.0)
    found = diagnose(f, y)
    assert found.div.value > 2 * found.err.value and found.collusive is False


def present(found: Diagnosis) -> set[str]:
    return {sign.name for sign in found.signs if sign.present}


def test_constant_biases_that_cancel():
    f, y = made()
    found = diagnose(f + SHIFTS, y)
    assert found.collusive is True and present(found) == {"bias"}
    # The shifts leave the ensemble as it was and add their mean square to ERR-bar.
    err = decompose(f, y).err
    assert found.err.value == pytest.approx(float(err), rel=1e-5)
    assert found.bias.value == pytest.approx(float(SHIFTS.square().mean() / err), rel=0.3)


@pytest.mark.parametrize("averaging", ["probability", "score"])
def test_biases_of_classes(averaging):
    f, y = classes()
    shifts = SHIFTS[:, None] * torch.tensor([2.0, 0.0, -2.0])
    assert present(diagnose(f + shifts, y, "cross_entropy", averaging)) == {"bias"}


def test_errors_that_cancel_without_a_bias():
    f, y = made()
    away = torch.randn(ROWS, 1, generator=torch.Generator().manual_seed(1)) * torch.tensor([2.0, -2.0, 2.0, -2.0])
    found = diagnose(f + away, y)
    assert found.collusive is True and present(found) == {"pairwise"} and found.pairwise.high < 0


def test_pairwise_is_the_mean_product_of_errors():
    f, y = made()
    errors = (f - y[:, None]).double()
    products = [(errors[:, j] * errors[:, k]).mean() for j in range(4) for k in range(4) if j != k]
    expected = float(sum(products) / 12 / errors.mean(1).square().mean())
    assert diagnose(f, y).pairwise.value == pytest.approx(expected, rel=1e-5)


def test_learners_at_chance_are_named():
    """Three networks fused into one: one learns, two stay at chance."""
    f, y = classes()
    random = torch.Generator().manual_seed(1)
    f = torch.stack([3 * f[:, 0], *(0.1 * torch.randn(2, ROWS, 3, generator=random))], 1)
    found = diagnose(f, y, "cross_entropy", "probability")
    assert found.at_chance == (1, 2) and "chance" in present(found) and found.collusive is True
    assert "learners 1, 2" in str(found)


def test_an_ensemble_that_knows_nothing_is_not_judged():
    random = torch.Generator().manual_seed(0)
    found = diagnose(torch.randn(ROWS, 4, generator=random) + SHIFTS, torch.randn(ROWS, generator=random))
    assert found.collusive is None and "knows nothing" in found.reason and found.at_chance == ()


def test_units_and_origin_do_not_matter():
    f, y = made()
    f, y = f.double(), y.double()
    before, after = diagnose(f + SHIFTS, y), diagnose(1e3 * (f + SHIFTS) + 1e6, 1e3 * y + 1e6)
    for one, other in zip(before.signs, after.signs, strict=True):
        assert other.estimate == pytest.approx(one.estimate, rel=1e-6)


def test_few_rows_do_not_decide():
    f, y = made()
    assert diagnose((f + SHIFTS)[:10], y[:10]).collusive is None


def test_a_reference_tells_how_much_diversity_is_natural():
    reference, _ = made(noise=0.1)
    f, y = made()
    assert diagnose(f, y).collusive is False
    assert present(diagnose(f, y, reference=reference)) == {"diversity"}
    assert diagnose(f, y, reference=f + 0.01).collusive is False
    with pytest.raises(ValueError, match="same 400 rows"):
        diagnose(f, y, reference=reference[1:])


@given(st.integers(0, 2**31), st.sampled_from(["squared_error", "cross_entropy", "brier"]))
@settings(max_examples=20, deadline=None)
def test_err_err_bar_and_div_are_those_of_decompose(seed, loss):
    f, y = made(seed) if loss == "squared_error" else classes(seed)
    averaging = "output" if loss == "squared_error" else "probability"
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4])
    found, expected = diagnose(f, y, loss, averaging, weights, draws=20), decompose(f, y, loss, averaging, weights)
    for name in ("err", "err_bar", "div"):
        estimate = getattr(found, name)
        assert estimate.value == pytest.approx(float(getattr(expected, name)), rel=1e-4)
        assert estimate.low <= estimate.value <= estimate.high
    means = [float(decompose(f[:, j : j + 1], y, loss, averaging).err) for j in range(4)]
    assert [e.value for e in found.learner_err] == pytest.approx(means, rel=1e-4)


def test_bias_is_the_share_of_div_over_err():
    f, y = made(noise=0.01)
    found = diagnose(f + SHIFTS, y)
    assert found.bias.value == pytest.approx(bias_share(f + SHIFTS) * found.div.value / found.err.value, rel=1e-3)


def test_intervals_cover():
    """Of 100 samples about 95 have an interval for ERR around the true error, .3^2 + .3^2 / 4."""
    covered = 0
    for seed in range(100):
        f, y = made(seed)
        estimate = diagnose(f, y, draws=200).err
        covered += estimate.low <= 0.09 + 0.09 / 4 <= estimate.high
    assert covered >= 87


def test_scores_may_be_shifted():
    """softmax does not see a constant that is added to all classes of a learner."""
    f, y = classes()
    shifted = f + SHIFTS[:, None]
    for averaging in ("probability", "score"):
        before, after = (diagnose(g, y, "cross_entropy", averaging).bias for g in (f, shifted))
        assert after == pytest.approx(before, abs=1e-5)


def test_the_same_call_gives_the_same_numbers_and_leaves_the_random_state_alone():
    f, y = made()
    state = torch.get_rng_state()
    assert diagnose(f, y) == diagnose(f, y)
    assert torch.equal(torch.get_rng_state(), state)
    assert diagnose(f, y, seed=1).err.low != diagnose(f, y).err.low


def test_arrays_and_tensors_are_the_same():
    f, y = made()
    assert diagnose(f.numpy(), y.numpy()) == diagnose(f, y) == diagnose(f, y[:, None])
    f, y = classes()
    assert diagnose(f.numpy(), y.numpy(), "brier") == diagnose(f, y, "brier")


@pytest.mark.parametrize("loss", ["logistic", "exponential", "zero_one"])
def test_other_losses(loss):
    f, y = classes(classes=2)
    margins = loss != "zero_one"
    if margins:
        f, y = (f[..., 1] - f[..., 0]) / 2, 2 * y - 1
    found = diagnose(f, y, loss)
    assert found.collusive is False
    shifted = f + (SHIFTS if margins else SHIFTS[:, None] * torch.tensor([2.0, -2.0]))
    assert "bias" in present(diagnose(shifted, y, loss))


def test_callables():
    f, y = made()
    absolute = diagnose(f + SHIFTS, y[:, None], lambda outputs, targets: (outputs - targets).abs().mean(1))
    assert present(absolute) == {"bias"}
    other = diagnose(f, torch.zeros(ROWS, 2, 2), lambda outputs, _: outputs.square().sum(1))
    assert other.collusive is None and other.signs == () and np.isnan(other.bias.value)


def test_printed_in_eighty_columns():
    f, y = made()
    text = str(diagnose(f + SHIFTS, y, reference=f))
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("Ensemble of 4 learners") and "collusion: yes" in text


def test_refuses():
    f, y = made()
    with pytest.raises(ValueError, match="one learner"):
        diagnose(f[:, :1], y)
    with pytest.raises(ValueError, match="at least one sample"):
        diagnose(f, y, draws=0)
    with pytest.raises(ValueError, match="dimension"):
        diagnose(y, y)


def test_inputs_are_those_of_the_core():
    """NumPy, probabilities and rows to ignore; what does not fit ends in the core's sentences."""
    random = np.random.default_rng(0)
    scores, labels = random.normal(size=(200, 4, 3)), random.integers(0, 3, 200)
    probabilities = torch.from_numpy(scores).softmax(2).numpy()
    plain = diagnose(scores, labels, "cross_entropy", "probability")
    said = diagnose(probabilities, labels, "cross_entropy", "probability", inputs="probabilities")
    assert said.err.value == pytest.approx(plain.err.value, rel=1e-12) and said.signs[
        0
    ].estimate.value == pytest.approx(plain.signs[0].estimate.value, rel=1e-9)
    with pytest.raises(ValueError, match="probabilities"):
        diagnose(probabilities, labels, "cross_entropy", "probability")
    ignored = labels.copy()
    ignored[:50] = -100
    fewer = diagnose(scores, ignored, "cross_entropy", "probability", ignore_index=-100)
    assert fewer == diagnose(scores[50:], labels[50:], "cross_entropy", "probability") and fewer.rows == 150
    broken = scores.copy()
    broken[7, 2, 1] = np.nan
    with pytest.raises(ValueError, match=r"row 7.*learner 2"):
        diagnose(broken, labels, "cross_entropy", "probability")
    column = random.normal(size=(200, 4))
    assert diagnose(column, labels.astype(float)[:, None]) == diagnose(column, labels.astype(float))
