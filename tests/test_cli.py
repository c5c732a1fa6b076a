"""The commands as a user meets them: one sentence, exit code 1, no traceback, nothing half written."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT


def run(*arguments, cwd=None):
    command = [sys.executable, "-m", "learner_collusion", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd or ROOT)


def one_sentence(result, words):
    assert result.returncode == 1
    assert words in result.stderr and "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_wrong_checksum_and_missing_mirror(tmp_path):
    settings = {"url": "http://127.0.0.1:9/x", "file": "t.csv", "sha256": ["0" * 64], "retries": 0, "timeout": 1}
    (tmp_path / "t.csv").write_text("a\n1\n")
    out = tmp_path / "out" / "t.csv"
    command = ["fetch", "--dataset", "t", "--settings", json.dumps(settings), "--output", out]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEARNER_COLLUSION_MIRROR", str(tmp_path))
        one_sentence(run(*command), "another file or damaged")
        patch.setenv("LEARNER_COLLUSION_MIRROR", str(tmp_path / "empty"))
        one_sentence(run(*command), "is no folder")
    assert not out.exists()


def test_missing_column(tmp_path, config):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    settings = {"table": config["tables"]["abalone"] | {"columns": None, "content": None}, "missing": "drop"}
    result = run("prepare", "--dataset", "abalone", "--raw", tmp_path / "t.csv", "--output", tmp_path / "o.parquet",
                 "--settings", json.dumps(settings))  # fmt: skip
    one_sentence(result, "has no column 'Rings'")
    assert not (tmp_path / "o.parquet").exists()


def test_truncated_parquet(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1....")
    result = run("figure", "--name", "diversity", "--records", tmp_path / "t.parquet", "--settings", '{"titles": {}}',
                 "--output", tmp_path / "f.pdf")  # fmt: skip
    one_sentence(result, "not a whole Parquet file: delete it")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.parquet"]


def test_no_room_or_no_permission(tmp_path):
    (tmp_path / "file").write_text("")
    result = run("figure", "--name", "alpha", "--output", tmp_path / "file" / "f.pdf")
    one_sentence(result, "check the path")


def test_stages_import_what_they_use_and_no_more(tmp_path):
    """-X importtime tells what was loaded."""

    def loaded(*arguments):
        command = [sys.executable, "-X", "importtime", "-m", "learner_collusion", *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True)
        return {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in result.stderr.splitlines()}

    heavy = {"torch", "pandas", "sklearn", "skopt", "matplotlib", "pyarrow", "snakemake"}
    assert not loaded("--help") & heavy
    assert loaded("figure", "--name", "alpha", "--output", tmp_path / "f.pdf") & heavy == {"matplotlib"}
