"""docs/diagnose.md: its blocks run, and give what it says."""

from conftest import ROOT
from documents import run_blocks


def test_its_blocks_run(tmp_path):
    printed = run_blocks(ROOT / "docs/diagnose.md", tmp_path)
    assert printed.count("This ensemble colludes") == 3 and printed.count("No sign of collusion") == 1
    assert "Brier's loss, because the cross-entropy is infinite" in " ".join(printed.split())
    assert "times that of the reference" in " ".join(printed.split())
    assert {path.name for path in tmp_path.glob("forest-diagnosis.*")} == {
        f"forest-diagnosis.{e}" for e in ("md", "json", "png")
    }
