"""What the columns of the user's own tables are: a value is read as it is meant, or told with its line and column; none is
replaced in silence, and none is guessed."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from own_tables import KEPT, PLAIN, ROWS, parquet_bytes, prepare, refused, text

from learner_collusion.data import splits
from learner_collusion.errors import UserError


def test_a_column_that_counts_the_rows_under_a_name_is_told(tmp_path):
    _, summary = prepare(tmp_path, text("{i},{area},{rooms},{city},{price}", "id,area,rooms,city,price"))
    assert "note: id only counts the rows; list it under drop unless that is a feature" in summary
    _, summary = prepare(tmp_path, text(rooms=lambda i: 3, city=lambda i: "south"))
    assert "note: rooms is the same in every row; city is the same in every row" in summary


@pytest.mark.parametrize("number", [lambda i: 1000 + i, lambda i: 119 - i, lambda i: (37 * i) % 120])
def test_numbers_of_the_rows_from_anywhere_and_in_any_order_are_told(tmp_path, number):
    content = text("{id},{area},{rooms},{city},{price}", "id,area,rooms,city,price", id=number)
    assert "note: id only counts the rows" in prepare(tmp_path, content)[1]


def test_whole_numbers_that_look_like_dates_are_told(tmp_path):
    days = pd.date_range("2021-01-01", periods=120)
    content = text("{day},{area},{price}", "day,area,price", day=lambda i: days[i].strftime("%Y%m%d"))
    assert (
        "note: day looks like dates; if so, give their format, dates: {day: '%Y%m%d'}" in prepare(tmp_path, content)[1]
    )
    values, summary = prepare(tmp_path, content, dates={"day": "%Y%m%d"})
    assert np.diff(values["day"]).tolist() == [1.0] * 119 and "looks like" not in summary


def test_a_target_of_classes_is_refused_or_told(tmp_path):
    _, summary = prepare(tmp_path, text(price=lambda i: i % 3))
    assert "note: price holds 3 different whole numbers; classes are not studied here" in summary
    assert "whole numbers" not in prepare(tmp_path, text(price=lambda i: i % 11))[1]
    (tmp_path / "two").mkdir()
    sentence = refused(tmp_path / "two", text(price=lambda i: i % 2))
    assert "the target, holds two different values, 0 and 1, which are two classes: name another column in" in sentence


def test_numbers_that_cannot_be_computed_with(tmp_path):
    for column in ("area", "price"):
        sentence = refused(tmp_path, seventh("1e160", column))
        assert f"line 8, column {column!r}: '1e160' is too large to compute with: divide the column" in sentence
        sentence = refused(tmp_path, text(**{column: lambda i: f"{i}e-300"}))
        assert f"Column {column!r} of houses.csv differs by less than can be computed with" in sentence
        sentence = refused(tmp_path, seventh("12345678901234567891", column))
        assert f"column {column!r}: '12345678901234567891' is a whole number beyond 2^53, which would be" in sentence
    assert prepare(tmp_path, seventh("1152921504606846976", "area"))[0]["area"][6] == 2.0**60


def seventh(value, column):
    """The table with another value in its seventh row, line 8."""
    return text(**{column: lambda i: value if i == 6 else ROWS[i][{"area": 0, "rooms": 1, "price": 3}[column]]})


@pytest.mark.parametrize("column", ["area", "price"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("inf", "'inf' is not a finite number; correct it, or list it in tables.houses.missing"),
        ("-Infinity", "'-Infinity' is not a finite number"),
        ("1e999", "'1e999' is not a finite number"),
        ("12 m2", "'12 m2' is not a number, as other values of the column are; list it in tables.houses.missing, or "),
        ("unknown", "'unknown' is not a number, as other values of the column are"),
        ("-", "'-' is not a number"),
        ("1_000", "'1_000' is not a number; if it stands for 1000, set tables.houses.thousands to '_'"),
        ('"1,000"', "'1,000' is not a number; if it stands for 1000, set tables.houses.thousands to ','"),
        ('"1.000,5"', "stands for 1000.5, set tables.houses.thousands to '.' and tables.houses.decimal to ','"),
        ('"1,5"', "'1,5' is not a number; if its comma is a decimal one, set tables.houses.decimal to ','"),
        ("1 000", "'1 000' is not a number; if it stands for 1000, set tables.houses.thousands to ' '"),
        ("12%", "'12%' is not a number"),
        ("$12", "'$12' is not a number"),
        ("0x1F", "'0x1F' is not a number"),
        ("1.2.3", "'1.2.3' is not a number"),
        ("true", "'true' is not a number"),
    ],
)
def test_a_value_that_is_no_number_is_told_with_line_and_column(tmp_path, column, value, words):
    sentence = refused(tmp_path, seventh(value, column))
    assert sentence.startswith(f"houses.csv, line 8, column {column!r}: ") and words in sentence


@pytest.mark.parametrize("value", ["{:,}", "{:_}", "${}", "{}%", "0x{:x}"])
def test_a_whole_column_of_such_values_is_no_category(tmp_path, value):
    content = text(area=lambda i: '"' + value.format(1000 + i % 5) + '"')
    assert "line 2, column 'area'" in refused(tmp_path, content)


def test_a_semicolon_file_of_threes_is_asked_about(tmp_path):
    """99.100 is 99100 or 99.1; one number with other decimals tells."""
    threes = text("{rooms};{city};{price}", "rooms;city;price", price=lambda i: f"{int(ROWS[i][3]) / 1000:.3f}")
    sentence = refused(tmp_path, threes)
    assert "has '99.000' and no number that tells whether that is 99000: set tables.houses.thousands to '.'" in sentence
    assert prepare(tmp_path, threes, thousands=".")[0]["price"] == KEPT["price"]
    assert prepare(tmp_path, threes, decimal=".")[0]["price"] == [price / 1000 for price in KEPT["price"]]
    assert prepare(tmp_path, threes.replace("99.000", "99.0"))[0]["price"][0] == 99.0
    (tmp_path / "both").mkdir()
    assert "decimal and tables.houses.thousands are both '.'" in refused(
        tmp_path / "both", threes, decimal=".", thousands="."
    )


def test_words_that_count_as_missing_are_counted_and_told(tmp_path):
    twisted = text(area=lambda i: "NA" if i % 40 == 0 else ROWS[i][0], rooms=lambda i: "?" if i == 5 else ROWS[i][1])
    values, summary = prepare(tmp_path, twisted)
    assert len(values["price"]) == 116 and "missing: area 3 ('NA'), rooms 1 ('?'): 4 of 120 rows left out" in summary
    values, summary = prepare(tmp_path, twisted, incomplete="mean")
    assert len(values["price"]) == 120 and np.isclose(values["area"][0], np.mean(values["area"]))
    assert "filled with the mean" in summary
    own = text(area=lambda i: "-999.0" if i == 0 else "." if i == 1 else "" if i == 2 else ROWS[i][0])
    values, summary = prepare(tmp_path, own, missing=("-999", "."))
    assert values["area"] == KEPT["area"][3:] and "area 3 ('-999.0', '.', empty)" in summary
    towns = text(city=lambda i: "NA" if i % 2 else "south")
    assert set(prepare(tmp_path, towns, missing=())[0]["city"]) == {"NA", "south"}
    assert prepare(tmp_path, towns)[0]["city"] == ["south"] * 60


def test_rows_lost_to_an_empty_column(tmp_path):
    half = text(
        "{note},{area},{rooms},{city},{price}", "note,area,rooms,city,price", note=lambda i: "seen" if i % 2 else ""
    )
    values, summary = prepare(tmp_path, half, drop=("note",))
    assert values == KEPT and "not used: note (listed under drop)" in summary
    assert len(prepare(tmp_path, half)[0]["price"]) == len(
        prepare(tmp_path, half, drop=("note",), incomplete="leave_out_any")[0]["price"]
    ) == 60  # fmt: skip
    (tmp_path / "none").mkdir()
    empty = text("{note},{area},{rooms},{city},{price}", "note,area,rooms,city,price", note=lambda i: "")
    assert "'note' of houses.csv has no value in any row: list it in tables.houses.drop" in refused(
        tmp_path / "none", empty
    )
    either = text(area=lambda i: "" if i % 2 else 1, rooms=lambda i: 1 if i % 2 else "")
    assert "no row without missing values ('area' lacks 60 of 120)" in refused(tmp_path / "none", either)


def test_dates_are_declared_or_told(tmp_path):
    def sold(form):
        days = pd.date_range("2021-01-01", periods=120, freq="D")
        return text(
            "{sold},{area},{rooms},{city},{price}", "sold,area,rooms,city,price", sold=lambda i: days[i].strftime(form)
        )

    month_first = sold("%m/%d/%Y")
    sentence = refused(tmp_path, month_first)
    assert "line 2, column 'sold': '01/01/2021' is a date; list the column in tables.houses.drop" in sentence
    assert sentence.endswith("{sold: '%m/%d/%Y'}.")
    unclear = "\n".join(month_first.splitlines()[:13])  # up to January 12
    assert "{sold: '%m/%d/%Y'} or {sold: '%d/%m/%Y'}, whichever is right" in refused(tmp_path, unclear)
    assert "{sold: '%Y-%m-%d'}" in refused(tmp_path, sold("%Y-%m-%d"))
    assert "{sold: '%d %b %Y'}" in refused(tmp_path, sold("%d %b %Y"))
    values, summary = prepare(tmp_path, month_first, dates={"sold": "%m/%d/%Y"})
    assert values["sold"] == [18628.0 + i for i in range(120)] and "days since 1970-01-01: sold" in summary
    assert prepare(tmp_path, month_first, drop=("sold",))[0] == KEPT
    assert prepare(tmp_path, sold("%m/%d/%Y 12:00"), dates={"sold": "%m/%d/%Y %H:%M"})[0]["sold"][0] == 18628.5
    (tmp_path / "wrong").mkdir()
    sentence = refused(tmp_path / "wrong", month_first, dates={"sold": "%d/%m/%Y"})
    assert "line 14, column 'sold': '01/13/2021' is no date in the format '%d/%m/%Y'" in sentence


def test_truth_values_are_1_and_0_and_no_target(tmp_path):
    for true, false in (("True", "False"), ("TRUE", "FALSE"), ("true", "false")):
        garden = text("{garden},{area},{rooms},{city},{price}", "garden,area,rooms,city,price",
                      garden=lambda i, words=(true, false): words[i % 2])  # fmt: skip
        values, summary = prepare(tmp_path, garden)
        assert values == {"garden": [1.0, 0.0] * 60, **KEPT} and "True and False as 1 and 0: garden" in summary
    assert set(prepare(tmp_path, garden, categorical=("garden", "city"))[0]["garden"]) == {"true", "false"}
    (tmp_path / "target").mkdir()
    sentence = refused(tmp_path / "target", text(price=lambda i: i % 2 == 0))
    assert "'True' is one of two classes" in sentence and "only regression is studied here" in sentence


def test_words_as_target_are_refused(tmp_path):
    sentence = refused(tmp_path, text(price=lambda i: ("dear", "cheap")[i % 2]))
    assert (
        "line 2, column 'price': 'dear' is a word and not a number; name another column in tables.houses.target"
        in sentence
    )
    assert "only regression is studied here" in sentence


def test_nothing_to_learn_is_told(tmp_path):
    assert "'price' of houses.csv, the target, holds 1 in every row" in refused(tmp_path, text(price=lambda i: 1))
    assert "has no column but 'price' to learn from" in refused(tmp_path, PLAIN, drop=("area", "rooms", "city"))
    negative = text(price=lambda i: i - 3)
    assert "line 2, column 'price': -3 has no logarithm" in refused(tmp_path, negative, log_target=True)
    prepare(tmp_path, "\n".join(PLAIN.splitlines()[:13]))
    with pytest.raises(UserError, match="has 12 rows, too few to split"):
        splits.load_run(
            tmp_path / "out/houses.parquet", {"test": 0.2, "validation": 0.2}, 1.0, np.random.default_rng(0)
        )


def test_free_text_and_many_levels_are_told_and_declared_ones_taken(tmp_path):
    words = text(city=lambda i: f"street {chr(97 + i % 26)}{i // 26}")
    sentence = refused(tmp_path, words)
    assert (
        "'city' of houses.csv has 120 different words in 120 rows, such as 'street a0': list it in tables.houses.drop"
        in sentence
    )
    assert len(set(prepare(tmp_path, words, categorical=("city",))[0]["city"])) == 120
    assert "city" not in prepare(tmp_path, words, drop=("city",))[0]


def test_numbers_that_are_declared_as_categories_keep_their_spelling(tmp_path):
    values, summary = prepare(tmp_path, text(rooms=lambda i: f"0{i % 2}"), categorical=("rooms", "city"))
    assert set(values["rooms"]) == {"00", "01"} and "categories: rooms (2: 00, 01)" in summary
    content = parquet_bytes(zone=pa.array([i % 2 for i in range(120)]), price=pa.array(KEPT["price"]))
    assert set(prepare(tmp_path, content, categorical=("zone",))[0]["zone"]) == {"0", "1"}


def test_of_words_the_one_that_is_no_name_is_told(tmp_path):
    content = text(city=lambda i: "north" if i != 6 else "12%")
    assert "line 8, column 'city': '12%' is not a number; correct it, or list the column in" in refused(
        tmp_path, content
    )
    assert set(prepare(tmp_path, content, categorical=("city",))[0]["city"]) == {"north", "12%"}
    ranges = text(city=lambda i: ("1-2", "3-4", "10:30", "n° 5")[i % 4])
    assert set(prepare(tmp_path, ranges)[0]["city"]) == {"1-2", "3-4", "10:30", "n° 5"}
