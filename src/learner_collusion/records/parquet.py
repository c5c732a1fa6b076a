"""Parquet in and out: pandas frames with a declared schema, metadata in the file, atomic writes. Identical input gives
identical bytes.

Each file is sealed (`seals`), and no reader looks into one whose seal does not fit. Files without a seal are read where
`published` says so, and there alone: the galleries in docs/ hold some that were written before there were seals. What the
workflow reads must have one.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .. import seals
from ..errors import UserError
from ..files import replacing

if TYPE_CHECKING:  # an image cell writes columns, and does not wait for pandas
    import pandas as pd

    from .identity import Made

_KEY = b"learner_collusion"
_MADE = b"learner_collusion_made"
_SEAL = b"learner_collusion_seal"  # beside the schema's metadata, which Parquet keeps twice
_MAGIC = b"PAR1"
_ANEW = "delete it and run the workflow again to make it anew."
_PLAIN = {pa.int32(): int, pa.int64(): int, pa.float64(): float, pa.string(): str}


def write(
    path: str | Path,
    table: pd.DataFrame | Mapping,
    schema: pa.Schema,
    metadata: dict | None = None,
    made: Made | None = None,
) -> None:
    """Write a frame, or columns by name, as `schema` says; `metadata` (JSON) is stored in the file, and so is who `made` it."""
    if isinstance(table, Mapping):
        arrow = pa.table({field.name: _array(table[field.name], field.type) for field in schema}, schema=schema)
    else:
        arrow = pa.Table.from_pandas(table, schema, preserve_index=False)
    stored = {_KEY: json.dumps(metadata or {}, sort_keys=True)}
    if made is not None:
        stored[_MADE] = json.dumps(made.at(path), sort_keys=True)
    arrow = arrow.replace_schema_metadata(stored)
    written = pa.BufferOutputStream()
    with pq.ParquetWriter(written, arrow.schema, compression="zstd") as writer:
        writer.write_table(arrow)
        writer.add_key_value_metadata({_SEAL: seals.EMPTY})
    with replacing(path) as beside:
        beside.write_bytes(seals.sealed(written.getvalue().to_pybytes()))


def read(path: str | Path, schema: pa.Schema | None = None, published: bool = False) -> pd.DataFrame:
    """The table as a frame. UserError where the file is missing, damaged, or has other columns than `schema`."""
    return read_arrow(path, schema, published).to_pandas(ignore_metadata=True)


def read_arrow(path: str | Path, schema: pa.Schema | None = None, published: bool = False) -> pa.Table:
    """The table as Arrow has it, for millions of rows. Errors: as `read`."""
    table = _open(path, pq.read_table, published)
    if schema is not None and table.schema.remove_metadata() != schema:
        raise UserError(f"{path} has other columns than this version writes: {_ANEW}")
    return table


def read_some(path: str | Path, schema: pa.Schema, filters: list[tuple]) -> pd.DataFrame:
    """The rows that match, as `pyarrow.parquet.read_table` takes `filters`: for one run after the other of a large file, whose
    seal the caller has had checked by another function here. Errors: as `read`."""
    table = _parsed(path, path, lambda file: pq.read_table(file, filters=filters))
    return table.select(schema.names).to_pandas(ignore_metadata=True)


def read_metadata(path: str | Path, published: bool = False) -> dict:
    """What `write` was given as metadata. Errors: as `read`."""
    return _metadata(_open(path, pq.read_schema, published))


def read_made(path: str | Path, published: bool = False) -> tuple[str | None, dict | None]:
    """(the seal of a file, what it says of who made it), None where it has none. Errors: as `read`."""
    content = _content(path, published)
    stored = (_parsed(path, pa.BufferReader(content), pq.read_schema).metadata or {}).get(_MADE)
    return seals.seal_of(content)[0], json.loads(stored) if stored else None


def told(path: str | Path) -> tuple[str | None, dict | None]:
    """As `read_made`, from the end of the file alone: the seal is not compared with its bytes. OSError or ValueError where there is
    nothing to read."""
    stored = pq.read_metadata(path).metadata or {}  # Arrow's errors are these
    seal, made = stored.get(_SEAL), stored.get(_MADE)
    return seal.decode("ascii").rpartition(":")[2] if seal else None, json.loads(made) if made else None


def concatenate(paths: list[str] | list[Path], output: str | Path, schema: pa.Schema, made: Made | None = None) -> None:
    """One table from several of the same schema; their metadata side by side under the names of their files."""
    tables = [read_arrow(path, schema) for path in paths]
    metadata = {Path(path).stem: _metadata(table.schema) for path, table in zip(paths, tables, strict=True)}
    join(tables, output, schema, metadata, made)


def join(
    tables: list[pa.Table], output: str | Path, schema: pa.Schema, metadata: dict, made: Made | None = None
) -> None:
    """Write tables of one schema, one after the other, as one; their metadata give way to `metadata`."""
    arrow = pa.concat_tables([table.replace_schema_metadata() for table in tables])
    write(output, dict(zip(arrow.column_names, arrow.columns, strict=True)), schema, metadata, made)


def provenance(*packages: str) -> dict[str, str]:
    """Versions that results depend on; no times or hosts, so that a second run gives the same bytes."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("learner-collusion", "numpy", "pyarrow", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _open(path: str | Path, reader, published: bool):
    return _parsed(path, pa.BufferReader(_content(path, published)), reader)


def _content(path: str | Path, published: bool) -> bytes:
    """The bytes of a file whose seal fits."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the workflow to make it.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): {_ANEW}") from None
    seal, fits = seals.seal_of(content)
    if len(content) < 12 or content[:4] != _MAGIC or content[-4:] != _MAGIC:
        raise UserError(f"{path} is not a complete Parquet file: {_ANEW}")
    if seal is None and not published:
        raise UserError(f"{path} has no checksum, as another version or program wrote it, or it is damaged: {_ANEW}")
    if seal is not None and not fits:
        raise UserError(f"{path} is damaged, its checksum does not fit: {_ANEW}")
    return content


def _parsed(path: str | Path, file, reader):
    try:
        return reader(file)
    except (pa.ArrowException, OSError):
        raise UserError(f"{path} is not a complete Parquet file: {_ANEW}") from None


def _array(values, kind: pa.DataType):
    """A column for Arrow, which imports pandas to look into a list: of plain numbers or texts it gets the bytes."""
    plain = _PLAIN.get(kind)
    if plain is None or not isinstance(values, list) or not all(isinstance(value, plain) for value in values):
        return values
    if plain is str:
        texts = [value.encode() for value in values]
        parts = [np.cumsum([0, *map(len, texts)], dtype=np.int32), b"".join(texts)]
    else:
        parts = [np.array(values, kind.to_pandas_dtype())]
    return pa.Array.from_buffers(kind, len(values), [None, *map(pa.py_buffer, parts)])


def _metadata(schema: pa.Schema) -> dict:
    return json.loads((schema.metadata or {}).get(_KEY, b"{}"))
