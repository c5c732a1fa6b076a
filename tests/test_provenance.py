"""The fingerprint of a stage changes with its code, and with nothing else."""

import shutil

import pytest

from learner_collusion import provenance


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package whose files may be changed."""
    copy = tmp_path / "learner_collusion"
    shutil.copytree(provenance.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    return copy


def fingerprint(*modules):
    for function in (provenance.fingerprint, provenance._tree, provenance._meaning, provenance._imports):
        function.cache_clear()
    return provenance.fingerprint(*modules)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


STAGES = ("datasets.sources", "datasets.tabular", "tuning", "tabular", "evaluation", "figures.tabular", "claims")


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("figures/style.py", "BLUE, VERMILION", "GREY, VERMILION", {"figures.tabular"}),
        ("training/mlp.py", "1 / np.sqrt(inputs)", "2 / np.sqrt(inputs)", {"datasets.tabular", "tuning", "tabular", "evaluation"}),
        ("native/kernel.h", "(T)0.999 * square[p + i]", "(T)0.99 * square[p + i]", {"tuning", "tabular", "evaluation"}),
        ("diagnostics.py", "1e-9", "1e-8", {"evaluation"}),
        ("decomposition.py", '"""Decompose the loss', '"""Take apart the loss', set()),
        ("native/kernel.h", "// Adam (Kingma", "// The optimiser (Kingma", set()),
        ("tuning.py", "# What a trial counts as", "# A trial counts as", set()),
        ("cli.py", "argparse.ArgumentParser(prog", "argparse.ArgumentParser( prog", set()),
    ],
)  # fmt: skip
def test_what_makes_a_stage_stale(package, file, old, new, stale):
    before = {stage: fingerprint(stage) for stage in STAGES}
    edit(package / file, old, new)
    after = {stage: fingerprint(stage) for stage in STAGES}
    assert {stage for stage in STAGES if before[stage] != after[stage]} == stale
