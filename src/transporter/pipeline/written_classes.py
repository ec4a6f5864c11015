"""Whether a class stands on another one, as its source says: nothing is imported, for a module that
somebody's settings name runs when it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from transporter.pipeline.code_hash import source_file

Name = tuple[str, ...]
"""A dotted name, by its parts."""


class _Module(NamedTuple):
    """What a module's source says of names at its top."""

    bases: dict[str, list[Name]]
    """Of each class."""
    others: dict[str, Name]
    """What a name stands for that is imported or assigned, in full."""
    stars: list[str]
    """Modules of which everything is imported."""


def stands_on(place: str, base: str) -> bool:
    """Whether the class at `place`, `module:Class`, is the one at `base` or inherits from it.

    Only what is plainly written counts: classes, imports and assignments at the top of modules.

    Raises:
        SyntaxError: a module on the way is no Python.
        ValueError: the same, by a null byte.
    """
    return _leads(tuple(place.replace(":", ".").split(".")), base.replace(":", "."), set())


def _leads(name: Name, base: str, seen: set[Name]) -> bool:
    """Whether a dotted name is that of the class `base`, or of one that inherits from it."""
    if ".".join(name) == base:
        return True
    if name in seen:
        return False
    seen.add(name)
    for length in range(len(name) - 1, 0, -1):
        module, rest = ".".join(name[:length]), name[length:]
        path = source_file(module)
        if path is not None:
            return any(_leads(other, base, seen) for other in _meant(module, path, rest))
    return False


def _meant(module: str, path: Path, name: Name) -> Iterator[Name]:
    """What a name in a module may stand for, in full; of a class, its bases."""
    known, (first, *rest) = _parsed(module, path), name
    if first in known.others:
        yield (*known.others[first], *rest)
    if not rest:
        for base in known.bases.get(first, ()):
            yield from _meant_by(module, known, base)
    for star in known.stars:
        yield (*star.split("."), *name)


def _meant_by(module: str, known: _Module, name: Name) -> Iterator[Name]:
    """A base as it is written in a module, in full."""
    first, *rest = name
    yield (*known.others[first], *rest) if first in known.others else (*module.split("."), *name)


@cache
def _parsed(module: str, path: Path) -> _Module:
    found = _Module({}, {}, [])
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    waiting: list[ast.stmt] = list(ast.parse(path.read_bytes(), filename=str(path)).body)
    while waiting:
        statement = waiting.pop(0)
        if isinstance(statement, ast.ClassDef):
            bases = [_dotted(base) for base in statement.bases]
            found.bases[statement.name] = [base for base in bases if base]
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            _take_imports(statement, package, found)
        elif isinstance(statement, ast.Assign):
            _take_assigned(statement, module, found)
        elif isinstance(statement, ast.If | ast.Try):
            waiting = [*statement.body, *statement.orelse, *waiting]
    return found


def _take_imports(statement: ast.Import | ast.ImportFrom, package: str, found: _Module) -> None:
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            whole = alias.name if alias.asname else alias.name.partition(".")[0]
            found.others[alias.asname or whole] = tuple(whole.split("."))
        return
    above = package.split(".")
    parents = above[: len(above) - statement.level + 1] if statement.level else []
    base = [*parents, *(statement.module.split(".") if statement.module else [])]
    for alias in statement.names:
        if alias.name == "*":
            found.stars.append(".".join(base))
        else:
            found.others[alias.asname or alias.name] = (*base, alias.name)


def _take_assigned(statement: ast.Assign, module: str, found: _Module) -> None:
    value = _dotted(statement.value)
    for target in statement.targets:
        if isinstance(target, ast.Name) and value and value != (target.id,):
            first, *rest = value
            known = found.others.get(first, (*module.split("."), first))
            found.others[target.id] = (*known, *rest)


def _dotted(node: ast.expr) -> Name:
    """`a.b.C`, or `a.b.C[...]`, by its parts; nothing of another expression."""
    if isinstance(node, ast.Subscript):
        return _dotted(node.value)
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return (*before, node.attr)
    return ()
