"""The README's code runs, and its links lead somewhere."""

import re

from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert "Ensemble of 5 learners" in capsys.readouterr().out


def test_links_lead_somewhere():
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_named_tests_exist():
    """docs/errata.md and docs/deviations.md name the tests that show what they say."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    for document in ("errata.md", "deviations.md"):
        for name in re.findall(r"\b(test_\w+)`", (ROOT / "docs" / document).read_text(encoding="utf-8")):
            assert f"def {name}(" in sources, name
