"""The prepare stage: both families after `fetch`, default paths, and what is refused."""

import argparse
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT

from learner_collusion.data import image_arrays, sources
from learner_collusion.errors import UserError
from learner_collusion.records import parquet
from learner_collusion.stages import fetch, prepare

TABLE = {"kind": "table", "file": "t.csv", "target": "y", "drop": [], "categorical": [], "log_target": False}


def run(stage, *arguments):
    parser = argparse.ArgumentParser()
    stage.add_arguments(parser)
    stage.run(parser.parse_args([str(argument) for argument in arguments]))


def settings(path, given: dict):
    path.write_text(yaml.safe_dump(given))
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder as the current one, and no mirror."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(sources.MIRROR_VARIABLE, raising=False)
    return tmp_path


@pytest.mark.parametrize(("dataset", "output"), [("diabetes", "diabetes.parquet"), ("digits", "digits.npz")])
def test_after_fetch_at_the_default_paths(folder, capsys, dataset, output):
    for stage in (fetch, prepare):
        run(stage, "--dataset", dataset, "--config", ROOT / "config.yaml")
    path = folder / "results" / "datasets" / output
    said = capsys.readouterr().out
    if dataset == "diabetes":
        assert "diabetes: 442 rows of diabetes.csv, 10 features to learn target from\n" in said
        assert len(parquet.read(path)) == 442
    else:
        assert said.splitlines()[-1] == "digits: from scikit-learn" and image_arrays.read(path)[1]["train_x"].shape == (
            1437,
            32,
            32,
            3,
        )


def test_settings_in_a_file_and_paths_of_its_own(folder):
    (folder / "t.csv").write_text("x;c;y\n1,5;a;2\n")
    given = settings(folder / "s.yaml", TABLE | {"categorical": ["c"], "content_sha256": None})
    run(prepare, "--dataset", "t", "--settings", given, "--raw", folder / "t.csv", "--output", folder / "o.parquet")
    assert parquet.read(folder / "o.parquet").to_dict("list") == {"x": [1.5], "c": ["a"], "y": [2.0]}


def test_a_missing_data_set_passes_through_both_stages(folder, capsys, monkeypatch):
    from torchvision.datasets import SVHN

    away = {part: ["http://127.0.0.1:9/x.mat", *entry[1:]] for part, entry in SVHN.split_list.items()}
    monkeypatch.setattr(SVHN, "split_list", away)
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["images"]["missing"] = "leave_out"
    config["datasets"] |= {"retries": 0, "timeout": 1}
    given = settings(folder / "config.yaml", config)
    for stage in (fetch, prepare):
        run(stage, "--dataset", "svhn", "--config", given)
    description, arrays = image_arrays.read(folder / "results/datasets/svhn.npz")
    assert not arrays and description["dataset"] == "svhn" and "does not answer" in description["missing"]
    first, second = capsys.readouterr().out.splitlines()
    assert "left out" in first and sources.MIRROR_VARIABLE in first and "left out" in second


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"content_sha256": 3}, "content_sha256"),
        ({"incomplete": "fill"}, "incomplete"),
        ({"content_sha256": None, "target": "z"}, "has no column 'z'"),
        ({"content_sha256": None, "kind": None}, "name no kind of data set"),
        ({"content_sha256": None, "drop": "x"}, "drop"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_leaves_nothing(folder, changes, words):
    (folder / "t.csv").write_text("x,y\n1,2\n3,4\n")
    given = settings(folder / "s.yaml", TABLE | changes)
    with pytest.raises(UserError, match=words) as caught:
        run(prepare, "--dataset", "t", "--settings", given, "--raw", "t.csv", "--output", folder / "out" / "o.parquet")
    assert "\n" not in str(caught.value) and not (folder / "out").exists()


def test_before_fetch(folder):
    for dataset, words in (("diabetes", "diabetes.csv does not exist"), ("digits", "archive.tar does not exist")):
        with pytest.raises(UserError, match=words):
            run(prepare, "--dataset", dataset, "--config", ROOT / "config.yaml")


def loaded(code: str) -> set[str]:
    """The modules that a fresh interpreter has after some code."""
    code = f"from learner_collusion.stages import fetch, prepare\n{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.splitlines())


def data_modules(code: str) -> set[str]:
    names = {name.removeprefix("learner_collusion.data.") for name in loaded(code)}
    return names & {path.stem for path in (ROOT / "src/learner_collusion/data").glob("*.py")} - {"registry", "declared"}


def test_each_family_loads_what_it_uses_and_no_more(folder):
    (folder / "t.csv").write_text("x,y\n1,2\n3,4\n")
    table = {key: value for key, value in TABLE.items() if key != "kind"} | {"content_sha256": None}
    given = {"source": "digits", "classes": 10, "train": 1437, "test": 360, "content_sha256": None}
    network = {"missing": "fail", "retries": 0, "timeout": 1}
    assert not loaded("") & {"numpy", "pandas", "torch", "pyarrow"}
    assert data_modules(f"prepare.prepare_table('t', {table}, 't.csv', 't.parquet')") == {
        "tabular", "delimited", "columnar", "kinds", "archives",
    }  # fmt: skip
    assert data_modules("from learner_collusion.data import splits") == {"splits"}  # without the reader of raw tables
    fetched = f"fetch.fetch_images('digits', { {'source': 'digits'} | network }, 'd.tar')"
    assert data_modules(fetched) == {"images", "image_arrays", "sources", "archives", "digits"}
    assert data_modules(f"prepare.prepare_images('digits', {given}, 'd.tar', 'd.npz')") == data_modules(fetched)
