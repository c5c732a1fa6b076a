"""The version and the supported Pythons are the same wherever they are written."""

import os
import re
import shutil
import subprocess
import tomllib

import yaml
from conftest import ROOT

import learner_collusion

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ["3.11", "3.12", "3.13"]
# without what an outer `make test` hands on
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "PYTHON", "VENV"))}


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert learner_collusion.__version__ == PROJECT["version"] == str(citation["version"])


def test_pythons_agree():
    prefix = "Programming Language :: Python :: 3."
    assert [c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if c.startswith(prefix)] == PYTHONS
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == PYTHONS
    for file in ("Makefile", ".ci/run"):
        named = re.findall(r"\b3\.1\d\b", (ROOT / file).read_text(encoding="utf-8"))
        assert set(named) == set(PYTHONS), file
    assert f"python={PYTHONS[-1]}" in (ROOT / "envs/environment.yaml").read_text(encoding="utf-8")


def stand_in(folder, name, text):
    """An executable shell script."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_make_takes_the_newest_python_that_runs(tmp_path):
    stand_in(tmp_path / "bin", "python3.13", "echo 'not selected' >&2; exit 127")  # as a version manager has them
    stand_in(tmp_path / "bin", "python3.12", "exit 0")
    command = ["make", "-n", "setup", f"VENV={tmp_path / 'venv'}"]
    for choice, python in (([], "python3.12"), (["PYTHON=/opt/python"], "/opt/python")):
        result = subprocess.run(
            command + choice, cwd=ROOT, capture_output=True, text=True,
            env=ENVIRONMENT | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        )  # fmt: skip
        assert f'"{python}" -m venv {tmp_path / "venv"}\n' in result.stdout, result.stderr


def test_make_says_that_there_is_no_python(tmp_path):
    command = ["make", "setup", f"VENV={tmp_path / 'venv'}", "PYTHON=/no/python"]
    result = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    assert result.returncode and "no Python 3.11, 3.12 or 3.13 with venv: install one" in result.stdout
    assert not (tmp_path / "venv").exists()


def test_the_conda_environment_installs_the_lock_and_the_package(tmp_path):
    """Snakemake runs the script from another folder."""
    stand_in(tmp_path / "bin", "python", 'echo "$PWD $@"')
    script = ROOT / "envs" / "environment.post-deploy.sh"
    result = subprocess.run(
        [shutil.which("bash"), str(script)], cwd=tmp_path, capture_output=True, text=True, check=True,
        env=os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
    )  # fmt: skip
    lock, package = result.stdout.splitlines()
    assert lock == f"{ROOT} -m pip install --quiet -r envs/requirements.lock"
    assert package.startswith(f"{ROOT} -m pip install") and package.endswith("--editable .")
