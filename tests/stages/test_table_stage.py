"""The command `table`: every entry of the registry, from settings and from the configuration."""

import pytest
import yaml

from learner_collusion import cli
from learner_collusion.plan import settings as plan
from learner_collusion.publishing.registry import TABLES
from learner_collusion.records import parquet
from learner_collusion.stages.table import Settings


@pytest.fixture
def folder(tmp_path, monkeypatch, config):
    """A folder with the paper's configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if not table.reads])
def test_from_the_configuration(folder, name):
    assert cli.main(["table", "--config", "config.yaml", "--table", name]) == 0
    text = (folder / f"results/tables/{name}.md").read_text()
    assert text.startswith(f"# {TABLES[name].title}\n") and "Fidelity" not in text
    assert (folder / f"results/tables/{name}.parquet").stat().st_size


def test_the_settings_of_every_table(config):
    for name, table in TABLES.items():
        found = plan.convert(plan.take(config, config, "table", name), Settings)
        assert found.model == table.model and found.cases == config["theory"]["cases"], name


def test_from_settings_to_chosen_files(folder):
    settings = {"note": "Fidelity 'ci'.", "seed": 0, "cases": 30, "model": None, "options": {}}
    (folder / "s.yaml").write_text(yaml.safe_dump(settings))
    assert cli.main(["table", "--settings", "s.yaml", "--table", "table2_losses", "--output", "a.md"]) == 0
    assert (folder / "a.parquet").exists() and "30 random examples" in (folder / "a.md").read_text()
    more = ["--output", "b.md", "--parquet", "c.parquet"]
    assert cli.main(["table", "--settings", "s.yaml", "--table", "table2_losses", *more]) == 0
    assert (folder / "a.md").read_bytes() == (folder / "b.md").read_bytes()
    one, same = (parquet.read_arrow(folder / f"{name}.parquet") for name in "ac")
    assert one.equals(same) and parquet.read_made(folder / "a.parquet")[1]["beside"].keys() == {"a.md"}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("cases", "many", "at cases"),
        ("model", "resnet99", "The model 'resnet99' is unknown"),
        ("model", "no_such_package.Net", "cannot be imported"),
    ],
)
def test_wrong_settings_are_told(folder, capsys, key, value, words):
    settings = {"note": "", "seed": 0, "cases": 30, "model": "cnn", "options": {}} | {key: value}
    (folder / "s.yaml").write_text(yaml.safe_dump(settings))
    assert cli.main(["table", "--settings", "s.yaml", "--table", "table3_cnn"]) == 1
    assert words in capsys.readouterr().err and not (folder / "results").exists()
