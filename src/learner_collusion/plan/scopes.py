"""Names in Python code: what a definition reads of its module, by Python's own rules of scope. Code is parsed, never run."""

import ast
from collections.abc import Callable, Iterable

# What a name stands for: (module of the package, definition in it or "" for the module itself), or the text of an import
# from elsewhere.
Names = dict[str, tuple[str, str] | str]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NAMED = (*_FUNCTIONS, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_IMPORTS = (ast.Import, ast.ImportFrom)


def statements(node: ast.AST) -> list[ast.AST]:
    """The statements of a module, class or function without the docstring."""
    first = node.body[0] if node.body else None
    documented = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return node.body[1:] if documented else node.body


def names_of(node: ast.AST) -> list[str]:
    """The names that a statement of a module defines."""
    if isinstance(node, _NAMED):
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
        if kind in _IMPORTS:
            uses.extend(
                value for value in imported(node).values() if isinstance(value, tuple) and "*" in _aliases(node)
            )
        inside = _inside(node, names, imported)
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


def _aliases(node: ast.AST) -> list[str]:
    return [alias.name for alias in node.names]


def _inside(node: ast.AST, names: Names, imported: Callable[[ast.AST], Names]) -> Names:
    """What names stand for in the body of a function, lambda or comprehension; for other nodes `names` itself."""
    if isinstance(node, (*_FUNCTIONS, ast.Lambda)):
        arguments = [leaf.arg for leaf in ast.walk(node.args) if isinstance(leaf, ast.arg)]
        body = node.body if isinstance(node.body, list) else [node.body]
        bound, local, outer = {*arguments}, {}, set()
        for leaf in _same_scope(body):
            if isinstance(leaf, _IMPORTS):
                local |= imported(leaf)
            elif isinstance(leaf, ast.Global | ast.Nonlocal):
                outer |= set(leaf.names)
            else:
                bound |= _binds(leaf)
        hidden = bound - outer
        return {name: value for name, value in names.items() if name not in hidden} | local
    if isinstance(node, _COMPREHENSIONS):
        bound = {leaf.id for part in node.generators for leaf in ast.walk(part.target) if isinstance(leaf, ast.Name)}
        return {name: value for name, value in names.items() if name not in bound}
    if isinstance(node, ast.ClassDef):
        local = {}
        for leaf in _same_scope(node.body):
            if isinstance(leaf, _IMPORTS):
                local |= imported(leaf)
        return names | local
    return names


def _same_scope(nodes: Iterable[ast.AST]) -> Iterable[ast.AST]:
    """All nodes below, without those of inner functions, classes, lambdas; of comprehensions only what `:=` binds."""
    queue = list(nodes)
    while queue:
        node = queue.pop()
        if isinstance(node, _COMPREHENSIONS):
            yield from (leaf for leaf in ast.walk(node) if isinstance(leaf, ast.NamedExpr))
            continue
        yield node
        if not isinstance(node, (*_NAMED, ast.Lambda)):
            queue += ast.iter_child_nodes(node)


def _binds(node: ast.AST) -> set[str]:
    """The names that one node binds in its scope."""
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store | ast.Del) else set()
    if isinstance(node, ast.NamedExpr):
        return {node.target.id}
    if isinstance(node, _NAMED):
        return {node.name}
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        return {node.name} - {None}
    return {node.rest} - {None} if isinstance(node, ast.MatchMapping) else set()


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
