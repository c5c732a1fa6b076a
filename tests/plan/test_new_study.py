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
        ("Häuser: neu.tsv", "h_user_neu", "Häuser: neu"),
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
    assert 'houses: {file: ../houses.csv, target: price, thousands: ","}' in said and "snakemake" in said
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


def test_a_value_that_is_missing_is_told_with_the_key_for_it(folder, capsys):
    (folder / "houses.csv").write_text(text(price=lambda i: "n.a." if i == 3 else 100 + i))
    assert run("houses.csv", "--target", "price") == 1
    said = capsys.readouterr().out
    assert "list it in tables.houses.missing" in said and "target: price, missing: [n.a.]}" in said


@pytest.mark.parametrize(
    ("target", "values", "words"),
    [
        ("Price", None, "houses.csv has no column 'Price', which --target names: did you mean 'price'?"),
        ("cost", None, "has no column 'cost', which --target names: it has area, "),
        ("price", lambda i: "high", "'high' is a word and not a number; name another column in --target"),
        ("price", lambda i: 1, "there is nothing to learn: name another column in --target"),
    ],
)
def test_a_wrong_target_leaves_nothing_in_the_way_of_the_right_one(folder, capsys, target, values, words):
    (folder / "houses.csv").write_text(text(price=values) if values else PLAIN)
    with pytest.raises(UserError) as raised:
        run("houses.csv", "--target", target)
    assert words in str(raised.value) and "tables." not in str(raised.value)
    assert [path.name for path in folder.iterdir()] == ["houses.csv"] and not capsys.readouterr().out
    (folder / "houses.csv").write_text(PLAIN)
    assert run("houses.csv", "--target", "price") == 0


def test_a_table_without_a_line_of_names_gets_its_preset(folder, capsys):
    (folder / "houses.csv").write_text("".join(f"{i},{i % 7},{i * i}\n" for i in range(10, 60)))
    assert run("houses.csv", "--target", "price") == 1
    assert "columns: [the first, the second]}" in capsys.readouterr().out and (folder / "houses/study.yaml").exists()


def test_the_small_run_works_from_anywhere_and_replaces_nothing(folder, capsys):
    assert run("houses.csv", "--target", "price", "--directory", "my study") == 0
    said = capsys.readouterr().out
    command = said.split("makes smaller:\n\n")[1]
    assert f"--snakefile {configuration.REPOSITORY / 'Snakefile'} " in command and command.startswith(
        "learner-collusion run "
    )
    assert "--configfile 'my study/study.yaml' 'my study/small.yaml' --directory 'my study/small'" in command
    paths = [configuration.PAPER, folder / "my study/study.yaml", folder / "my study/small.yaml"]
    tabular = configuration.load_all(paths)["tabular"]
    assert (tabular["runs"], tabular["datasets"]) == (3, ["houses"])
    (folder / "houses").mkdir()
    (folder / "houses/small.yaml").write_text("mine: 1\n")
    with pytest.raises(UserError, match=r"houses/small.yaml exists"):
        run("houses.csv", "--target", "price")
    assert [path.name for path in (folder / "houses").iterdir()] == ["small.yaml"]
    (folder / "my study/study.yaml").unlink()  # as the error for a second call advises
    assert run("houses.csv", "--target", "price", "--directory", "my study") == 0


@pytest.mark.parametrize(
    ("twist", "values", "line"),
    [
        ("price", lambda i: f"{100 + i} 000", 'thousands: " "}'),
        ("price", lambda i: f"{100 + i}_000", 'thousands: "_"}'),
        ("price", lambda i: f'"{100 + i},000"', 'thousands: ","}'),
        ("area", lambda i: "inf" if i == 3 else i, "missing: [inf]}"),
        ("area", lambda i: "n/k" if i == 3 else i, "missing: [n/k]}"),
        ("area", lambda i: f"2021-01-{1 + i % 28:02}", "drop: [area]}"),
        ("city", lambda i: f"street {i}", "drop: [city]}"),
    ],
)
def test_the_line_to_complete_has_the_value_that_the_sentence_names(folder, capsys, twist, values, line):
    """Typed as it stands, the table is read."""
    (folder / "houses.csv").write_text(text(**{twist: values}))
    assert run("houses.csv", "--target", "price") == 1
    said = capsys.readouterr().out
    [completed] = [found for found in said.splitlines() if found.startswith("  houses: {")]
    assert completed.endswith(line)
    preset = folder / "houses/study.yaml"
    table = yaml.safe_load(completed)["houses"]
    table["file"] = str(folder / "houses.csv")
    preset.write_text(yaml.safe_dump(yaml.safe_load(preset.read_text()) | {"tables": {"houses": table}}))
    summary, wrong = new_study._read(preset.read_text(), "houses", "price")
    assert summary and not wrong


def test_too_few_rows_are_told_before_the_run(folder, capsys):
    (folder / "houses.csv").write_text("\n".join(PLAIN.splitlines()[:13]))
    assert run("houses.csv", "--target", "price") == 1
    assert "It does not run yet: houses.csv has 12 rows, too few to split: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("table", "target", "words"),
    [
        ("http://[::1/houses.csv", "price", "is neither a file nor an address"),
        ("houses.csv", "", "--target is empty"),
        ("ho{us}es.csv", "price", "takes no braces in its name: rename the file"),
    ],
)
def test_what_is_no_table_or_target_is_a_sentence(folder, table, target, words):
    (folder / "ho{us}es.csv").write_text(PLAIN)
    with pytest.raises(UserError, match=words):
        run(table, "--target", target)
    assert sorted(path.name for path in folder.iterdir()) == ["houses.csv", "ho{us}es.csv"]


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
