"""Blocks of rows give the bootstrap that all rows at once would."""

import pytest
import torch

from learner_collusion import bootstrap, diagnose
from learner_collusion.bootstrap import resample

ROWS, DRAWS = 1000, 300


def of(values, seed=0, threads=1, draws=DRAWS):
    whole, drawn = resample(lambda part: {"x": values[part]}, len(values), values[0].numel(), draws, seed, threads)
    return whole["x"], drawn["x"]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(bootstrap, "BLOCK", 64)
    monkeypatch.setattr(bootstrap, "_NUMBERS", 40)


def test_each_sample_has_as_many_rows(small_blocks):
    _, drawn = of(torch.ones(ROWS, 1))
    assert torch.equal(drawn, torch.ones(DRAWS, 1, dtype=torch.float64))


def test_a_row_counts_as_often_as_in_draws_with_replacement(small_blocks):
    whole, drawn = of(torch.eye(ROWS), draws=2000)
    assert torch.allclose(whole, torch.full((1, ROWS), 1 / ROWS, dtype=torch.float64))
    times = drawn * ROWS
    assert torch.allclose(times, times.round(), atol=1e-9) and times.mean() == pytest.approx(1)
    assert float(times.var()) == pytest.approx(1 - 1 / ROWS, rel=0.01)
    # two rows of one sample: covariance -1 / rows, within a block as between blocks
    for one, other in ((times[:, :32], times[:, 32:64]), (times[:, :64], times[:, 64:])):
        away, beside = (one.sum(1) - one.shape[1]), (other.sum(1) - other.shape[1])
        expected = -one.shape[1] * other.shape[1] / ROWS
        assert float((away * beside).mean()) == pytest.approx(
            expected, abs=4 * float((away * beside).std()) / 2000**0.5
        )


def test_the_spread_is_that_of_a_mean(small_blocks):
    values = torch.randn(ROWS, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    whole, drawn = of(values, draws=2000)
    assert torch.allclose(whole[0], values.mean(0))
    assert torch.allclose(drawn.std(0), values.std(0) / ROWS**0.5, rtol=0.06)


def test_threads_change_nothing(small_blocks):
    values = torch.randn(ROWS, 3, 2, generator=torch.Generator().manual_seed(1))
    assert torch.equal(of(values)[1], of(values, threads=3)[1])
    assert not torch.equal(of(values)[1], of(values, seed=1)[1])


def test_an_error_of_a_column_ends_it(small_blocks):
    def columns(part):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        resample(columns, ROWS, 1, 10, 0, threads=2)


def test_diagnose_of_many_blocks(small_blocks):
    """Intervals as wide as those of one block, and the same values."""
    random = torch.Generator().manual_seed(0)
    y = torch.randn(ROWS, generator=random)
    f = y[:, None] + 0.5 * torch.randn(ROWS, 4, generator=random)
    told = []
    found = diagnose(f, y, threads=2, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (ROWS, ROWS) and len(told) == 16
    bootstrap.BLOCK = 2**13
    one = diagnose(f, y)
    for name in ("err", "err_bar", "div", "bias", "pairwise"):
        ours, theirs = getattr(found, name), getattr(one, name)
        assert ours.value == pytest.approx(theirs.value, rel=1e-6)
        assert ours.high - ours.low == pytest.approx(theirs.high - theirs.low, rel=0.3)
