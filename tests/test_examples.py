"""The examples run, where the packages that they need are installed."""

import runpy

import pytest
import torch
from conftest import ROOT
from documents import lacking

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(path, capsys, tmp_path, monkeypatch):
    code = path.read_text(encoding="utf-8")
    if missing := lacking(code):
        pytest.skip(f"{', '.join(missing)} is not installed")
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        runpy.run_path(str(path), run_name="__main__")
    printed = capsys.readouterr().out
    words = {"interleaved_batches": "(200, 4, 3)"}.get(path.stem, "Ensemble of ")
    assert words in printed and f"python examples/{path.name}" in code
    if path.stem in ("fusion", "own_loop"):
        assert "collusion: yes" in printed
