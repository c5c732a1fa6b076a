"""`new-study`: the preset that it writes, what it says, and what it refuses."""

import argparse
import re
import shutil

import pytest
import yaml
from own_tables import PLAIN, text

from learner_collusion.errors import UserError
from learner_collusion.plan import configuration, new_study


def run(*arguments) -> int:
    parser = argparse.ArgumentParser()
    new_study.add_arguments(parser)
    return new_study.run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a table as the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "houses.csv").write_text(PLAIN)
    return tmp_path


def declared(preset) -> dict:
    """The tables that a preset adds, as the workflow has them."""
    found = configuration.load_all([configuration.PAPER, preset])
    assert found["fidelity"] == found["tabular"]["datasets"][0] and found["parts"] == ["tabular"]
    return {name: found["tables"][name] for name in found["tabular"]["datasets"]}


def test_the_preset_names_the_table_from_where_it_lies(folder, capsys):
    assert run("houses.csv", "--target", "price") == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "houses/study.yaml is written.\n\nhouses: 120 rows of houses.csv, 3 features to learn price from"
    )
    assert "--configfile houses/study.yaml --directory houses" in said
    assert declared(folder / "houses/study.yaml")["houses"]["file"] == str(folder / "houses.csv")
    commented = (folder / "houses/study.yaml").read_text()
    assert said.splitlines()[-1].strip() in commented
    # beside each other, they may be moved together; further away, the path is absolute
    assert run("houses.csv", "--target", "price", "--directory", folder / "a/b/c") == 0
    assert yaml.safe_load((folder / "a/b/c/study.yaml").read_text())["tables"]["houses"]["file"] == str(
        folder / "houses.csv"
    )
    shutil.move(folder / "houses", folder / "a/houses")
    shutil.copy(folder / "houses.csv", folder / "a/houses.csv")
    assert declared(folder / "a/houses/study.yaml")["houses"]["file"] == str(folder / "a/houses.csv")


@pytest.mark.parametrize(
    ("file", "name", "title"),
    [
        ("houses.csv", "houses", "houses"),
        ("My Houses, 2021.csv", "my_houses_2021", "My Houses, 2021"),
        ("abalone.csv", "my_abalone", "abalone"),
        ("2021.csv", "2021", "2021"),
        ("Häuser: {neu}.tsv", "h_user_neu", "Häuser: {neu}"),
        ("yes.csv", "yes", "yes"),
        ("数据.csv", "table", "数据"),
    ],
)
def test_names_that_yaml_or_the_configuration_would_take_for_something_else(folder, capsys, file, name, title):
    (folder / file).write_text(PLAIN.replace("price", "no: #1"))
    assert run(folder / file, "--target", "no: #1") == 0, capsys.readouterr().out
    table = declared(folder / name / "study.yaml")[name]
    assert (table["title"], table["file"], table["target"]) == (title, str(folder / file), "no: #1")


def test_a_table_that_has_to_be_completed_is_told_and_the_preset_stays(folder, capsys):
    (folder / "houses.csv").write_text(text(price=lambda i: f'"{100 + i},000"'))
    assert run("houses.csv", "--target", "price") == 1
    said = capsys.readouterr().out
    assert "It does not run yet: houses.csv, line 2, column 'price': '100,000' is not a number" in said
    assert "houses: {file: ../houses.csv, target: price, drop: [a column]}" in said and "snakemake" in said
    preset = folder / "houses/study.yaml"
    preset.write_text(preset.read_text().replace("target: price}", 'target: price, thousands: ","}'))
    assert declared(preset)["houses"]["thousands"] == ","


def test_an_address(folder, capsys):
    address = (folder / "houses.csv").as_uri()
    assert run(address, "--target", "price") == 0
    table = declared(folder / "houses/study.yaml")["houses"]
    assert table["url"] == address and table["file"] == "houses.csv"
    assert run(f"{address}.not", "--target", "price", "--directory", "other") == 1
    assert "is not available" in capsys.readouterr().out


def test_what_is_refused_leaves_nothing(folder, monkeypatch):
    with pytest.raises(UserError, match=r"house.csv is not a file: correct the path"):
        run("house.csv", "--target", "price")
    run("houses.csv", "--target", "price")
    with pytest.raises(UserError, match=r"houses/study.yaml exists: edit it, delete it, or give another --directory"):
        run("houses.csv", "--target", "price")
    monkeypatch.setattr(configuration, "REPOSITORY", folder)
    with pytest.raises(UserError, match="clone the repository"):
        run("houses.csv", "--target", "price", "--directory", "other")
    assert sorted(path.name for path in folder.iterdir()) == ["houses", "houses.csv"]


def test_in_the_clone_the_command_is_short(folder, monkeypatch, capsys):
    (folder / "Snakefile").write_text("")
    monkeypatch.setattr(configuration, "REPOSITORY", folder)
    run("houses.csv", "--target", "price")
    assert re.search(r"snakemake --cores all --configfile houses/study\.yaml", capsys.readouterr().out)
