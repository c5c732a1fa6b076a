"""Parquet in and out: schemas, provenance in the file's metadata, atomic writes. Identical input gives identical bytes."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .errors import UserError
from .files import replacing

# One row a trial of the Bayesian optimisation.
TRIALS = pa.schema(
    [
        ("iteration", pa.int32()),
        ("learning_rate", pa.float64()),
        ("batch_size", pa.int32()),
        ("weight_decay", pa.float64()),
        ("learners", pa.int32()),
        ("hidden", pa.int32()),
        ("layers", pa.int32()),
        ("err", pa.float64()),  # validation ERR and ERR-bar of the best epoch; null where the first epoch diverged
        ("err_bar", pa.float64()),
        ("epochs", pa.int32()),
        ("best_epoch", pa.int32()),
        ("diverged", pa.int32()),  # epoch of the first loss that was not finite, or 0
        ("repeated", pa.bool_()),  # the optimiser asked for this point before; it was not trained again
    ]
)
# One row an epoch.
HISTORY = pa.schema(
    [("beta", pa.float64()), ("epoch", pa.int32())]
    + [
        (n, pa.float64())
        for n in ("train_err", "train_err_bar", "validation_err", "validation_err_bar", "validation_div")
    ]
    + [("best", pa.bool_()), ("diverged", pa.bool_())]
)
# One row a test example and learner, in units of the standardised target.
PREDICTIONS = pa.schema(
    [
        ("beta", pa.float64()),
        ("row", pa.int32()),  # of the prepared table
        ("learner", pa.int32()),
        ("target", pa.float32()),
        ("prediction", pa.float32()),
    ]
)
# One row a number: long and tidy. Metrics are listed in evaluation.py.
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
# One row a number of an image cell's epoch: `learner` is -1 for the ensemble's own.
IMAGE_HISTORY = pa.schema(
    [
        ("epoch", pa.int32()),
        ("split", pa.string()),  # train (running, in training mode), validation, test
        ("metric", pa.string()),  # err, err_bar, div, accuracy; best (1 at the epoch that was chosen), diverged
        ("learner", pa.int32()),
        ("value", pa.float64()),
    ]
)
# The same with the cell that it belongs to.
IMAGES = pa.schema(
    [
        ("protocol", pa.string()),
        ("dataset", pa.string()),
        ("model", pa.string()),
        ("learners", pa.int32()),
        ("averaging", pa.string()),
        ("dropped", pa.float64()),  # the share of learners left out of each training batch
        ("beta", pa.float64()),
        ("run", pa.int32()),
        *IMAGE_HISTORY,
    ]
)
IMAGE_CELL = tuple(name for name in IMAGES.names if name not in IMAGE_HISTORY.names)  # what a cell is
CLAIMS = pa.schema(
    [(n, pa.string()) for n in ("id", "part", "dataset", "claim", "statistic")]
    + [(n, pa.float64()) for n in ("value", "low", "high")]
    + [(n, pa.string()) for n in ("threshold", "verdict", "note")]
)


def provenance(*packages: str) -> dict[str, str]:
    """Versions that results depend on; no times or hosts, so that a second run gives the same bytes."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("learner-collusion", "numpy", "pyarrow", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def write(path: str | Path, columns: dict | pa.Table, schema: pa.Schema, metadata: dict | None = None) -> None:
    """Write one table of `schema`; `metadata` values become JSON in the file's metadata, read back by `metadata_of`."""
    table = columns if isinstance(columns, pa.Table) else pa.table(columns, schema=schema)
    encoded = {"learner_collusion": json.dumps(metadata or {}, sort_keys=True)}
    table = table.select(schema.names).cast(schema).replace_schema_metadata(encoded)
    with replacing(path) as beside:
        pq.write_table(table, beside, compression="zstd")


def read(path: str | Path, schema: pa.Schema | None = None) -> pa.Table:
    """Read a table; UserError where it is missing, cut short, or has other columns than `schema`."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise UserError(f"{path} is not there: run the workflow to make it.") from None
    except (pa.ArrowInvalid, pa.ArrowIOError, OSError):
        raise UserError(f"{path} is not a whole Parquet file: delete it and run again to make it anew.") from None
    if schema is not None and table.schema.remove_metadata() != schema:
        raise UserError(f"{path} has other columns than this version writes: delete it and run again to make it anew.")
    return table


def metadata_of(table: pa.Table) -> dict:
    """What `write` was given as metadata."""
    return json.loads((table.schema.metadata or {}).get(b"learner_collusion", b"{}"))


def concatenate(paths: list[str], output: str | Path, schema: pa.Schema) -> None:
    """One table from several of the same schema, their metadata side by side under the names of their files."""
    tables = [read(path, schema) for path in paths]
    metadata = {Path(p).stem: metadata_of(t) for p, t in zip(paths, tables, strict=True)}
    write(output, pa.concat_tables(tables), schema, metadata)


def column(table: pa.Table, name: str) -> np.ndarray:
    return table.column(name).to_numpy()
