"""What several tests share: the mirror and SLURM where they are at hand, and a small prepared table."""

import contextlib
import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
import yaml
from hypothesis import settings as hypothesis_settings

from learner_collusion.data import sources, tabular

ROOT = Path(__file__).parent.parent
torch.set_num_threads(1)
# The same examples in every run, and no deadlines: the machine may be busy.
hypothesis_settings.register_profile("project", deadline=None, derandomize=True)
hypothesis_settings.load_profile("project")


def words(path: str) -> str:
    """The text of a page, with single blanks."""
    return " ".join((ROOT / path).read_text(encoding="utf-8").split())


def pytest_collection_modifyitems(items: list) -> None:
    """The longest files come first, so that short ones are left when a worker runs out of work."""
    items.sort(key=lambda item: (item.path.name != "test_ci.py", item.path.parent.name != "workflow"))


@pytest.fixture(scope="session")
def config() -> dict:
    """The paper's configuration."""
    return yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def mirror() -> Path:
    """A folder with copies of the raw files; skips where there is none."""
    for place in (os.environ.get("LEARNER_COLLUSION_MIRROR"), ROOT.parent / "shared" / "datasets"):
        if place and Path(place).is_dir():
            return Path(place).resolve()
    pytest.skip("no mirror: set LEARNER_COLLUSION_MIRROR to a folder with the raw files")


@pytest.fixture(scope="session")
def slurm() -> None:
    """Skips where no SLURM answers."""
    if shutil.which("sinfo") is None:
        pytest.skip("no SLURM on this machine")
    answer = subprocess.run(["timeout", "10", "sinfo", "-h", "-o", "%T"], capture_output=True, text=True)
    if not set(answer.stdout.split()) & {"idle", "mixed", "allocated"}:
        pytest.skip("SLURM is installed, but no node is up")


@pytest.fixture(scope="session")
def diabetes(tmp_path_factory, config) -> Path:
    """The prepared diabetes table: 442 real rows that scikit-learn ships."""
    folder = tmp_path_factory.mktemp("diabetes")
    sources.export_diabetes(folder / "diabetes.csv")
    table = msgspec.convert(config["tables"]["diabetes"], tabular.Table)
    tabular.prepare(folder / "diabetes.csv", folder / "diabetes.parquet", "diabetes", table)
    return folder / "diabetes.parquet"


@pytest.fixture
def settings(config) -> dict:
    """A stage's settings, small: two betas more than the ends, few trials and epochs."""
    own = {key: config["tabular"][key] for key in ("split", "preprocessing", "training", "tuning", "codependence")}
    own["training"] = own["training"] | {"max_epochs": 12}
    own["tuning"] = own["tuning"] | {"trials": 5, "initial_points": 3, "acquisition_points": 30}
    return own | {"seed": 0, "runs": 1, "betas": [0, 0.5, 1], "engine": "auto", "device": "cpu"}


def converted(kind: type, mapping: dict):
    """A stage's settings as its dataclass; keys of other stages are left out."""
    return msgspec.convert(mapping, kind)


def own_part(kind: type, mapping: dict) -> dict:
    """The keys of a stage's settings, as its settings file has them."""
    return {field.name: mapping[field.name] for field in dataclasses.fields(kind) if field.name in mapping}


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def chain_folder(tmp_path_factory) -> Path:
    """Where the stages of a small table were run, from fetch to claims."""
    from planned_chain import STAGES, Chain, configured  # loads the commands, which few tests need

    folder = tmp_path_factory.mktemp("chain")
    with contextlib.chdir(folder):
        Chain(configured()).table(*STAGES)
    return folder


@pytest.fixture
def results(chain_folder, tmp_path, monkeypatch) -> Path:
    """A copy of their results in the current folder, to be damaged."""
    shutil.copytree(chain_folder / "results", tmp_path / "results", symlinks=True)
    monkeypatch.chdir(tmp_path)
    return Path("results")
