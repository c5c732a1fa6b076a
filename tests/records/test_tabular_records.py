"""Queries over the tabular records."""

import numpy as np
import pandas as pd
import pytest

from learner_collusion.errors import UserError
from learner_collusion.records import tabular


@pytest.fixture
def records():
    """Two data sets, three runs, three betas; each value tells its run and beta."""
    rows = [
        ("tabular", dataset, run, beta, metric, run + beta / 10 + scale)
        for dataset, scale in (("weather", 0), ("abalone", 100))
        for metric in ("err", "increase_0.6", "increase_0.2")
        for run in (2, 0, 1)
        for beta in (1.0, 0.0, 0.5)
    ]
    return pd.DataFrame(rows, columns=tabular.RECORDS.names)


def test_a_metric_by_run_and_beta(records, random):
    for frame in (records, records.sample(frac=1, random_state=0)):
        found = tabular.by_beta(frame, "weather", "err")
        assert found.index.tolist() == [0, 1, 2] and found.columns.tolist() == [0, 0.5, 1]
        np.testing.assert_allclose(found, np.add.outer([0, 1, 2], [0, 0.05, 0.1]))


def test_drop_rates_ascend(records):
    assert tabular.drop_rates(records) == [0.2, 0.6]
    assert tabular.drop_rates(records[records["metric"] == "err"]) == []


@pytest.mark.parametrize(("asked", "found"), [(0, 0), (0.5, 0.5), (0.4, 0.3), (0.9, 0.5), (0.01, 0.3), (1, 1)])
def test_the_nearest_beta_is_one_between_and_the_lower_one_of_two(asked, found):
    records = pd.DataFrame({"beta": [1.0, 0.5, 0.3, 0.0, 0.5]})
    assert tabular.nearest_beta(records, asked) == found


def test_0_and_1_are_never_replaced(records):
    assert tabular.nearest_beta(records[records["beta"] != 1], 1) is None
    assert tabular.nearest_beta(records[records["beta"] != 0.5], 0.5) is None


def test_a_number_twice_is_refused(records):
    with pytest.raises(UserError, match=r"hold err of weather twice \(run 2, beta 1.0\)"):
        tabular.by_beta(pd.concat([records, records.head(1)]), "weather", "err")
