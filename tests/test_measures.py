"""The records' measures against PyTorch's, against the closed form of Figure 4, and with other instructions of NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_features import printed_with_and_without_avx

from learner_collusion import decompose, measures
from learner_collusion.diagnostics import bias_share, debias


def ensembles(seed, count=3, rows=None, learners=None):
    random = np.random.default_rng(seed)
    shape = (count, rows or int(random.integers(1, 60)), learners or int(random.integers(1, 21)))
    f = random.normal(size=shape) * random.uniform(0.1, 3) + random.normal(size=(count, 1, shape[2]))
    return f.astype(np.float32), random.normal(size=shape[1]).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_they_are_those_of_the_public_core(seed):
    f, y = ensembles(seed)
    for one in f:
        found, g = measures.measure(one, y), torch.from_numpy(one.astype(np.float64))
        parts = decompose(g, torch.from_numpy(y.astype(np.float64)))
        assert found[:3] == pytest.approx([float(part) for part in parts], rel=1e-12, abs=1e-15)
        clean = decompose(debias(g), torch.from_numpy(y.astype(np.float64))).div
        assert found.div_debiased == pytest.approx(float(clean), rel=1e-9, abs=1e-15)
        if one.shape[1] > 1:
            assert found.bias_share == pytest.approx(bias_share(g), abs=1e-9)


@pytest.mark.parametrize("per", ["example", "ensemble"])
@pytest.mark.parametrize("learners", [5, 7, 20])
def test_codependence_is_that_of_the_closed_form_up_to_the_noise_of_its_draws(per, learners):
    f, y = ensembles(learners, rows=400, learners=learners)
    rates = [0.1, 0.2, 0.6]
    found = measures.codependence(f, y, rates, 400, per, np.random.default_rng(0))
    for one, increases in zip(f, found, strict=True):
        div = measures.measure(one, y).div
        for rate, increase in zip(rates, increases, strict=True):
            dropped = int(learners * rate + 1e-9)
            expected = div * dropped / ((learners - dropped) * (learners - 1))
            assert increase == pytest.approx(expected, rel=0.15, abs=1e-12)
            if dropped == 0:
                assert increase == 0


def test_codependence_of_two_learners_by_hand():
    f, y = np.array([[[1.0, 3.0], [0.0, 4.0]]]), np.array([1.0, 0.0])
    # one of two is left: errors 0 or 4 in the first row, 0 or 16 in the second; with both 1 and 4
    draws = np.random.default_rng(1)
    keys = [np.random.default_rng(1).random((2, 2))]
    kept = keys[0].argmax(1)
    expected = ((f[0][[0, 1], kept] - y) ** 2).mean() - 2.5
    assert measures.codependence(f, y, [0.5], 1, "example", draws)[0, 0] == expected


def test_the_bytes_do_not_depend_on_numpys_instructions():
    code = (
        "import numpy as np; from learner_collusion import measures; r = np.random.default_rng(0);"
        "f, y = r.normal(size=(4, 333, 13)).astype('f4'), r.normal(size=333).astype('f4');"
        "c = measures.codependence(f, y, [.2, .4], 20, 'example', np.random.default_rng(1));"
        "print(c.tobytes().hex(), *(float(x).hex() for g in f for x in measures.measure(g, y)))"
    )
    found = printed_with_and_without_avx(code)
    assert len(found) == 1
