"""Parquet in and out: pandas frames with a declared schema, metadata in the file, atomic writes. Identical input gives
identical bytes."""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import UserError
from ..files import replacing

_KEY = b"learner_collusion"


def write(path: str | Path, table: pd.DataFrame | Mapping, schema: pa.Schema, metadata: dict | None = None) -> None:
    """Write a frame, or columns by name, as `schema` says; `metadata` (JSON) is stored in the file."""
    if isinstance(table, pd.DataFrame):
        arrow = pa.Table.from_pandas(table, schema, preserve_index=False)
    else:
        arrow = pa.table(dict(table), schema=schema)
    arrow = arrow.replace_schema_metadata({_KEY: json.dumps(metadata or {}, sort_keys=True)})
    with replacing(path) as beside:
        pq.write_table(arrow, beside, compression="zstd")


def read(path: str | Path, schema: pa.Schema | None = None) -> pd.DataFrame:
    """The table as a frame. UserError where the file is missing, damaged, or has other columns than `schema`."""
    return _read(path, schema).to_pandas(ignore_metadata=True)


def read_metadata(path: str | Path) -> dict:
    """What `write` was given as metadata. Errors: as `read`."""
    return _metadata(_open(path, pq.read_schema))


def concatenate(paths: list[str] | list[Path], output: str | Path, schema: pa.Schema) -> None:
    """One table from several of the same schema; their metadata side by side under the names of their files."""
    tables = [_read(path, schema) for path in paths]
    metadata = {Path(path).stem: _metadata(table.schema) for path, table in zip(paths, tables, strict=True)}
    join(tables, output, schema, metadata)


def join(tables: list[pa.Table], output: str | Path, schema: pa.Schema, metadata: dict) -> None:
    """Write tables of one schema, one after the other, as one; their metadata give way to `metadata`."""
    arrow = pa.concat_tables([table.replace_schema_metadata() for table in tables])
    write(output, dict(zip(arrow.column_names, arrow.columns, strict=True)), schema, metadata)


def provenance(*packages: str) -> dict[str, str]:
    """Versions that results depend on; no times or hosts, so that a second run gives the same bytes."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("learner-collusion", "numpy", "pyarrow", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _read(path: str | Path, schema: pa.Schema | None) -> pa.Table:
    table = _open(path, pq.read_table)
    if schema is not None and table.schema.remove_metadata() != schema:
        raise UserError(
            f"{path} has other columns than this version writes: delete it and run the workflow again to make it anew."
        )
    return table


def _open(path: str | Path, reader):
    try:
        return reader(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the workflow to make it.") from None
    except (pa.ArrowInvalid, pa.ArrowIOError, OSError):
        raise UserError(
            f"{path} is not a complete Parquet file: delete it and run the workflow again to make it anew."
        ) from None


def _metadata(schema: pa.Schema) -> dict:
    return json.loads((schema.metadata or {}).get(_KEY, b"{}"))
