"""The orders of the epochs' batches: those of NumPy's `Generator.permuted`, which stands beside as the reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learner_collusion import native
from learner_collusion.native import engine

pytestmark = pytest.mark.skipif(native.compiled() is None, reason="the native library was not built: no C++ compiler")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**63), st.integers(1, 300), st.integers(1, 6), st.sampled_from(["PCG64", "MT19937", "Philox"]))
def test_they_are_those_of_numpy_and_leave_the_generator_where_numpy_does(seed, rows, epochs, kind):
    ours, theirs = (np.random.Generator(getattr(np.random, kind)(seed)) for _ in range(2))
    expected = theirs.permuted(np.tile(np.arange(rows, dtype=np.int32), (epochs, 1)), axis=1)
    np.testing.assert_array_equal(engine.permutations(rows, epochs, ours), expected)
    assert ours.integers(2**60) == theirs.integers(2**60)
