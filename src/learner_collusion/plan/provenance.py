"""Fingerprints of code: what a stage can reach, and nothing else.

A fingerprint covers the functions, classes and constants that its roots reach through the package, definition by
definition. So a new schema, reader, model, figure or claim makes nothing stale, nor does a comment or a docstring. Modules
are parsed, never imported: this runs while Snakemake parses.
"""

import ast
import functools
import hashlib
import re
import tomllib
from pathlib import Path

from .fingerprint_cache import FingerprintCache
from .scopes import Names, names_of, scan, statements
from .users_code import module_text

PACKAGE = Path(__file__).parents[1]
# Read by every stage, and no part of what it computes. What is chosen by name in a registry is a root of its own.
_PLUMBING = re.compile(r"(cli|errors|seals|records\.identity|plan(\..*)?|.*\.registry|claims\.catalogue(\..*)?)")
# Compiled code, by the module that calls it; native/*.h serves all.
_NATIVE = ("native.engine", "native.process", "native.convolution")


@functools.cache
def fingerprint(*roots: str) -> str:
    """Twelve hex digits of all code that the roots reach; a root is "module" or "module:name", dotted below the package.

    With "!" at its end only the definition itself counts: a command that hands on to one family or another. "=text" counts
    as it stands: options of a registry's entry. "path:my_module.MyNet" is code of the user, outside of the package.
    """
    if any(root.startswith("path:") for root in roots):
        return _worked_out(roots)
    key = "\n".join(roots)
    known = _cache()
    if key not in known:
        known[key] = _worked_out(roots)
    return known[key]


@functools.cache
def _cache() -> FingerprintCache:
    return FingerprintCache(PACKAGE)


def _worked_out(roots: tuple[str, ...]) -> str:
    reached: dict[tuple[str, str], str] = {}
    queue = []
    for root in roots:
        if root.startswith("="):
            reached[root, ""] = ""
        elif root.startswith("path:"):
            reached[root, ""] = module_text(root.removeprefix("path:"))
        else:
            module, _, name = root.removesuffix("!").partition(":")
            if root.endswith("!"):
                reached[module, name] = _piece(module, name)[0]
            else:
                queue.append((module, name))
    while queue:
        module, name = queue.pop()
        if (module, name) in reached or _PLUMBING.fullmatch(module):
            continue
        code, uses = _piece(module, name)
        reached[module, name] = code
        queue += uses
    digest = hashlib.sha256()
    for (module, name), code in sorted(reached.items()):
        digest.update(f"{module}:{name}\n{code}\n".encode())
    for native in _NATIVE:
        if any(module == native for module, _ in reached):
            digest.update(_compiled(native).encode())
    return digest.hexdigest()[:12]


def _compiled(module: str) -> str:
    """The C++ of a native module without comments and white space, and the flags that it is compiled with."""
    folders = (PACKAGE / "native", PACKAGE.joinpath(*module.split(".")))
    sources = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in (".cpp", ".h")]
    texts = (re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S) for path in sources)
    flags = tomllib.loads((PACKAGE / "native/flags.toml").read_text(encoding="utf-8"))
    return "\n".join([*(" ".join(text.split()) for text in texts), repr(flags)])


def outdated_library() -> str | None:
    """In a clone: a sentence, where the compiled library is older than its sources; else None."""
    native = PACKAGE / "native"
    built = [path.stat().st_mtime for path in native.glob("_native.*.so")]
    if not built or not (PACKAGE.parents[1] / "setup.py").exists():  # installed, the library came with its sources
        return None
    sources = [path for suffix in ("cpp", "h", "toml") for path in native.rglob(f"*.{suffix}")]
    newest = max(sources, key=lambda path: path.stat().st_mtime)
    if newest.stat().st_mtime <= max(built):
        return None
    return (
        f"The native library is older than {newest.name}, so it may compute something else than its sources say: "
        "build it again with `make setup` or `pip install -e .`."
    )


@functools.cache
def _piece(module: str, name: str) -> tuple[str, list[tuple[str, str]]]:
    """The code of one definition, and the definitions that it uses. Without a name, or with one that is not found: the
    whole module. "<module>" names the statements that run when the module is imported."""
    definitions, names = _module(module)
    if name not in definitions:
        if isinstance(names.get(name), tuple):
            return "", [names[name]]
        return "", [(module, other) for other in definitions]
    words: list[str] = []
    uses = [(module, "<module>")]
    for node in definitions[name]:
        scan(node, names, words, uses, functools.partial(_imported, module), _exists)
    return " ".join(words), list(dict.fromkeys(uses))


@functools.cache
def _module(module: str) -> tuple[dict[str, list[ast.AST]], Names]:
    """(definitions by name, what each name of the module stands for); what defines no name stands under "<module>"."""
    tree = _parsed(_path(module).read_text(encoding="utf-8"))
    definitions: dict[str, list[ast.AST]] = {"<module>": []}
    names: Names = {}
    for node in statements(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= _imported(module, node)
            if any(alias.name == "*" for alias in node.names):
                definitions["<module>"].append(node)
        else:
            for name in names_of(node) or ["<module>"]:
                definitions.setdefault(name, []).append(node)
    return definitions, names | {name: (module, name) for name in definitions if name != "<module>"}


_parsed = functools.cache(ast.parse)  # by the text


def _imported(module: str, node: ast.Import | ast.ImportFrom) -> Names:
    """What the names of an import stand for: (module, "") for a module of this package, (module, name) for a definition in
    it, and for all else the text of the import."""
    if isinstance(node, ast.Import):
        return dict(_plainly_imported(alias) for alias in node.names)
    target = (node.module or "").split(".")
    if node.level:
        package = module.split(".") if _path(module).name == "__init__.py" else module.split(".")[:-1]
        base = package[: len(package) - node.level + 1] + (target if node.module else [])
    elif target[0] == PACKAGE.name:
        base = target[1:]
    else:
        return {alias.asname or alias.name: f"{node.module}:{alias.name}" for alias in node.names}
    found: Names = {}
    for alias in node.names:
        inner = ".".join([*base, alias.name])
        definition = (".".join(base), "" if alias.name == "*" else alias.name)
        found[alias.asname or alias.name] = (inner, "") if _exists(inner) else definition
    return found


def _plainly_imported(alias: ast.alias) -> tuple[str, tuple[str, str] | str]:
    first, _, rest = alias.name.partition(".")
    if first == PACKAGE.name:
        return (alias.asname, (rest, "")) if alias.asname else (first, ("", ""))
    return alias.asname or first, alias.name if alias.asname else first


def _path(module: str) -> Path:
    path = PACKAGE.joinpath(*filter(None, module.split(".")))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def _exists(module: str) -> bool:
    return _path(module).exists()
