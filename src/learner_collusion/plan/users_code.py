"""Code of the user: the module of a model that is named by a dotted path. Found and read, never imported."""

import ast
import functools
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from ..errors import UserError


def module_text(path: str) -> str:
    """The code that decides a model named `my_package.nets.MyNet`, without comments: its module, and what that imports from
    the same folder or package. UserError where there is no such module, or one of them is no Python.

    The current folder is searched as well as Python's path. A module without Python source counts by its name alone.
    """
    module = path.rpartition(".")[0]
    first = find(module)
    if first is None:
        raise UserError(
            f"The model {path!r} is not found: there is no module {module!r} in {os.getcwd()} or on Python's path; check its "
            "dotted path, or set PYTHONPATH to its folder."
        )
    base = first.parent if first.name == "__init__.py" else first
    folder = base.parents[module.count(".")]
    top = module.partition(".")[0]

    @functools.cache
    def belongs(name: str) -> bool:
        """Whether a package or module lies beside the user's, or is the one that holds it; no library."""
        file = None if name in sys.stdlib_module_names else find(name)
        return file is not None and file.is_relative_to(folder) and (name == top or "site-packages" not in file.parts)

    found: dict[str, str] = {}
    queue = [module]
    while queue:
        name = queue.pop()
        if name in found or not belongs(name.partition(".")[0]) or (file := find(name)) is None:
            continue
        tree = _parsed(path, file) if file.suffix == ".py" else None
        found[name] = ast.dump(tree) if tree else ""
        queue += [name.rpartition(".")[0], *(_imports(name, file, tree) if tree else [])]
    return "\n".join(f"{name}\n{found[name]}" for name in sorted(found))


def _parsed(path: str, file: Path) -> ast.AST:
    try:
        return ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as error:  # ValueError: a zero byte
        line = f", line {error.lineno}" if getattr(error, "lineno", None) else ""
        reason = getattr(error, "msg", None) or str(error)
        raise UserError(f"The model {path!r} cannot be read ({file}{line}: {reason}): correct its module.") from None


def find(module: str) -> Path | None:
    """The file of a module, on Python's path or in the current folder; None where there is none."""
    if not module:
        return None
    places, spec = [*sys.path, os.getcwd()], None
    parts = module.split(".")
    for depth in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: depth + 1]), places)
        if spec is None:
            return None
        places = spec.submodule_search_locations or []
    return Path(spec.origin).resolve() if spec and spec.origin and spec.has_location else None


def _imports(name: str, file: Path, tree: ast.AST) -> list[str]:
    """The modules that the code of a module names in its imports, at any depth."""
    package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else [])]
            found += [".".join(base), *(".".join([*base, alias.name]) for alias in node.names)]
    return found
