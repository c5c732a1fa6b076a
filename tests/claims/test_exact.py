"""Logarithms and exponentials that every machine shares, and claims made of them."""

import math

import numpy as np
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from numpy_features import printed_with_and_without_avx

from learner_collusion.claims import exact


@given(st.floats(1e-300, 1e300))
def test_within_the_last_bit_of_the_c_library(number):
    for mine, its in ((exact.log, math.log), (exact.exp, math.exp)):
        argument = number if its is math.log or number < 700 else 700 / number
        assert abs(float(mine(argument)) - its(argument)) <= math.ulp(its(argument))


def test_shapes_and_special_numbers():
    found = exact.log(np.array([[1.0, 0.0], [math.inf, math.nan]]))
    np.testing.assert_array_equal(found, [[0, -math.inf], [math.inf, math.nan]])
    np.testing.assert_array_equal(
        exact.exp([0, -math.inf, math.inf, math.nan, 1e3]), [1, 0, math.inf, math.nan, math.inf]
    )
    assert exact.log(np.empty((0, 3))).shape == (0, 3) and exact.exp(2.0).shape == ()


def test_claims_do_not_depend_on_numpys_instructions():
    code = (
        "from types import SimpleNamespace; import pandas as pd;"
        "from learner_collusion.claims import catalogue, tabular; from learner_collusion.records import parquet;"
        f"records = parquet.read({str(ROOT / 'docs/gallery/tabular.parquet')!r}, published=True);"
        "claims = [claim for claim in catalogue.CLAIMS if claim.part == 'tabular'];"
        "paper = {'tabular': list(records['dataset'].unique())};"
        "settings = SimpleNamespace(claims=claims, confidence=0.95, paper=paper, runs=10);"
        "judged = tabular.judge(records, {}, settings).select_dtypes(float);"
        "print(len(judged), judged.to_numpy().tobytes().hex())"
    )
    found = printed_with_and_without_avx(code)
    assert len(found) == 1 and int(found.pop().split()[0]) > 30
