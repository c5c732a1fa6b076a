"""Fingerprints of code: what a stage can reach, and nothing else.

A fingerprint covers the functions, classes and constants that its roots reach through the package, definition by
definition. So a new schema, reader, model, figure or claim makes nothing stale, nor does a comment or a docstring. Modules
are parsed, never imported: this runs while Snakemake parses.
"""

import ast
import functools
import hashlib
import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# Read by every stage, and no part of what it computes. What is chosen by name in a registry is a root of its own.
_PLUMBING = re.compile(r"(cli|errors|plan(\..*)?|.*\.registry|claims\.catalogue)")
# Compiled code, by the module that calls it; native/*.h serves all.
_NATIVE = ("native.engine", "native.process", "native.convolution")


@functools.cache
def fingerprint(*roots: str) -> str:
    """Twelve hex digits of all code that the roots reach; a root is "module" or "module:name", dotted below the package.
    With "!" at its end only the definition itself counts: a command that hands on to one family or another."""
    reached: dict[tuple[str, str], str] = {}
    queue = []
    for root in roots:
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
    """The C++ of a native module without comments and white space."""
    sources = [
        path
        for folder in (PACKAGE / "native", PACKAGE.joinpath(*module.split(".")))
        for path in sorted(folder.iterdir())
        if path.suffix in (".cpp", ".h")
    ]
    texts = (re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S) for path in sources)
    return "\n".join(" ".join(text.split()) for text in texts)


@functools.cache
def _piece(module: str, name: str) -> tuple[str, list[tuple[str, str]]]:
    """The code of one definition, and the definitions that it uses. Without a name, or with one that is not found: the
    whole module. "<module>" names the statements that run when the module is imported."""
    definitions, imports = _module(module)
    if name not in definitions:
        if name in imports:
            return "", [imports[name]]
        return "", [(module, other) for other in definitions]
    words: list[str] = []
    uses = [(module, "<module>")]
    for node in definitions[name]:
        _scan(module, node, definitions, imports, words, uses)
    return " ".join(words), list(dict.fromkeys(uses))


@functools.cache
def _module(module: str) -> tuple[dict[str, list[ast.AST]], dict[str, tuple[str, str]]]:
    """(definitions by name, imported names) of a module; what is neither stands under "<module>"."""
    tree = ast.parse(_path(module).read_text(encoding="utf-8"))
    definitions: dict[str, list[ast.AST]] = {"<module>": []}
    imports: dict[str, tuple[str, str]] = {}
    for node in _body(tree):
        if isinstance(node, ast.ImportFrom):
            imports |= _imported(module, node)
        elif not isinstance(node, ast.Import):
            for name in _defined(node) or ["<module>"]:
                definitions.setdefault(name, []).append(node)
    return definitions, imports


def _body(node: ast.AST) -> list[ast.AST]:
    """The statements of a module, class or function without the docstring."""
    first = node.body[0] if node.body else None
    documented = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return node.body[1:] if documented else node.body


def _defined(node: ast.AST) -> list[str]:
    if isinstance(node, _NAMED):
        return [node.name]
    if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return []
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)]


_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _imported(module: str, node: ast.ImportFrom) -> dict[str, tuple[str, str]]:
    """What the names of an import from this package stand for: (module, "") for a module, (module, name) for a definition."""
    if not node.level:
        return {}
    package = module.split(".") if _path(module).name == "__init__.py" else module.split(".")[:-1]
    base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
    found = {}
    for alias in node.names:
        inner = ".".join([*base, alias.name])
        found[alias.asname or alias.name] = (inner, "") if _exists(inner) else (".".join(base), alias.name)
    return found


def _scan(module: str, node: ast.AST, definitions, imports: dict, words: list[str], uses: list) -> None:
    """Append the code of `node` to `words`, in one pass, and the definitions of the package that it names to `uses`."""
    if isinstance(node, _NAMED):
        inner = list(ast.walk(node))
        for leaf in inner:
            if isinstance(leaf, ast.ImportFrom):
                imports = imports | _imported(module, leaf)
        if not isinstance(node, ast.ClassDef):  # a local name hides the module's
            bound = {leaf.id for leaf in inner if isinstance(leaf, ast.Name) and isinstance(leaf.ctx, ast.Store)}
            bound |= {leaf.arg for leaf in inner if isinstance(leaf, ast.arg)}
            definitions = definitions.keys() - bound

    def visit(node: ast.AST) -> None:
        kind = type(node)
        words.append(kind.__name__)
        if kind is ast.Name:
            words.append(node.id)
            if node.id in definitions:
                uses.append((module, node.id))
            elif node.id in imports:
                uses.append(imports[node.id])
            return
        if kind is ast.Attribute and (chain := _chain(node, imports)):
            words.append(":".join(chain))
            uses.append(chain[:2])
            return
        for field in node._fields:
            value = _body(node) if field == "body" and kind in _NAMED else getattr(node, field, None)
            if isinstance(value, ast.AST):
                visit(value)
            elif isinstance(value, list):
                words.append("[")
                for item in value:
                    if isinstance(item, ast.AST):
                        visit(item)
                    else:
                        words.append(repr(item))
                words.append("]")
            elif field != "ctx":
                words.append(repr(value))

    visit(node)


def _chain(node: ast.Attribute, imports: dict) -> tuple[str, str, str] | None:
    """(module, definition, attributes of it) that `alias.name` stands for where `alias` is a module of the package."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or imports.get(node.id, ("", "x"))[1]:
        return None
    module = imports[node.id][0]
    names.reverse()
    for depth, name in enumerate(names):
        if not _exists(f"{module}.{name}"):
            return module, name, ".".join(names[depth + 1 :])
        module = f"{module}.{name}"
    return module, "", ""


def _path(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def _exists(module: str) -> bool:
    return _path(module).exists()
