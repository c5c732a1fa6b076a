"""One run's arrays of a prepared table: split at random, and preprocessed as in Appendix B."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UserError
from ..records import parquet

FEWEST_ROWS = 5  # of a part: the mean deviation of a learner, which C4 removes, says nothing on a row or two


@dataclass(frozen=True)
class Split:
    """Standardised float32 arrays: x (rows, features) and y (rows,) to train on, and those to stop on."""

    x: np.ndarray
    y: np.ndarray
    validation_x: np.ndarray
    validation_y: np.ndarray


@dataclass(frozen=True)
class Run:
    """One run's arrays, standardised by its training part: (rows, features) and (rows,) float32 for each part."""

    split: Split
    test_x: np.ndarray
    test_y: np.ndarray
    test_rows: np.ndarray  # int32: row numbers of the prepared table


def load_run(
    path: str | Path,
    split: Mapping[str, float],
    skewness_threshold: float,
    generator: np.random.Generator,
    refit_on_train_and_validation: bool = False,
) -> Run:
    """Split a prepared table at random, and preprocess it with the statistics of the training part alone (Appendix B).

    `split` has the shares `test`, of all rows, and `validation`, of the rest. Numeric features whose training part has a
    skewness beyond the threshold become sign(x) log(1 + |x|), which is defined for every value that the test part may
    hold; then numeric features and the target are standardised. Categories become one column of 0 and 1 for each level of
    the table. With `refit_on_train_and_validation` the validation part is trained on, too.

    Errors: UserError where the table is missing or damaged, or has too few rows for three parts of FEWEST_ROWS.
    """
    frame, target = parquet.read(path), parquet.read_metadata(path)["target"]
    order = generator.permutation(len(frame))
    tests, validations = part_sizes(str(path), len(frame), split)
    test, validation, train = np.split(order, [tests, tests + validations])
    columns = []
    for values in (frame[name] for name in frame if name != target):
        if isinstance(values.dtype, pd.CategoricalDtype):
            columns += [(values == level).to_numpy(np.float64) for level in sorted(values.unique())]
        else:
            columns.append(_standardised(_unskewed(values.to_numpy(), train, skewness_threshold), train))
    x = np.stack(columns, 1).astype(np.float32)
    y = _standardised(frame[target].to_numpy(), train).astype(np.float32)
    fitted = np.concatenate([train, validation]) if refit_on_train_and_validation else train
    part = Split(x[fitted], y[fitted], x[validation], y[validation])
    return Run(part, x[test], y[test], test.astype(np.int32))


def part_sizes(what: str, rows: int, split: Mapping[str, float]) -> tuple[int, int]:
    """The numbers of rows that test and that stop; the rest trains. UserError, on `what`, where a part has fewer than FEWEST_ROWS."""
    tests = round(split["test"] * rows)
    validations = round(split["validation"] * (rows - tests))
    train = rows - tests - validations
    if min(tests, validations, train) < FEWEST_ROWS:
        raise UserError(
            f"{what} has {rows} rows, too few to split: {train} would train, {validations} stop and {tests} "
            f"test, and each part needs {FEWEST_ROWS}; use a larger table or other shares."
        )
    return tests, validations


def _unskewed(values: np.ndarray, train: np.ndarray, threshold: float) -> np.ndarray:
    part = values[train]
    spread = part.std()
    skewed = len(np.unique(part)) > 2 and spread > 0 and abs((((part - part.mean()) / spread) ** 3).mean()) > threshold
    return np.sign(values) * np.log1p(np.abs(values)) if skewed else values


def _standardised(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    spread = values[train].std()
    return (values - values[train].mean()) / (spread if spread > 0 else 1.0)
