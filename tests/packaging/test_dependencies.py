"""Every third-party package that is imported is declared, in the group of those who need it, and pinned in the lock."""

import ast
import functools
import importlib.metadata
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SOURCE = ROOT / "src" / "learner_collusion"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CORE = (
    "__init__",
    "inputs",
    "measures",
    "bootstrap",
    "compared",
    "decomposition",
    "objective",
    "diagnostics",
    "diagnosis",
    "dependence",
    "metric",
    "theory",
    "gat",
)
# The modules that may need the extra `images`; the tabular half works without it.
IMAGES = ("data.cifar", "data.svhn", "data.imagenet", "data.picture_", "models.imagenet", "training.pictures")
COMMANDS = {"snakemake", "snakemake-executor-plugin-slurm"}  # run, not imported


def requirements(*groups: str) -> list[Requirement]:
    lines = list(PROJECT["dependencies"])
    for group in groups:
        lines += PROJECT["optional-dependencies"][group]
    return [Requirement(line) for line in lines]


def names(*groups: str) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements(*groups)}


def imports(path: Path) -> set[str]:
    """Top-level names of all absolute imports of a file, those within functions and `if` blocks as well."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@functools.cache
def installed() -> dict[str, list[str]]:
    return importlib.metadata.packages_distributions()


def third_party(path: Path) -> set[str]:
    """The distributions that a file imports from, such as pyyaml for `import yaml`."""
    beside = {other.stem for folder in (path.parent, ROOT / "tests") for other in folder.glob("*.py")}
    beside |= {folder.name for folder in (ROOT / "tests").iterdir() if folder.is_dir()}
    ours = sys.stdlib_module_names | beside | {"learner_collusion"}
    return {canonicalize_name(installed().get(name, [name])[0]) for name in imports(path) - ours}


def module(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


MODULES = sorted(map(module, SOURCE.rglob("*.py")))


@pytest.mark.parametrize("name", MODULES)
def test_imports_are_declared(name):
    groups = () if name in CORE else ("workflow", "images") if name.startswith(IMAGES) else ("workflow",)
    assert third_party(SOURCE / (name.replace(".", "/") + ".py")) <= names(*groups)


def test_the_core_imports_nothing_else_of_the_package():
    """Neither directly nor through another module does the core reach one that needs more than NumPy and torch."""
    for name in CORE:
        for node in ast.walk(ast.parse((SOURCE / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                reached = [node.module] if node.module else [alias.name for alias in node.names]
                assert set(reached) <= {*CORE, "errors"}, f"{name} imports {reached}"


def test_installing_the_package_brings_torch_and_numpy_alone():
    assert names() == {"numpy", "torch"}


def test_no_extra_declares_what_nothing_uses():
    used = set().union(*(third_party(path) for path in SOURCE.rglob("*.py"))) | COMMANDS
    assert names("workflow", "images") <= used


@pytest.mark.parametrize("folder", ["tests", "benchmarks"])
def test_tests_and_benchmarks_import_what_is_declared(folder):
    declared = names("workflow", "images", "test")
    if folder == "benchmarks":
        declared |= set(locked("requirements-bench.lock"))
    for path in (ROOT / folder).rglob("*.py"):
        assert third_party(path) <= declared, path


def locked(file: str) -> dict[str, str]:
    """Versions by package of a lock file."""
    lines = (ROOT / "envs" / file).read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith(("#", "-"))]
    return {canonicalize_name(name): version for name, version in pins}


def test_the_lock_pins_all_that_is_declared():
    pins = locked("requirements.lock")
    for requirement in requirements(*PROJECT["optional-dependencies"]):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement
    assert pins["torch"] == "2.14.1" and pins["torchvision"] == "0.29.1"  # a pair that fits


def test_cuda_is_constrained_but_never_required():
    """So that a PyTorch for CPUs comes without it."""
    cuda = locked("requirements-cuda.lock")
    assert not set(cuda) & set(locked("requirements.lock"))
    assert "-c requirements-cuda.lock" in (ROOT / "envs/requirements.lock").read_text(encoding="utf-8")
