"""Files of the user's own tables: packing, encodings, separators, headers, Parquet, and the collection of twisted tables."""

import gzip
import io
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import ROOT
from own_tables import KEPT, PLAIN, ROWS, parquet_bytes, prepare, refused, text

from learner_collusion.data import splits, tabular
from learner_collusion.data.declared import Table
from learner_collusion.errors import UserError

CASES = ROOT.parent / "shared" / "cases" / "tables"


def test_a_plain_table_needs_a_file_and_a_target_and_the_summary_says_what_was_read(tmp_path):
    values, summary = prepare(tmp_path, PLAIN)
    assert values == KEPT
    head, *lines = summary.splitlines()
    assert head == "houses: 120 rows of houses.csv, 3 features to learn price from"
    assert "  file: UTF-8, separated by commas, decimal point" in lines
    assert "  target: price, 99000 to 110900, 120 different values" in lines and "  numbers: area, rooms" in lines
    assert "  categories: city (3: north, 'old town, east', south)" in lines
    assert any("null: found in the file" in line and "log_target: false" in line for line in lines)
    assert "missing:" not in summary.replace("missing: [", "") and "not used" not in summary


WAYS = {
    "tabs": (PLAIN.replace(",", "\t").replace("old town\t", "old town,"), {}, "separated by tabs, decimal point"),
    "semicolons, decimal comma": (
        text("{area};{rooms};{city};{price}", "area;rooms;city;price").replace(".", ","), {},
        "separated by semicolons, decimal comma",
    ),
    "bars": (text("{area}|{rooms}|{city}|{price}", "area|rooms|city|price"), {}, "separated by bars"),
    "another mark, declared": (text("{area}~{rooms}~{city}~{price}", "area~rooms~city~price"), {"separator": "~"}, "'~'"),
    "gzip": (gzip.compress(PLAIN.encode()), {}, "separated by commas"),
    "byte-order mark": (b"\xef\xbb\xbf" + PLAIN.encode(), {}, "UTF-8"),
    "UTF-16": (PLAIN.encode("utf-16"), {}, "UTF-16"),
    "UTF-16 without a mark, declared": (PLAIN.encode("utf-16-le"), {"encoding": "utf-16-le"}, "UTF-16-LE"),
    "lines of Windows": (PLAIN.replace("\n", "\r\n"), {}, "separated by commas"),
    "lines of old Macintosh": (PLAIN.replace("\n", "\r"), {}, "separated by commas"),
    "quotes everywhere": (text('"{area}","{rooms}",{city},"{price}"', '"area","rooms","city","price"'), {}, "commas"),
    "thousands, declared": (
        text(price=lambda i: f'"{int(ROWS[i][3]):,}"'), {"thousands": ","}, "separated by commas, decimal point",
    ),
    "thousands with a point, decimal comma": (
        text("{area};{rooms};{city};{price}", "area;rooms;city;price", area=lambda i: ROWS[i][0].replace(".", ","),
             price=lambda i: f"{int(ROWS[i][3]):,}".replace(",", ".")), {"thousands": "."}, "decimal comma",
    ),
    "thousands with underscores": (text(price=lambda i: f"{int(ROWS[i][3]):_}"), {"thousands": "_"}, "commas"),
    "decimal comma between commas": (text(area=lambda i: f'"{ROWS[i][0]}"'.replace(".", ",")), {"decimal": ","}, "comma"),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_the_same_table_written_in_many_ways_gives_the_same_values(tmp_path, way):
    content, declared, told = WAYS[way]
    values, summary = prepare(tmp_path, content, **declared)
    assert values == KEPT and told in summary


def test_parquet_with_its_types(tmp_path):
    columns = {name: pa.array(values) for name, values in KEPT.items()}
    columns |= {
        "rooms": pa.array([int(rooms) for rooms in KEPT["rooms"]], pa.int16()),
        "city": columns["city"].dictionary_encode(),
        "garden": pa.array([i % 2 == 0 for i in range(120)]),
        "__index_level_0__": pa.array(range(120)),
    }
    order = ("__index_level_0__", "garden", "area", "rooms", "city", "price")
    values, summary = prepare(tmp_path, parquet_bytes(**{name: columns[name] for name in order}), "houses.parquet")
    assert values == {"garden": [1.0, 0.0] * 60, **KEPT}
    assert "file: Parquet" in summary and "__index_level_0__ (it only numbers the rows)" in summary
    missing = pa.array([None, *KEPT["area"][1:]])
    values, summary = prepare(tmp_path, parquet_bytes(**{**columns, "area": missing}), "houses.parquet",
                              drop=("__index_level_0__",))  # fmt: skip
    assert values["price"] == KEPT["price"][1:] and "missing: area 1 (empty): 1 of 120 rows left out" in summary


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([float("inf"), *KEPT["area"][1:]]), "row 1, column 'area': 'inf' is not a finite number"),
        (pa.array([2**60 + 1, *range(119)]), "holds whole numbers beyond 2\\^53"),
        (pa.array([[1.0]] * 120), "'area' of houses.csv holds list<"),
        (pa.array(pd.date_range("2020-01-01", periods=120)), "'2020-01-01' is a date; .* {area: '%Y-%m-%d'}"),
        (
            pa.array(pd.date_range("2020-01-01 01:00", periods=120)),
            "'2020-01-01 01:00:00' is a date; .*%Y-%m-%d %H:%M:%S'}",
        ),
        (pa.array(["1,5"] * 120), "row 1, column 'area': '1,5' is not a number"),
        (pa.nulls(120), "'area' of houses.csv has no value in any row"),
    ],
)
def test_parquet_is_checked_alike(tmp_path, column, words):
    content = parquet_bytes(area=column, price=pa.array(KEPT["price"]))
    assert re.search(words, refused(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "houses.csv is empty"),
        (b"\n \n", "houses.csv is empty"),
        (b"area,rooms,city,price\n", "holds no rows"),
        (PLAIN.replace("area", "größe").encode("latin-1"), "line 1, is not UTF-8 text: declare its encoding in tables.houses.encoding, such as latin-1"),
        ((PLAIN + "1,1,Köln,3\n").encode("cp1252"), "line 122, is not UTF-8 text"),
        (PLAIN.encode("utf-16-le"), "utf-16-le"),
        (b"PK\x03\x04....", "a spreadsheet or a zip archive: save the table as CSV"),
        (b"BZh9....", "compressed with bzip2: unpack it, or use gzip"),
        (gzip.compress(PLAIN.encode())[:-20], "is damaged"),
        (b"PAR1....", "not a complete Parquet file"),
        (b"<!DOCTYPE html><html></html>", "is a web page and no table"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_told(tmp_path, content, words):
    assert words in refused(tmp_path, content)


def test_a_declared_encoding(tmp_path):
    content = PLAIN.replace("area", "größe").encode("latin-1")
    assert "größe" in prepare(tmp_path, content, encoding="latin-1")[0]
    other = tmp_path / "other"
    other.mkdir()
    assert "encoding 'latin-99' is unknown: correct tables.houses.encoding" in refused(
        other, content, encoding="latin-99"
    )
    assert "is not UTF-8 text: declare its encoding in tables.houses.encoding, such as another" in refused(
        other, content, encoding="utf-8"
    )


HEADERS = {
    "a clash": ("area,area,city,price", {}, "has 2 columns named 'area': rename or remove them"),
    "a clash but for spaces": ("area, area ,city,price", {}, "has 2 columns named 'area'"),
    "nameless": ("area,,city,price", {}, "has no name for column 2; name it, or remove it"),
    "numbers": ("1.5,2,south,99000", {}, "its first line holds numbers, such as 1.5: if no line of it has the names, list them in tables.houses.columns"),
    "a near miss": ("area,rooms,city,prize", {}, "has no column 'price', which tables.houses names: did you mean 'prize'?"),
    "no such column": ("area,rooms,city,price", {"drop": ("xyz",)}, "no column 'xyz', which tables.houses names: it has area, rooms, city, price."),
    "no such date": ("area,rooms,city,price", {"dates": {"sold": "%Y"}}, "has no column 'sold'"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HEADERS)
def test_headers_that_do_not_fit_are_told(tmp_path, kind):
    header, declared, words = HEADERS[kind]
    assert words in refused(tmp_path, text(header=header), **declared)


def test_a_separator_in_a_quoted_header_does_not_count(tmp_path):
    values, _ = prepare(tmp_path, text(header='area,"rooms; all",city,price'))
    assert values["rooms; all"] == KEPT["rooms"]
    values, summary = prepare(tmp_path, text(header="area,rooms; all,city,price"))  # the rows have no semicolon
    assert values["rooms; all"] == KEPT["rooms"] and "separated by commas" in summary
    (tmp_path / "two").mkdir()
    assert "separated by commas or semicolons: say which, in tables.houses.separator" in refused(
        tmp_path / "two", "a,b;price\n1,2;3\n4,5;6\n"
    )


def test_an_index_column_is_left_out_and_told_and_a_trailing_separator_is_a_sentence(tmp_path):
    for header in (",area,rooms,city,price", "Unnamed: 0,area,rooms,city,price"):
        for index in (lambda i: i, lambda i: i + 1, lambda i: 7 * i + 3, lambda i: f"house {i}"):
            values, summary = prepare(tmp_path, text("{index},{area},{rooms},{city},{price}", header, index=index))
            assert (
                values == KEPT and "not used: the first column, " in summary and "it only numbers the rows" in summary
            )
    (tmp_path / "out" / "houses.parquet").unlink()
    (tmp_path / "out").rmdir()
    measured = text("{index},{area},{rooms},{city},{price}", ",area,rooms,city,price", index=lambda i: i / 7)
    assert "has no name for column 1; name it" in refused(tmp_path, measured)
    trailing = text("{area},{rooms},{city},{price},", "area,rooms,city,price,")
    assert "no name for column 5, which is empty: a separator at the end of each line makes one" in refused(
        tmp_path, trailing
    )
    assert "line 2: expected 4 fields, got 5" in refused(tmp_path, text("{area},{rooms},{city},{price},"))


def test_a_line_is_counted_where_fields_span_lines(tmp_path):
    content = "\n" + text(city=lambda i: '"old\ntown"' if i == 2 else "south").replace("100.7", "x")
    assert "houses.csv, line 4, column 'area': 'x'" in refused(tmp_path, content)
    content = "\n" + text(city=lambda i: '"old\ntown"' if i == 2 else "south").replace("102.8", "x")
    assert "houses.csv, line 8, column 'area': 'x'" in refused(tmp_path, content)


# What is right for each file of the collection; words of its sentence, or the columns and rows that it gives.
COLLECTION = {
    "plain.csv": ({}, 120), "decimal_comma.csv": ({}, 120), "tabs.tsv": ({}, 120), "booleans.csv": ({}, 120),
    "index_column.csv": ({}, 120), "missing_words.csv": ({}, 107),
    "empty_dropped_column.csv": ({"drop": ("note",)}, 120),
    "month_first.csv": ({"dates": {"sold": "%m/%d/%Y"}}, 120),
    "latin1.csv": ({"encoding": "latin-1"}, 120),
}  # fmt: skip
REFUSED = {
    "thousands.csv": "if it stands for 206125, set tables.houses.thousands to ','",
    "infinite.csv": "line 9, column 'area': 'inf' is not a finite number",
    "duplicate_column.csv": "has 2 columns named 'area'",
    "trailing_comma.csv": "has no name for column 5",
    "month_first.csv": "is a date; list the column in tables.houses.drop, or its format in tables.houses.dates: {sold: '%m/%d/%Y'}",
    "underscore.csv": "'206_125' is not a number",
    "latin1.csv": "such as latin-1",
    "constant_target.csv": "holds 1 in every row",
    "words_target.csv": "'dear' is a word and not a number",
}


@pytest.mark.skipif(not CASES.is_dir(), reason="the collection of twisted tables is not here")
@pytest.mark.parametrize("file", sorted({*COLLECTION, *REFUSED, "twelve_rows.csv"}))
def test_the_collection_of_twisted_tables(tmp_path, file):
    content = (CASES / file).read_bytes()
    if file in REFUSED:
        assert REFUSED[file] in refused(tmp_path, content, file=file)
    if file in COLLECTION:
        declared, rows = COLLECTION[file]
        values, _ = prepare(tmp_path, content, file, **declared)
        plain, _ = prepare(tmp_path, (CASES / "plain.csv").read_bytes())
        assert len(values["price"]) == rows and set(values["price"]) <= set(plain["price"])
        if rows == 120:
            assert all(values[name] == plain[name] for name in ("rooms", "city", "price"))
    if file == "thousands.csv":
        plain, _ = prepare(tmp_path, (CASES / "plain.csv").read_bytes())
        assert prepare(tmp_path, content, thousands=",")[0] == plain
    if file == "twelve_rows.csv":
        prepare(tmp_path, content)
        with pytest.raises(UserError, match="12 rows, too few to split"):
            shares = {"test": 0.2, "validation": 0.2}
            splits.load_run(tmp_path / "out/houses.parquet", shares, 1.0, np.random.default_rng(0))


@pytest.mark.skipif(not CASES.is_dir(), reason="the collection of twisted tables is not here")
def test_every_file_of_the_collection_is_tried():
    assert {path.name for path in CASES.iterdir()} == {*COLLECTION, *REFUSED, "twelve_rows.csv"}


@pytest.mark.parametrize("packing", ["text", "gzip", "Parquet"])
def test_damaged_anywhere_a_table_is_read_or_refused_in_a_sentence(tmp_path, packing, random):
    """Bits flipped, cut, and bytes put in that mean something to one of the formats."""
    whole = {
        "text": PLAIN.encode(),
        "gzip": gzip.compress(PLAIN.encode()),
        "Parquet": parquet_bytes(**pd.read_csv(io.StringIO(PLAIN)).to_dict("list")),
    }
    words = [b"\0", b'"', b",", b";", b"nan", b"1e999", b"\xff", b"\xef\xbb\xbf", b"\r", b"9" * 400]
    for _ in range(150):
        content = bytearray(whole[packing])
        place = int(random.integers(len(content)))
        match int(random.integers(3)):
            case 0:
                content[place] ^= 1 << int(random.integers(8))
            case 1:
                content[place : place + 1] = words[int(random.integers(len(words)))]
            case 2:
                del content[place:]
        (tmp_path / "houses.csv").write_bytes(content)
        try:
            tabular.prepare(tmp_path / "houses.csv", tmp_path / "o.parquet", "mine", Table("houses.csv", "price"))
        except UserError as error:
            assert "\n" not in str(error)


def test_words_that_are_no_utf8_and_dates_far_away(tmp_path):
    table = pd.read_csv(io.StringIO(PLAIN)).assign(day="2820-01-21")
    content = parquet_bytes(**table.to_dict("list")).replace(b"south", b"s\xffuth")
    assert "houses.csv is not a complete Parquet file" in refused(tmp_path, content, drop=["day"])
    said = refused(tmp_path, table.to_csv(index=False), dates={"day": "%Y-%m-%d"}, categorical=["city"])
    assert "'2820-01-21' is too far from 1970: correct it" in said
