"""The tables of Section 6.1: parsed, checked, typed; split and preprocessed as in Appendix B."""

import csv
import hashlib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from .. import records
from ..errors import UserError
from ..training.mlp import Split


@dataclass(frozen=True)
class Run:
    """One run's arrays, standardised by its training part: (rows, features) and (rows,) float32 for each part."""

    split: Split
    test_x: np.ndarray
    test_y: np.ndarray
    test_rows: np.ndarray  # row numbers of the prepared table


def parse(path: str | Path, columns: list[str] | None = None) -> dict[str, np.ndarray]:
    """Columns of a delimited file: float64 with NaN where empty, else strings.

    Comma or semicolon, decimal point or comma, with or without a byte-order mark; dates become ISO dates. `columns`
    names the columns of a file without a header. Errors: UserError where rows and header do not fit.
    """
    text = Path(path).read_text(encoding="utf-8-sig")
    first = text.split("\n", 1)[0]
    rows = list(csv.reader(io.StringIO(text), delimiter=";" if ";" in first else ","))
    rows = [row for row in rows if row]
    names = columns or (rows.pop(0) if rows else [])
    for number, row in enumerate(rows, start=1 if columns else 2):
        if len(row) != len(names):
            raise UserError(
                f"{path}, line {number}: {len(row)} fields where {len(names)} belong; the file is cut short or not the "
                "original, so fetch it again."
            )
    return {name: _typed([row[i].strip() for row in rows]) for i, name in enumerate(names)}


def _typed(values: list[str]) -> np.ndarray:
    numbers = [value.replace(",", ".") or "nan" for value in values]
    try:
        return np.array([float(number) for number in numbers])
    except ValueError:
        return np.array([_iso(value) for value in values], dtype=object)


def _iso(value: str) -> str:
    day_first = re.fullmatch(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", value)
    return f"{day_first[3]}-{int(day_first[2]):02}-{int(day_first[1]):02}" if day_first else value


def content(table: dict[str, np.ndarray], categorical: list[str]) -> str:
    """A checksum of the numbers and categories of a table, whatever its encoding was (dates and names aside)."""
    digest = hashlib.sha256()
    for name, values in table.items():
        if values.dtype.kind == "f":
            digest.update(name.encode() + b"\n" + values.astype("<f8").tobytes())
        elif name in categorical:
            digest.update(name.encode() + b"\n" + "\n".join(values).encode())
    return digest.hexdigest()


def prepare(raw: str | Path, output: str | Path, name: str, table: dict, missing: str = "drop") -> None:
    """Write the prepared table: typed features, the target last, no missing values; what it is in the metadata.

    `table` is the data set's block of the configuration. Errors: UserError for a missing column or other content.
    """
    columns = parse(raw, table.get("columns"))
    needed = [table["target"], *table["drop"], *table["categorical"]]
    lacking = [column for column in needed if column not in columns]
    if lacking:
        raise UserError(
            f"{raw} has no column {lacking[0]!r}: fetch the original {table['file']}, or mend tables.{name} in the "
            "configuration."
        )
    found = content(columns, table["categorical"])
    if table["content"] and found != table["content"]:
        raise UserError(
            f"{raw} does not hold the values of {table['file']} (content {found[:12]}..., not "
            f"{table['content'][:12]}...): fetch the original file, or another copy of it."
        )
    if missing != "drop":
        raise UserError(f"tabular.preprocessing.missing is {missing!r}: only 'drop' is known.")
    empty = [np.isnan(v) if v.dtype.kind == "f" else v == "" for v in columns.values()]
    whole = ~np.any(empty, axis=0)
    typed: dict[str, pa.Array] = {}
    for column, values in columns.items():
        if column in table["drop"] or column == table["target"]:
            continue
        values = values[whole]
        if column in table["categorical"]:
            typed[column] = pa.array([_level(v) for v in values]).dictionary_encode()
        elif values.dtype.kind == "f":
            typed[column] = pa.array(values)
        else:
            raise UserError(
                f"Column {column!r} of {name} holds words: list it under categorical or drop in tables.{name}."
            )
    target = columns[table["target"]][whole]
    typed[table["target"]] = pa.array(np.log1p(target) if table["log_target"] else target)
    description = {
        "dataset": name,
        "target": table["target"],
        "log_target": table["log_target"],
        "content": found,
        "rows": int(whole.sum()),
        "rows_with_missing_values": int((~whole).sum()),
        "provenance": records.provenance(),
    }
    arrow = pa.table(typed)
    records.write(output, arrow, arrow.schema, description)


def _level(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def load_run(
    path: str | Path, split: dict, skewness: float, generator: np.random.Generator, fold_validation: bool = False
) -> Run:
    """Split a prepared table at random, and preprocess it with the statistics of the training part alone (Appendix B).

    Numeric features whose training part is more skewed than `skewness` become sign(x) log(1 + |x|), which is defined for
    every value that the test part may hold; then numeric features and the target are standardised. Categories become
    one column of 0 and 1 for each level of the table. With `fold_validation` the validation part is trained on, too.
    """
    table = records.read(path)
    description = records.metadata_of(table)
    count = table.num_rows
    order = generator.permutation(count)
    tests = round(split["test"] * count)
    validations = round(split["validation"] * (count - tests))
    parts = {
        "test": order[:tests],
        "validation": order[tests : tests + validations],
        "train": order[tests + validations :],
    }
    if min(map(len, parts.values())) == 0:
        raise UserError(f"{path} has {count} rows, too few to split: use a larger table or other shares.")
    columns = []
    for name in table.column_names:
        if name == description["target"]:
            continue
        values = table.column(name)
        if pa.types.is_dictionary(values.type):
            text = np.array(values.to_pylist())
            columns += [(text == level).astype(np.float64) for level in sorted(set(text))]
        else:
            columns.append(_standardised(_unskewed(values.to_numpy(), parts["train"], skewness), parts["train"]))
    x = np.stack(columns, 1).astype(np.float32)
    y = _standardised(table.column(description["target"]).to_numpy(), parts["train"]).astype(np.float32)
    fitted = np.concatenate([parts["train"], parts["validation"]]) if fold_validation else parts["train"]
    part = Split(x[fitted], y[fitted], x[parts["validation"]], y[parts["validation"]])
    return Run(part, x[parts["test"]], y[parts["test"]], parts["test"].astype(np.int32))


def _unskewed(values: np.ndarray, train: np.ndarray, limit: float) -> np.ndarray:
    part = values[train]
    spread = part.std()
    skewed = len(np.unique(part)) > 2 and spread > 0 and abs((((part - part.mean()) / spread) ** 3).mean()) > limit
    return np.sign(values) * np.log1p(np.abs(values)) if skewed else values


def _standardised(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    spread = values[train].std()
    return (values - values[train].mean()) / (spread if spread > 0 else 1.0)


def describe(path: str | Path) -> str:
    """One line about a prepared table."""
    table = records.read(path)
    known = records.metadata_of(table)
    return json.dumps({k: known[k] for k in ("dataset", "target", "rows", "rows_with_missing_values", "content")})
