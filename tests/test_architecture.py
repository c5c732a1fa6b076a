"""The rules of the house: imports go down, files stay short, and the documentation names what exists."""

import ast
import re

import pytest
from conftest import ROOT

PACKAGE = ROOT / "src/learner_collusion"
# From the ground up; docs/architecture.md has the same list.
ROOMS = [
    {"errors", "wording", "files", "seals", "seeds"},
    {"inputs", "measures", "bootstrap", "compared"},
    {"gat", "decomposition", "objective", "diagnostics", "diagnosis", "dependence", "theory", "metric"},
    *(
        {name}
        for name in (
            "records",
            "native",
            "data",
            "predictions",
            "models",
            "training",
            "claims",
            "figures",
            "publishing",
            "plan",
        )
    ),
    {"stages"},
    {"cli"},
]
LEVEL = {name: level for level, room in enumerate(ROOMS) for name in room}
# Entries by name, read while Snakemake parses: they import nothing of this package but errors.
REGISTRIES = ("data.registry", "models.registry", "training.registry", "figures.registry", "publishing.registry")
REGISTRIES += tuple(
    f"claims.catalogue.{name}" for name in ("__init__", "entry", "theory", "tabular", "images", "imagenet")
)
SOURCES = sorted(PACKAGE.rglob("*.py"))


def module_of(path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports(path):
    """The modules of this package that a file imports, dotted below the package."""
    module = module_of(path)
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                yield ".".join([*base, alias.name])


@pytest.mark.parametrize("path", [p for p in SOURCES if p.parent != PACKAGE or p.stem in LEVEL], ids=module_of)
def test_no_import_goes_upwards(path):
    room = module_of(path).split(".")[0]
    for imported in imports(path):
        assert LEVEL.get(imported.split(".")[0], 0) <= LEVEL[room], f"{module_of(path)} imports {imported}"


@pytest.mark.parametrize("registry", REGISTRIES)
def test_registries_import_nothing_heavy(registry):
    path = PACKAGE.joinpath(*registry.split(".")).with_suffix(".py")
    assert all(imported.startswith(("errors", "claims.catalogue.")) for imported in imports(path))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            assert set(names) <= {"dataclasses", "importlib", "os", "re", "sys", "types", "typing"}, names


def test_files_are_short():
    for folder in ("src", "tests", "workflow", "benchmarks"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".smk", ".cpp", ".h"):
                assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path


def test_stages_have_one_name():
    """A module, a command, and a rule or its part."""
    from learner_collusion.cli import STAGES

    modules = {path.stem for path in (PACKAGE / "stages").glob("[a-z]*.py")}
    rules = re.findall(r"^rule (\w+):", "\n".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk")), re.M)
    assert modules == set(STAGES)
    names = {"tune": "tune_dataset", "claims": "claims_part"}  # `snakemake tune` and `snakemake claims` are targets
    assert {names.get(stage, stage) for stage in STAGES} <= set(rules)
    text = "\n".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk"))
    for stage in STAGES:
        assert f"python -m learner_collusion {stage} " in text and f"results/logs/{stage}/" in text, stage


def test_the_documentation_names_what_exists():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"`((?:[a-z_]+/)+[\w.]*)`", text)) | set(re.findall(r"`([a-z_]+\.py)`", text)):
        if name.startswith(("results/", "mine", "models/my")):
            continue
        assert any((base / name).exists() for base in (ROOT, PACKAGE)), name
