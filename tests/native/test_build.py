"""The package installs without a C++ compiler, says so in one sentence, and trains with PyTorch."""

import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from conftest import ROOT, own_part

from learner_collusion.records import parquet
from learner_collusion.records.tabular import BEST
from learner_collusion.stages import train_tabular

POINT = {"learning_rate": 0.01, "batch_size": 64, "weight_decay": 0.0, "learners": 5, "hidden_units": 5, "layers": 1}


@pytest.mark.slow
def test_installing_without_a_compiler(diabetes, settings, tmp_path):
    source, target = tmp_path / "source", tmp_path / "installed"
    source.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "config.yaml"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__"))
    shutil.copytree(ROOT / "workflow", source / "workflow")
    environment = os.environ | {"CC": "no-compiler-here", "CXX": "no-compiler-here"}
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], env=environment, check=True)
    assert not list(target.rglob("_native*")) and (target / "learner_collusion/native/machine.h").exists()

    best = {"run": 0, "trial": 0, "err": 0.5, "err_bar": 0.6, "best_epoch": 4, **POINT}
    parquet.write(tmp_path / "best.parquet", pd.DataFrame([best]), BEST)
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(own_part(train_tabular.Settings, settings)))
    arguments = ["--dataset", "diabetes", "--table", str(diabetes), "--settings", str(tmp_path / "settings.yaml")]
    for name in ("best", "history", "predictions"):
        arguments += [f"--{name}", str(tmp_path / f"{name}.parquet")]
    result = subprocess.run(
        [sys.executable, "-m", "learner_collusion", "train_tabular", *arguments],
        env=environment | {"PYTHONPATH": str(target)}, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("The native engine was not built") == 1
    assert (tmp_path / "predictions.parquet").exists()


def test_a_library_can_be_hidden():
    code = "from learner_collusion.training.engines import choose_engine; print(choose_engine())"
    environment = os.environ | {"LEARNER_COLLUSION_NATIVE": "none"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "torch"
