"""Runs the blocks of a document in their order, as its reader would: Python in one session, commands in a shell. And says which
packages some code needs that are not installed."""

import ast
import contextlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

from conftest import ROOT


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
