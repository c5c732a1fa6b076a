"""The package installs without a C++ compiler, and then trains with PyTorch after one sentence."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT


def test_installing_without_a_compiler(diabetes, settings, tmp_path):
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs a clone, to build from a copy of what is tracked")
    source, target = tmp_path / "source", tmp_path / "installed"
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "src"):
        ignore = shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__")
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=ignore)
        else:
            source.mkdir(exist_ok=True)
            shutil.copy(path, source)
    environment = os.environ | {"CC": "no-compiler-here", "CXX": "no-compiler-here"}
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], env=environment, check=True)
    assert not list(target.rglob("_native*"))

    (tmp_path / "best.json").write_text(
        json.dumps(
            {"learning_rate": 0.01, "batch_size": 64, "weight_decay": 0, "learners": 5, "hidden": 5, "layers": 1}
        )
    )
    arguments = ["--dataset", "diabetes", "--runs", "0", "--table", str(diabetes), "--settings", json.dumps(settings)]
    for name, file in (("best", "best.json"), ("history", "history.parquet"), ("predictions", "predictions.parquet")):
        arguments += [f"--{name}", str(tmp_path / file)]
    result = subprocess.run(
        [sys.executable, "-m", "learner_collusion", "train", *arguments],
        env=environment | {"PYTHONPATH": str(target)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert result.stdout.count("The native engine was not built here") == 1
    assert (tmp_path / "predictions.parquet").exists()
