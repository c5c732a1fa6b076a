"""The fetch stage: both families, the mirror, default paths, and what is refused."""

import argparse
import tarfile

import pytest
import yaml
from conftest import ROOT

from learner_collusion.data import sources
from learner_collusion.errors import UserError
from learner_collusion.stages import fetch


def run(*arguments):
    parser = argparse.ArgumentParser()
    fetch.add_arguments(parser)
    fetch.run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder as the current one, and no mirror."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(sources.MIRROR_VARIABLE, raising=False)
    return tmp_path


def settings(path, **changes):
    given = {"kind": "table", "url": None, "file": "t.csv", "sha256": None, "retries": 0, "timeout": 1} | changes
    path.write_text(yaml.safe_dump(given))
    return path


def test_diabetes_by_the_configuration_and_the_default_path(folder, capsys):
    run("--dataset", "diabetes", "--config", ROOT / "config.yaml")
    sources.export_diabetes(folder / "expected.csv")
    raw = folder / "results/datasets/raw/diabetes/diabetes.csv"
    assert raw.read_bytes() == (folder / "expected.csv").read_bytes()
    assert capsys.readouterr().out == "diabetes: from scikit-learn\n"


def test_a_table_from_the_mirror(folder, monkeypatch, capsys):
    (folder / "mirror" / "deep").mkdir(parents=True)
    (folder / "mirror" / "deep" / "t.csv").write_text("a\n1\n")
    monkeypatch.setenv(sources.MIRROR_VARIABLE, str(folder / "mirror"))
    run("--dataset", "mine", "--settings", settings(folder / "s.yaml"), "--output", folder / "out" / "t.csv")
    assert (folder / "out" / "t.csv").read_text() == "a\n1\n"
    assert capsys.readouterr().out == "mine: from the mirror\n"


def test_a_table_without_an_address_is_the_users_file(folder, monkeypatch, capsys):
    """Relative to the preset that names it; never the mirror's file of that name, nor the diabetes table."""
    for place, content in (("study", "a\n1\n"), ("mirror", "b\n2\n")):
        (folder / place).mkdir()
        (folder / place / "diabetes.csv").write_text(content)
    monkeypatch.setenv(sources.MIRROR_VARIABLE, str(folder / "mirror"))
    preset = folder / "study" / "mine.yaml"
    preset.write_text("tables: {mine: {file: diabetes.csv, target: a}}\n")
    run("--dataset", "mine", "--config", ROOT / "config.yaml", preset)
    assert (folder / "results/datasets/raw/mine/diabetes.csv").read_text() == "a\n1\n"
    assert capsys.readouterr().out == f"mine: from {folder}/study/diabetes.csv\n"
    (folder / "study" / "diabetes.csv").unlink()
    with pytest.raises(UserError, match=r"study/diabetes\.csv is not a file: correct the path"):
        run("--dataset", "mine", "--config", ROOT / "config.yaml", preset)


def test_a_table_of_the_users_by_its_address(folder, monkeypatch, capsys):
    """As `file`; and where it does not answer, the mirror is not asked, since nothing tells its file from another."""
    (folder / "my tables").mkdir()
    (folder / "my tables" / "t 1.csv").write_text("a\n1\n")
    address = (folder / "my tables" / "t 1.csv").as_uri()
    (folder / "mine.yaml").write_text(f"datasets: {{retries: 0}}\ntables: {{mine: {{file: '{address}', target: a}}}}\n")
    run("--dataset", "mine", "--config", ROOT / "config.yaml", folder / "mine.yaml")
    assert (folder / "results/datasets/raw/mine/t 1.csv").read_text() == "a\n1\n"
    assert capsys.readouterr().out == f"mine: from {address}\n"
    monkeypatch.setenv(sources.MIRROR_VARIABLE, str(folder))
    (folder / "my tables").rename(folder / "mirror")
    with pytest.raises(UserError, match=r"t 1.csv is not available: .*Correct its address, or download it"):
        run("--dataset", "mine", "--config", ROOT / "config.yaml", folder / "mine.yaml")


def test_a_table_of_another_name_is_not_the_diabetes_table(folder):
    """Without an address and a path, only the mirror has it; and diabetes.csv with an address is downloaded."""
    with pytest.raises(UserError, match=r"t.csv is not available: it has no address.*no mirror is set"):
        run("--dataset", "mine", "--settings", settings(folder / "s.yaml"))
    with pytest.raises(UserError, match="does not answer"):
        given = settings(folder / "s.yaml", file="diabetes.csv", url="http://127.0.0.1:9/diabetes.csv")
        run("--dataset", "diabetes", "--settings", given)
    assert not (folder / "results").exists()


def test_wrong_checksum_and_missing_mirror(folder, monkeypatch):
    (folder / "t.csv").write_text("a\n1\n")
    given = settings(folder / "s.yaml", url="http://127.0.0.1:9/x", sha256=["0" * 64])
    for mirror, words in ((folder, "another file or damaged"), (folder / "empty", "is not a folder")):
        monkeypatch.setenv(sources.MIRROR_VARIABLE, str(mirror))
        with pytest.raises(UserError, match=words) as caught:
            run("--dataset", "t", "--settings", given, "--output", folder / "out" / "t.csv")
        assert "\n" not in str(caught.value)
    assert not (folder / "out").exists()


def test_images_without_files(folder, capsys):
    given = folder / "s.yaml"
    network = {"retries": 0, "timeout": 1}
    given.write_text(yaml.safe_dump({"kind": "images", "source": "digits", "md5": {}, "missing": "fail", **network}))
    run("--dataset", "digits", "--settings", given)
    with tarfile.open(folder / "results/datasets/raw/digits/archive.tar") as tar:
        assert tar.getnames() == ["description.json"]
    assert capsys.readouterr().out == "digits: from scikit-learn\n"


def test_settings_that_are_wrong(folder):
    with pytest.raises(UserError, match="'nothing' is not declared"):
        run("--dataset", "nothing", "--config", ROOT / "config.yaml")
    with pytest.raises(UserError, match="name no kind of data set"):
        run("--dataset", "t", "--settings", settings(folder / "s.yaml", kind="text"))
    with pytest.raises(UserError, match="timeout"):
        run("--dataset", "t", "--settings", settings(folder / "s.yaml", timeout="soon"))
    with pytest.raises(UserError, match="missing"):
        given = settings(folder / "s.yaml", kind="images", source="digits", md5={}, missing="ignore")
        run("--dataset", "digits", "--settings", given)
