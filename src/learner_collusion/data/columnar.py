"""The raw file of a table as columns, where it is Parquet: numbers as they are, all else as strings."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import UserError
from . import archives
from .declared import Table
from .delimited import Columns, check_names, without_index

MAGIC = b"PAR1"
_EXACT = 2**53  # the largest whole number up to which float64 holds all


def read(content: bytes, name: str, table: Table) -> Columns:
    """The columns of a Parquet file. Numbers become float64, truth values, dates and all else strings.

    Errors: UserError where the file is damaged, holds lists or other nested values, whole numbers that float64 does not hold,
    or lacks a declared column.
    """
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        groups = (file.metadata.row_group(number) for number in range(file.num_row_groups))
        if sum(group.total_byte_size for group in groups) > archives.LARGEST:
            raise UserError(
                f"{table.file} unpacks to more than {archives.LARGEST:,} bytes: give fewer rows or columns."
            )
        arrow = file.read()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{table.file} is not a complete Parquet file ({' '.join(str(error).split())}): copy or write it again."
        ) from None
    names = list(table.columns or arrow.column_names)
    if len(names) != arrow.num_columns:
        raise UserError(f"{table.file} has {arrow.num_columns} columns, tables.{name}.columns names {len(names)}.")
    check_names(names, name, table)
    if not arrow.num_rows:
        raise UserError(f"{table.file} holds no rows: give a file with rows.")
    texts = {*table.drop, *table.dates, *(table.categorical or ())} - {table.target}
    columns = [
        _column(array, column in texts, f"Column {column!r} of {table.file}")
        for column, array in zip(names, arrow.columns, strict=True)
    ]
    frame = pd.concat(columns, axis=1, keys=names)
    lines = np.arange(1, arrow.num_rows + 1)
    return without_index(Columns(name, table, frame, lines, "row", None, "Parquet"))


def _column(array: pa.ChunkedArray, as_texts: bool, where: str) -> pd.Series:
    """One column; whole numbers as their digits, and what else is no number as Python writes it, where that is asked for."""
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    array = array.cast(kind)
    if not as_texts and (pa.types.is_nested(kind) or pa.types.is_binary(kind)):
        raise UserError(f"{where} holds {kind}: list it under drop, or write it as numbers or strings.")
    whole = pa.types.is_integer(kind) and not as_texts
    if whole and any(abs(value) > _EXACT for value in pc.min_max(array).as_py().values() if value):
        raise UserError(f"{where} holds whole numbers beyond 2^53, which would be rounded: list it under drop.")
    if whole or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pd.Series(array.cast(pa.float64()).to_numpy(), dtype=np.float64)
    texts = array.to_pandas()
    if pa.types.is_boolean(kind):
        texts = texts.map({True: "True", False: "False"})
    return texts.where(texts.notna(), "").astype(str).str.strip()
