"""What a newcomer reads first: README's first screen, the quick start, and costs in time and disk, which agree with each other."""

import importlib.util
import os
import re
import sys
from pathlib import Path

import pytest
from documents import blocks, text_of

FIRST = "\n".join(text_of("README.md").splitlines()[:60])
PAGES = ("README.md", "docs/quickstart.md", "docs/costs.md", "docs/artifact.md")


def test_the_first_screen_links_the_paper_its_code_and_the_entry_to_cite():
    assert "https://arxiv.org/abs/2301.11323" in FIRST and "https://github.com/alanjeffares/joint-ensembles" in FIRST
    assert "(#citing)" in FIRST and "```bibtex" in text_of("README.md").split("## Citing")[1]
    assert "(docs/index.md)" in FIRST and FIRST.index("## Quick start") < FIRST.index("git clone ")


def test_each_command_of_the_first_screen_has_its_time():
    for block in blocks("README.md"):
        for line in re.findall(r"^make .*", block.code, re.M) if block.code in FIRST else ():
            assert re.search(r"# .*\d+ minutes?", line), line


def times(document: str) -> dict[str, str]:
    """The first time in the table's line of each command of make."""
    rows = re.findall(r"^\| (`make .*?) \| (.*?) \|", text_of(document), re.M)
    found = {target: re.search(r"\d+(?: to \d+)? minutes?", said) for names, said in rows
             for target in re.findall(r"`make ([a-z-]+)`", names)}  # fmt: skip
    return {target: time[0] for target, time in found.items() if time}


def test_times_are_the_same_on_each_page():
    known, told = times("docs/costs.md"), times("docs/quickstart.md")
    assert {"setup", "demo", "reproduce", "verify", "test"} <= set(known) & set(told)
    assert all(told[target] == known[target] for target in set(known) & set(told))
    readme, appendix = (" ".join(text_of(page).split()) for page in ("README.md", "docs/artifact.md"))
    assert f"{known['setup']} of set-up, then {known['demo']}" in readme and f"# about {known['test']}" in readme
    assert f"make verify # {known['verify']} on two cores" in readme
    assert f"| Time to prepare | {known['setup']} |" in appendix
    assert f"{known['demo']} for the demo, {known['verify']} for the tabular half" in appendix


def test_disk_space_is_the_same_on_each_page():
    texts = {page: " ".join(text_of(page).split()) for page in PAGES}
    for page in PAGES[:3]:
        assert re.search(r"\b6\.2\b", texts[page]), page
    assert "7 GB on the disk" in texts["README.md"] and "| Disk space | 7 GB;" in texts["docs/artifact.md"]


@pytest.mark.slow
def test_the_environment_takes_what_is_said():
    """Where it is the lock's own: with CUDA, and without what the benchmarks add."""
    if not importlib.util.find_spec("nvidia") or importlib.util.find_spec("jax") or sys.prefix == sys.base_prefix:
        pytest.skip("not the environment of `make setup` with CUDA")
    files = (Path(folder, name) for folder, _, names in os.walk(sys.prefix) for name in names)
    size = sum(path.lstat().st_blocks * 512 for path in files)
    assert abs(size / 2**30 - 6.2) < 0.3
