"""Tables of the configuration: what an entry leaves out, where the user's own files lie, and which names are taken."""

import pytest
import yaml
from conftest import ROOT

from learner_collusion.errors import UserError
from learner_collusion.plan import configuration, settings, tables
from learner_collusion.plan.configuration import overlay

PAPER = ROOT / "config.yaml"


def load(folder, text: str, name="mine.yaml") -> dict:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return configuration.load_all([PAPER, folder / name])


def test_file_and_target_are_enough(tmp_path, config):
    found = load(tmp_path, "tables: {houses: {file: houses.csv, target: price}}")
    mine = found["tables"]["houses"]
    assert mine["file"] == str(tmp_path / "houses.csv") and mine["title"] == "houses" and mine["categorical"] is None
    assert {name: table for name, table in found["tables"].items() if name != "houses"} == config["tables"]
    assert yaml.safe_load(settings.as_yaml(found)) == found  # it is written down beside the results
    read = settings.take(found, config, "prepare", "houses")
    assert read["file"] == "houses.csv" and "path" not in read
    assert settings.take(found, config, "fetch", "houses")["path"] == str(tmp_path / "houses.csv")
    # the finished configuration is a preset as well
    again = load(tmp_path / "elsewhere", settings.as_yaml(found))
    assert again["tables"]["houses"] == mine


def test_a_relative_path_counts_from_the_preset_that_names_it(tmp_path, monkeypatch):
    (tmp_path / "b").mkdir()
    (tmp_path / "b/other.yaml").write_text("tables: {houses: {title: Houses}}")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/mine.yaml").write_text("tables: {houses: {file: ../houses.csv, target: price, missing: [-999, x]}}")
    monkeypatch.chdir(tmp_path)
    for a in ("a", tmp_path / "a"):
        found = configuration.load_all([PAPER, f"{a}/mine.yaml", "b/other.yaml"])["tables"]["houses"]
        assert found["file"] == str(tmp_path / "houses.csv") and found["title"] == "Houses"
        assert found["missing"] == ["-999", "x"]
    typed = {"tables": {"houses": {"file": "h.csv", "target": "y"}}, "tabular": {"datasets": ["houses"]}}
    found = tables.complete(typed, {"tables": {}}, [PAPER], tmp_path / "start")["tables"]["houses"]
    assert found["file"] == str(tmp_path / "start/h.csv")  # from the command line


def test_an_address_as_file(tmp_path, config):
    found = load(tmp_path, "tables: {houses: {file: 'https://example.org/a%20b/houses%201.csv?dl=1', target: price}}")
    mine = found["tables"]["houses"]
    assert mine["url"] == "https://example.org/a%20b/houses%201.csv?dl=1" and mine["file"] == "houses 1.csv"
    fetched = settings.take(found, config, "fetch", "houses")
    assert fetched["mirror"] is False and "path" not in fetched
    assert "mirror" not in settings.take(config, config, "fetch", "weather")


@pytest.mark.parametrize("name", ["my_houses", "Houses-2021", "2021"])
def test_names_of_tables(tmp_path, name):
    assert load(tmp_path, f"tables: {{'{name}': {{file: h.csv, target: y}}}}")["tables"][name]["title"] == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tables: {abalone: {file: snails.csv}}", "tables.abalone is a table of this project, and its file is abalone.data: give the table of snails.csv another name"),
        ("tables: {diabetes: {file: mine.csv, target: target}}", "tables.diabetes is a table of this project"),
        ("tables: {houses: {file: h.csv}}", "tables.houses lacks a key: 'target'"),
        ("tables: {houses: {file: h.csv, target: y, taget: z}}", "unknown key 'tables.houses.taget': did you mean 'target'"),
        ("tables: {houses: {file: h.csv, target: y, url: houses.csv}}", "tables.houses.url is wrong"),
        ("tables: {houses: {file: h.csv, target: y, dates: {sold: ISO8601}}}", "tables.houses.dates.sold is wrong"),
        ("tables: {houses: {file: h.csv, target: y, missing: mean}}", "tables.houses.missing is wrong"),
        ("tables: {'my houses': {file: h.csv, target: y}}", "tables is wrong: 'my houses' does not match"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_sentence(tmp_path, text, words):
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_another_address_of_the_papers_file_is_no_table_of_ones_own(config):
    moved = overlay(config, {"tables": {"abalone": {"url": "https://example.org/abalone.data"}}})
    assert tables.complete(moved, config, [], ".")["tables"] == moved["tables"]


HERE, AWAY = (
    {"file": "houses.csv", "target": "price"},
    {"file": "x.csv", "target": "y", "url": "http://127.0.0.1:9/x.zip"},
)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        *((AWAY | {"file": name}, "must be the name of a file, without a folder") for name in ("../../x", "/etc/passwd", "a/x.csv", "..", ".", "a/..")),
        *((HERE | {"file": name}, "must be the path of a file") for name in ("..", ".", "/", "a/..")),
        (HERE | {"file": "http://127.0.0.1:9/a%2f..%2f..%2fx.csv"}, "must be the path of a file"),
        (HERE | {"file": "http://[::1/x.csv"}, "has the address 'http://.::1/x.csv', which is none"),
        (AWAY | {"url": "http://127.0.0.1:99999999/x"}, "which is none"),
        (AWAY | {"url": "http://"}, "names no host"),
        (HERE | {"file": "{b}.csv"}, "takes no braces in its name: rename the file"),
        (AWAY | {"file": "x" * 300}, "more than 200 bytes"),
        (HERE | {"separator": ",", "decimal": ","}, "tables.mine.separator and tables.mine.decimal are both ','"),
        (HERE | {"decimal": ",", "thousands": ","}, "tables.mine.decimal and tables.mine.thousands are both ','"),
        *((HERE | {"separator": mark}, "which parts no columns") for mark in ("a", "1", '"', "-", "\n")),
        *((HERE | {"encoding": name}, "which is unknown") for name in ("utf8x", "rot13", "hex")),
        *((HERE | {"dates": {"day": form}}, "dates.day is .*, which is no format of dates") for form in ("%", "%Q", "%Y-%")),
        (HERE | {"columns": ["a", "b"]}, "columns lacks the target 'price'"),
        (HERE | {"columns": ["a", "price"], "drop": ["a"]}, "drop leaves no column to learn 'price' from"),
    ],
)  # fmt: skip
def test_what_a_table_may_not_say(table, words):
    with pytest.raises(UserError, match=words) as said:
        tables.check({"mine": table})
    assert "\n" not in str(said.value)


def test_what_a_table_may_say(config):
    tables.check(config["tables"])
    for more in (
        {"separator": "\t"}, {"separator": ";", "decimal": ","}, {"encoding": "latin-1"}, {"dates": {"day": "%d.%m.%Y"}},
        {"file": "../a/b.csv"}, {"file": "file:///a/b.csv"}, {"columns": ["price", "a"], "drop": ["price"]},
    ):  # fmt: skip
        tables.check({"mine": HERE | more})


def test_a_folder_with_braces_is_told_before_any_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "k {y}").mkdir()
    (tmp_path / "k {y}/h.csv").write_text("a,price\n1,2\n")
    config = {"tables": {"mine": HERE | {"file": str(tmp_path / "k {y}/h.csv")}}}
    assert "has braces, which Snakemake takes for its own: rename its folder" in tables.not_there(config, ["mine"])
    monkeypatch.chdir(tmp_path / "k {y}")  # from here its path has none
    assert not tables.not_there(config, ["mine"])
