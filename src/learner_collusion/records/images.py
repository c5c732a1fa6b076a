"""The image records: their schemas, and queries that answer with tidy frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa

from .rows import unique

if TYPE_CHECKING:  # who trains a cell needs the schema alone
    import pandas as pd

# One row per number of an evaluation of one cell: `learner` is -1 for the ensemble's own. Evaluations count from 1;
# there is one after each epoch, or after each `evaluate_every` batches where the protocol says so.
CELL_HISTORY = pa.schema(
    [
        ("evaluation", pa.int32()),
        # train (running mean since the last evaluation, in training mode), validation, test, train_evaluated (evaluation mode)
        ("split", pa.string()),
        ("metric", pa.string()),  # err, err_bar, div, accuracy; best (1 at the evaluation that was chosen), diverged
        ("learner", pa.int32()),
        ("value", pa.float64()),
    ]
)
# What identifies a cell.
CELL = {
    "protocol": pa.string(),
    "dataset": pa.string(),
    "model": pa.string(),
    "learners": pa.int32(),
    "averaging": pa.string(),
    "drop_rate": pa.float64(),  # the share of learners left out of each training batch
    "beta": pa.float64(),
    "run": pa.int32(),
}
IMAGES = pa.schema([*CELL.items(), *CELL_HISTORY])


def select(records: pd.DataFrame, **cell) -> pd.DataFrame:
    """The rows whose columns have these values."""
    for name, value in cell.items():
        records = records[records[name] == value]
    return records


def curve(records: pd.DataFrame, split: str, metric: str, **cell) -> pd.DataFrame:
    """The ensemble's own metric over training: a row per run, a column per evaluation, NaN after a run's early stop.

    UserError where the records hold a number twice.
    """
    chosen = select(records, split=split, metric=metric, learner=-1, **cell)
    known = unique(chosen, ["run", "evaluation"], f"{split} {metric} of {_name(cell)}")
    return known.pivot(index="run", columns="evaluation", values="value")


def at_best(
    records: pd.DataFrame,
    metric: str,
    by: str,
    of_learners: bool = False,
    levels: Iterable[float] | None = None,
    complete: bool = True,
    **cell,
) -> pd.DataFrame:
    """The test metric at each run's evaluation of lowest validation ERR: a row per run, a column per level of `by`.

    `levels` are those wanted, in any order; None: all that the records hold for the cell. Rows and columns ascend.
    Only runs that have every level count, or with `complete` off NaN stands where a run has none. With `of_learners`: the
    mean over the learners of the cell, not the ensemble's value; NaN where one of them has none. UserError where the
    records hold a number twice.
    """
    mine = select(records, **cell)
    levels = sorted(mine[by].unique() if levels is None else map(float, levels))
    best = mine.loc[mine["metric"] == "best", ["run", by, "evaluation"]]
    wanted = mine[(mine["split"] == "test") & (mine["metric"] == metric)]
    wanted = wanted[wanted["learner"] >= 0 if of_learners else wanted["learner"] == -1]
    best, wanted = (
        unique(best, ["run", by], "the best evaluation"),
        unique(wanted, ["run", by, "evaluation", "learner"], f"test {metric} of {_name(cell)}"),
    )
    joined = best.merge(wanted, on=["run", by, "evaluation"]).groupby(["run", by])["value"]
    means = joined.mean()
    if of_learners:
        learners = wanted["learners"].iloc[0] if len(wanted) else 0
        means = means.where(joined.count() == learners)
    found = means.unstack(by).reindex(columns=levels).rename_axis(columns=by).sort_index()
    return found.dropna() if complete else found


def diverged(records: pd.DataFrame, by: str = "beta", **cell) -> list[tuple[int, float, int]]:
    """(run, level of `by`, evaluation) of the cells whose training ended in a loss that was not finite, in ascending order."""
    found = select(records, metric="diverged", **cell)[["run", by, "evaluation"]]
    return sorted(found.drop_duplicates().itertuples(index=False, name=None))


def _name(cell: dict) -> str:
    return ", ".join(str(cell[key]) for key in ("dataset", "model") if key in cell) or "a cell"
