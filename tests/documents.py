"""The documents, their blocks and their headings. Runs the blocks of one in their order, as its reader would: Python in one
session, commands in a shell. And says which packages some code needs that are not installed."""

import ast
import contextlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from conftest import ROOT

# Everything in Markdown that a reader may come to, with paths from the root.
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("README.md", "{}/**/*.md")
    for folder in ("docs", "examples", "benchmarks", "workflow", "config", "results")
    for path in ROOT.glob(pattern.format(folder))
    if folder != "results" or path.name == "README.md"
)
DOCUMENTS = list(dict.fromkeys(DOCUMENTS))


class Block(NamedTuple):
    """A fenced block: the document, the language behind the fence, and what stands in it."""

    document: str
    kind: str
    code: str


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str) -> list[Block]:
    """The fenced blocks of a document."""
    found = re.findall(r"^```([\w+-]*)\n(.*?)^```", text_of(document), re.M | re.S)
    return [Block(document, kind, code) for kind, code in found]


def prose(document: str) -> str:
    """A document without its blocks."""
    return re.sub(r"^```.*?^```", "", text_of(document), flags=re.M | re.S)


def anchors(document: str) -> set[str]:
    """The anchors of the headings, as forges name them."""
    headings = re.findall(r"^#+ (.*)$", prose(document), re.M)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def run_blocks(document: Path, folder: Path) -> str:
    """Run all blocks of a document in a folder; what the commands print. Fails where one of them does."""
    names, printed = {"__name__": "document"}, []
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
    }
    with contextlib.chdir(folder):
        for kind, code in re.findall(r"```(python|console)\n(.*?)```", document.read_text(encoding="utf-8"), re.S):
            if kind == "python":
                exec(compile(code, document.name, "exec"), names)
                continue
            done = subprocess.run(["bash", "-ec", code], capture_output=True, text=True, env=environment)
            assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
            printed.append(done.stdout)
    return "\n".join(printed)


def lacking(code: str) -> list[str]:
    """Packages that some Python code imports and that are not installed."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
    return sorted(name for name in found if importlib.util.find_spec(name) is None)
