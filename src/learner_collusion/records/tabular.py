"""Schemas of the tabular half: tuning trials, chosen hyper-parameters, training histories, predictions, records."""

import pandas as pd
import pyarrow as pa

from ..errors import UserError
from .rows import unique

_KINDS = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}
HYPERPARAMETERS = ("learning_rate", "batch_size", "weight_decay", "learners", "hidden_units", "layers")
_POINT = [
    ("learning_rate", pa.float64()),
    ("batch_size", pa.int32()),
    ("weight_decay", pa.float64()),
    ("learners", pa.int32()),
    ("hidden_units", pa.int32()),
    ("layers", pa.int32()),
]
# One row per trial of the Bayesian optimisation.
TRIALS = pa.schema(
    [
        ("run", pa.int32()),
        ("trial", pa.int32()),
        *_POINT,
        ("err", pa.float64()),  # validation ERR and ERR-bar of the best epoch; null where the first epoch diverged
        ("err_bar", pa.float64()),
        ("epochs", pa.int32()),
        ("best_epoch", pa.int32()),
        ("diverged", pa.int32()),  # epoch of the first loss that was not finite, or 0
        ("repeated", pa.bool_()),  # the optimiser asked for this point before; it was not trained again
    ]
)
# One row per run: the trial that won.
BEST = pa.schema([field for field in TRIALS if field.name not in ("epochs", "diverged", "repeated")])
# One row per epoch.
HISTORY = pa.schema(
    [("run", pa.int32()), ("beta", pa.float64()), ("epoch", pa.int32())]
    + [
        (n, pa.float64())
        for n in ("train_err", "train_err_bar", "validation_err", "validation_err_bar", "validation_div")
    ]
    + [("best", pa.bool_()), ("diverged", pa.bool_())]
)
# One row per run, beta, test example and learner, in units of the standardised target.
PREDICTIONS = pa.schema(
    [
        ("run", pa.int32()),
        ("beta", pa.float64()),
        ("row", pa.int32()),  # of the prepared table
        ("learner", pa.int32()),
        ("target", pa.float32()),
        ("prediction", pa.float32()),
    ]
)
# One row per number. The metrics are listed in stages/evaluate.py.
RECORDS = pa.schema(
    [
        ("experiment", pa.string()),
        ("dataset", pa.string()),
        ("run", pa.int32()),
        ("beta", pa.float64()),
        ("metric", pa.string()),
        ("value", pa.float64()),
    ]
)


def with_options(schema: pa.Schema, options: dict[str, list]) -> pa.Schema:
    """TRIALS or BEST of a user's class: its options, by their values in the grid, in the place of those of the MLPs.

    Errors: UserError for values of several types, or a name that another column has.
    """
    others = [field for field in schema if field.name not in ("hidden_units", "layers")]
    fields = []
    for name, values in options.items():
        kinds = {type(value) for value in values}
        kind = _KINDS.get(kinds.pop()) if len(kinds) == 1 else pa.float64() if kinds == {int, float} else None
        if kind is None:
            raise UserError(
                f"tabular.tuning.grid.{name} holds {values}: give numbers, or words, or true and false alone."
            )
        if name in [field.name for field in others]:
            raise UserError(f"tabular.tuning.grid.{name} is the name of a column of the trials: rename the option.")
        fields.append(pa.field(name, kind))
    place = [field.name for field in others].index("learners") + 1
    return pa.schema([*others[:place], *fields, *others[place:]])


def by_beta(records: pd.DataFrame, dataset: str, metric: str) -> pd.DataFrame:
    """One metric of one data set: a row per run, a column per beta, both in ascending order. UserError where the records
    hold a number twice."""
    chosen = records[(records["dataset"] == dataset) & (records["metric"] == metric)]
    return unique(chosen, ["run", "beta"], f"{metric} of {dataset}").pivot(index="run", columns="beta", values="value")


def drop_rates(records: pd.DataFrame) -> list[float]:
    """The shares of dropped learners whose increase of ERR the records hold (Figure 4), in ascending order."""
    names = records.loc[records["metric"].str.startswith("increase_"), "metric"].unique()
    return sorted(float(name.removeprefix("increase_")) for name in names)


def nearest_beta(records: pd.DataFrame, beta: float) -> float | None:
    """0 or 1 itself, or the beta between 0 and 1 that is closest to `beta`, the lower one where two are; None where the
    records have none."""
    trained = sorted(records["beta"].unique())
    suitable = [other for other in trained if (0 < other < 1 if 0 < beta < 1 else other == beta)]
    return min(suitable, key=lambda other: round(abs(other - beta), 9), default=None)
