"""What the tests of the user's own tables share: a small table of houses, and how it is prepared or refused."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from learner_collusion.data import tabular
from learner_collusion.errors import UserError
from learner_collusion.records import parquet

TOWNS = ("south", "north", "old town, east")
ROWS = [
    (f"{100 + 0.7 * i:.1f}", str(1 + i % 7), TOWNS[i % 3], str(99_000 + 100 * ((37 * i) % 120)), i) for i in range(120)
]
KEPT = {
    "area": [float(area) for area, *_ in ROWS],
    "rooms": [float(rooms) for _, rooms, *_ in ROWS],
    "city": [city for _, _, city, *_ in ROWS],
    "price": [float(price) for *_, price, _ in ROWS],
}


def text(row="{area},{rooms},{city},{price}", header="area,rooms,city,price", rows=ROWS, **twists) -> str:
    """The table as CSV; `row` is a template, and `twists` are functions of the row number that replace a field."""
    lines = [header]
    for area, rooms, city, price, i in rows:
        fields = {"area": area, "rooms": rooms, "city": f'"{city}"', "price": price, "i": i}
        fields |= {name: twist(i) for name, twist in twists.items()}
        lines.append(row.format(**fields))
    return "\n".join(lines) + "\n"


PLAIN = text()


def prepare(folder: Path, content: str | bytes, file="houses.csv", **declared) -> tuple[dict[str, list], str]:
    """The prepared columns, and the summary."""
    (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    table = tabular.Table(**{"file": file, "target": "price"} | declared)
    summary = tabular.prepare(folder / file, folder / "out" / "houses.parquet", "houses", table)
    return parquet.read(folder / "out" / "houses.parquet").to_dict("list"), summary


def refused(folder: Path, content: str | bytes, **declared) -> str:
    """The sentence with which a table is refused."""
    with pytest.raises(UserError) as caught:
        prepare(folder, content, **declared)
    assert "\n" not in str(caught.value) and not (folder / "out").exists()
    return str(caught.value)


def parquet_bytes(**columns) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()
