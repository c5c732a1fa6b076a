"""The ImageNet records: those of the image cells, where the validation pictures are the ones that are reported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import images
from .images import IMAGES

if TYPE_CHECKING:
    import pandas as pd

# The same columns as those of the image records. `top5` is a metric of the ensemble; there is no test split.
IMAGENET = IMAGES
_SPLIT = "validation"


def at_best(
    records: pd.DataFrame, metric: str, betas: Iterable[float], of_learners: bool = False, **cell
) -> pd.DataFrame:
    """The validation metric at each run's evaluation of lowest validation ERR: a row per run, a column per beta, NaN where there
    is none. `of_learners`: the mean over the learners. UserError where the records hold a number twice."""
    mine = images.select(records, **cell)
    reported = mine[mine["split"] == _SPLIT].assign(split="test")  # where the query of the image records looks
    return images.at_best(reported, metric, "beta", of_learners, betas, complete=False)


def curve(records: pd.DataFrame, metric: str, beta: float, learner: int = -1, **cell) -> pd.DataFrame:
    """A validation metric over training, of the ensemble or of a learner: a row per run, a column per evaluation, NaN after the
    end of a run. UserError where the records hold a number twice."""
    mine = records[records["learner"] == learner].assign(learner=-1)
    return images.curve(mine, _SPLIT, metric, beta=float(beta), **cell)


def learner_curve(records: pd.DataFrame, beta: float, learners: int, **cell) -> pd.DataFrame:
    """The mean accuracy of all learners over training; rows and columns as those of `curve`."""
    alone = [curve(records, "accuracy", beta, learner, **cell) for learner in range(learners)]
    return sum(alone) / learners
