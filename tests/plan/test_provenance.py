"""The fingerprint of a stage changes with the code that the stage reaches, and with nothing else."""

import shutil

import pytest

from learner_collusion.plan import provenance

# What the rules ask for, by a name for the tests.
STAGES = {
    "fetch a table": ("stages.fetch:fetch_table", "stages.fetch:run!"),
    "fetch images": ("stages.fetch:fetch_images", "data.cifar:fetch"),
    "prepare a table": ("stages.prepare:prepare_table",),
    "prepare images": ("stages.prepare:prepare_images", "data.cifar:read"),
    "tune": ("stages.tune",),
    "train_tabular": ("stages.train_tabular",),
    "evaluate": ("stages.evaluate",),
    "train a ResNet": ("stages.train_images", "models.cifar:resnet18"),
    "train a CNN": ("stages.train_images", "models.cifar:cnn"),
    "figure 2": ("stages.figure", "figures.tabular:diversity"),
    "figure 3": ("stages.figure", "figures.tabular:debiased"),
    "figure 6": ("stages.figure", "figures.images:against_beta"),
    "tabular claims": ("stages.claims:judge_tabular", "claims.tabular", "stages.claims:run!"),
    "image claims": ("stages.claims:judge_images", "claims.images", "stages.claims:run!"),
}
CELLS = {"train a ResNet", "train a CNN"}
SWEEP = {"tune", "train_tabular"}
FIGURES = {"figure 2", "figure 3", "figure 6"}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package whose files may be changed."""
    copy = tmp_path / "learner_collusion"
    shutil.copytree(provenance.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    return copy


def fingerprints() -> dict[str, str]:
    for function in (provenance.fingerprint, provenance._piece, provenance._module, provenance._exists):
        function.cache_clear()
    return {name: provenance.fingerprint(*roots) for name, roots in STAGES.items()}


def stale_after(change) -> set[str]:
    before = fingerprints()
    change()
    after = fingerprints()
    return {name for name in STAGES if before[name] != after[name]}


def edit(path, old, new):
    text = path.read_text()
    assert old in text, f"{path.name} no longer holds {old!r}: mend this test"
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("records/tabular.py", '\nEXTRA = pa.schema([("x", pa.int32())])\n'),
        ("records/images.py", "\n\ndef another_query(records):\n    return records\n"),
        (
            "models/cifar.py",
            "\n\ndef tiny(classes, width=1):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, classes))\n",
        ),
        ("models/registry.py", '\nMODELS["tiny"] = Model("cifar:tiny", "Tiny")\n'),
        ("data/registry.py", '\nIMAGE_SOURCES["mine"] = "mine"\n'),
        ("data/mine.py", '"""A reader."""\n\n\ndef read(dataset, settings, files):\n    return None\n'),
        ("figures/registry.py", '\nFIGURES["fig19_mine"] = Figure("mine:draw", "tabular", "mine", "Mine.")\n'),
        ("figures/tabular.py", "\n\ndef mine(settings, records, output):\n    pass\n"),
        ("claims/catalogue/__init__.py", '\nCLAIMS += (Claim("C99", "tabular", "Mine", "Nowhere", "ratio"),)\n'),
        ("training/protocol.py", "\n\ndef unused():\n    pass\n"),
        ("seeds.py", "\n\ndef unused():\n    pass\n"),
    ],
)
def test_an_addition_makes_nothing_stale(package, file, text):
    def add():
        path = package / file
        path.write_text((path.read_text() if path.exists() else "") + text)

    assert stale_after(add) == set()


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("native/engine/kernel.h", "(T)0.999 * square[p + i]", "(T)0.99 * square[p + i]", SWEEP),
        (
            "native/convolution/kernel.h",
            "best = best > 0 ? best : Lanes{};",
            "best = best > 1 ? best : Lanes{};",
            CELLS,
        ),
        ("models/mlp.py", "1 / np.sqrt(inputs)", "2 / np.sqrt(inputs)", SWEEP),
        ("diagnostics.py", "1e-9", "1e-8", {"evaluate"}),
        ("stages/tune.py", "DIVERGED = 10.0", "DIVERGED = 20.0", {"tune"}),
        ("stages/evaluate.py", "1e-9 * max", "1e-8 * max", {"evaluate"}),
        ("training/tuning.py", 'base_estimator="GP"', 'base_estimator="RF"', {"tune"}),
        ("models/cifar.py", "def resnet18(", "def resnet18(*_, ", {"train a ResNet"}),
        ("figures/style.py", '"pdf.fonttype": 42', '"pdf.fonttype": 3', FIGURES),
        ("stages/claims.py", "if len(records) > 1:", "if len(records) > 2:", {"tabular claims", "image claims"}),
        ("stages/fetch.py", "families = {", "families = dict() or {", {"fetch a table"}),
        ("data/svhn.py", "def read(", "def read(*_, ", set()),
        ("data/cifar.py", "def read(", "def read(*_, ", {"prepare images"}),
    ],
)
def test_a_change_makes_stale_what_reaches_it(package, file, old, new, stale):
    assert stale_after(lambda: edit(package / file, old, new)) == stale


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("decomposition.py", '"""Decompose the loss', '"""Take apart the loss'),
        ("native/engine/kernel.h", "// Adam (Kingma", "// The optimiser (Kingma"),
        ("stages/tune.py", "# objective value of a trial", "# value of a trial"),
        ("cli.py", "argparse.ArgumentParser(", "argparse.ArgumentParser( "),
    ],
)
def test_comments_docstrings_and_the_command_line_make_nothing_stale(package, file, old, new):
    assert stale_after(lambda: edit(package / file, old, new)) == set()


def test_what_is_reached():
    """Through names, attributes of modules, imports inside functions, and imported names of imported names."""
    reached = provenance._piece("stages.evaluate", "_metrics")[1]
    assert ("decomposition", "decompose") in reached and ("diagnostics", "debias") in reached
    assert ("records.parquet", "write") in provenance._piece("stages.evaluate", "evaluate")[1]
