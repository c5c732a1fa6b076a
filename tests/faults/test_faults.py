"""Nothing is lost and nothing falsified through faults: a short form of the suite that `make test-faults` runs in full."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT

SHORT = 60  # faults, of every kind some
SUITE = ROOT / "tests/faults/suite.py"


def suite(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(SUITE), *map(str, arguments)], capture_output=True, text=True, timeout=1500
    )


def rows(text: str) -> dict[str, list[int]]:
    """The numbers of the suite's table, by kind: tried, repaired, refused, lost, falsified."""
    found = re.findall(r"^\| ([^|]+?) +\|" + r" *([\d,]+) *\|" * 5, text, re.M)
    return {kind: [int(number.replace(",", "")) for number in numbers] for kind, *numbers in found}


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_falsified():
    done = suite("--count", SHORT, "--seed", 1, "--no-snakemake")
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(done.stdout)
    tried, repaired, refused, lost, falsified = found["all"]
    assert tried >= SHORT and repaired + refused == tried and lost == falsified == 0
    assert repaired and refused and "Traceback" not in done.stdout + done.stderr


def test_the_document_has_the_kinds_of_the_suite():
    """And numbers that add up."""
    from faults.kinds import KINDS

    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    found = rows(text.partition("<!-- faults -->")[2].partition("<!-- /faults -->")[0])
    assert list(found) == [*KINDS, "all"]
    for kind, (tried, repaired, refused, lost, falsified) in found.items():
        assert tried == repaired + refused > 0 and lost == falsified == 0, kind
    assert [sum(found[kind][place] for kind in KINDS) for place in range(5)] == found["all"]
    assert "make test-faults" in text


def test_a_fault_that_is_believed_would_be_counted():
    """The harness itself: of readers that look at no checksum, and do not ask who made a file, it tells."""
    done = suite("--count", 8, "--kind", "written late by a job of other settings", "--blind")
    assert done.returncode == 1, done.stdout + done.stderr
    assert rows(done.stdout)["all"][4] > 0
