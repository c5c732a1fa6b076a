"""A fingerprint of the code of a stage: it changes with what the code does, not with comments, and not with other
stages. Imported while Snakemake parses: the modules are read, never imported."""

import ast
import functools
import hashlib
import re
from pathlib import Path

PACKAGE = Path(__file__).parent
# Read by every stage, and no part of what it computes.
_PLUMBING = {"cli", "errors", "provenance", "configuration"}


@functools.cache
def fingerprint(*modules: str) -> str:
    """Twelve hex digits of the modules (dotted, without the package) and all modules of the package they import."""
    seen: set[str] = set()
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module not in seen and module not in _PLUMBING:
            seen.add(module)
            queue += _imports(module)
    digest = hashlib.sha256()
    for module in sorted(seen):
        digest.update(f"{module}\n{_meaning(module)}\n".encode())
    if "native" in seen:
        for source in sorted(path for path in (PACKAGE / "native").iterdir() if path.suffix in (".cpp", ".h")):
            text = re.sub(r"//[^\n]*|/\*.*?\*/", "", source.read_text(encoding="utf-8"), flags=re.S)
            digest.update(" ".join(text.split()).encode())
    return digest.hexdigest()[:12]


def _path(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def _tree(module: str) -> ast.Module:
    """The module without its docstrings."""
    tree = ast.parse(_path(module).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return tree


@functools.cache
def _meaning(module: str) -> str:
    return ast.dump(_tree(module))


@functools.cache
def _imports(module: str) -> list[str]:
    package = module.split(".") if _path(module).name == "__init__.py" else module.split(".")[:-1]
    found = []
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            names = [".".join([*base, alias.name]) for alias in node.names]
            found += [name for name in [".".join(base), *names] if name and _path(name).exists()]
    return found
