"""Names in Python code: what a definition reads of its module, by Python's own rules of scope. Code is parsed, never run."""

import ast
from collections.abc import Callable

# What a name stands for: (module of the package, definition in it or "" for the module itself), or the text of an import
# from elsewhere.
Names = dict[str, tuple[str, str] | str]

_NAMED = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef})
_COMPREHENSIONS = frozenset({ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp})
_SCOPES = _NAMED | _COMPREHENSIONS | {ast.Lambda}
_IMPORTS = frozenset({ast.Import, ast.ImportFrom})
_NAMING = frozenset({ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping})  # by a text, not by a Name


def statements(node: ast.AST) -> list[ast.AST]:
    """The statements of a module, class or function without the docstring."""
    first = node.body[0] if node.body else None
    documented = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return node.body[1:] if documented else node.body


def names_of(node: ast.AST) -> list[str]:
    """The names that a statement of a module defines."""
    if type(node) in _NAMED:
        return [node.name]
    if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return []
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)]


def scan(
    root: ast.AST,
    names: Names,
    words: list[str],
    uses: list[tuple[str, str]],
    imported: Callable[[ast.AST], Names],
    exists: Callable[[str], bool],
) -> None:
    """Append the code of `root` to `words`, with what imported names stand for, and to `uses` what it reads of the package.

    `names` are those of the module, `imported` reads an import statement, `exists` says whether a module is one of the
    package. A name that a function, lambda or comprehension binds is no longer the module's inside it; default values,
    decorators and the first iterable of a comprehension are read outside.
    """

    def visit(node: ast.AST, names: Names) -> None:
        kind = type(node)
        words.append(kind.__name__)
        if kind is ast.Name:
            meaning = names.get(node.id, node.id)
            if isinstance(meaning, tuple):
                uses.append(meaning)
                meaning = ":".join(meaning)
            words.append(meaning)
            return
        if kind is ast.Attribute and (chain := _chain(node, names, exists)):
            words.append(":".join(chain))
            uses.append(chain[:2])
            return
        if kind is ast.ImportFrom and node.names[0].name == "*":
            uses.extend(value for value in imported(node).values() if isinstance(value, tuple))
        inside = _inside(node, names, imported) if kind in _SCOPES else names
        for field in node._fields:
            if field == "ctx":
                continue
            value = statements(node) if field == "body" and kind in _NAMED else getattr(node, field, None)
            if isinstance(value, ast.AST):
                visit(value, inside if field in ("body", "elt", "key", "value") else names)
            elif isinstance(value, list):
                words.append("[")
                for index, item in enumerate(value):
                    if isinstance(item, ast.comprehension):
                        words.append("for" if not item.is_async else "async for")
                        visit(item.target, inside)
                        visit(item.iter, names if index == 0 else inside)
                        for condition in item.ifs:
                            visit(condition, inside)
                    elif isinstance(item, ast.AST):
                        visit(item, inside if field in ("body", "generators") else names)
                    else:
                        words.append(repr(item))
                words.append("]")
            else:
                words.append(repr(value))

    visit(root, names)


def _inside(node: ast.AST, names: Names, imported: Callable[[ast.AST], Names]) -> Names:
    """What names stand for in the body of a function, lambda, class or comprehension."""
    if type(node) in _COMPREHENSIONS:
        bound = {leaf.id for part in node.generators for leaf in ast.walk(part.target) if type(leaf) is ast.Name}
        return {name: meaning for name, meaning in names.items() if name not in bound}
    bound, outer, local = _bound(node.body if isinstance(node.body, list) else [node.body], imported)
    if type(node) is ast.ClassDef:  # its names are not seen in its methods
        return names | local
    bound |= {leaf.arg for leaf in ast.walk(node.args) if type(leaf) is ast.arg}
    return {name: meaning for name, meaning in names.items() if name not in bound or name in outer} | local


def _bound(nodes: list[ast.AST], imported: Callable[[ast.AST], Names]) -> tuple[set[str], set[str], Names]:
    """(names that some statements bind, those declared global or nonlocal, what they import) in their own scope."""
    bound, outer, local = set(), set(), {}
    queue = list(nodes)
    while queue:
        node = queue.pop()
        kind = type(node)
        if kind is ast.Name:
            if type(node.ctx) is not ast.Load:
                bound.add(node.id)
            continue
        if kind in _IMPORTS:
            local |= imported(node)
        elif kind is ast.Global or kind is ast.Nonlocal:
            outer.update(node.names)
        elif kind in _COMPREHENSIONS:  # of what they bind, `:=` alone is seen outside
            bound.update(leaf.target.id for leaf in ast.walk(node) if type(leaf) is ast.NamedExpr)
        elif kind in _NAMED:
            bound.add(node.name)
        elif kind is not ast.Lambda and kind is not ast.Constant:
            if kind in _NAMING:
                bound.add(node.rest if kind is ast.MatchMapping else node.name)
            for field in node._fields:
                value = getattr(node, field, None)
                if isinstance(value, list):
                    queue += [item for item in value if isinstance(item, ast.AST)]
                elif isinstance(value, ast.AST):
                    queue.append(value)
    return bound, outer, local


def _chain(node: ast.Attribute, names: Names, exists: Callable[[str], bool]) -> tuple[str, str, str] | None:
    """(module, definition, attributes of it) that `alias.name` stands for where `alias` is a module of the package."""
    attributes = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    meaning = names.get(node.id) if isinstance(node, ast.Name) else None
    if not isinstance(meaning, tuple) or meaning[1]:
        return None
    module = meaning[0]
    attributes.reverse()
    for depth, name in enumerate(attributes):
        inner = ".".join(filter(None, [module, name]))
        if not exists(inner):
            return module, name, ".".join(attributes[depth + 1 :])
        module = inner
    return module, "", ""
