"""Short hashes that say whether the code or the settings behind a result have changed."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = "transporter"
LENGTH = 16
"""Hexadecimal digits kept of a hash."""


def digest(*values: Any) -> str:
    """Hash of values that JSON can hold; the order of the keys of a mapping does not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:LENGTH]


def code_hash(*modules: str, files: Sequence[str] = ()) -> str:
    """Hash of the syntax trees of `modules` and of every module of this package that they import,
    directly or not.

    A change of comments, docstrings or formatting leaves it as it is, and so does another version
    of Python. A module named in a string (as registries do) counts as imported. `files` are further
    files of the package, hashed byte by byte, given relative to the package's folder
    (`figures/page.html`).

    Raises:
        ValueError: one of `modules` is not a module of this package.
    """
    for module in modules:
        if _source(module) is None:
            raise ValueError(f"expected a module of {PACKAGE}, got {module!r}")
    parts = [f"{module} {_tree_hash(module)}" for module in sorted(_closure(modules))]
    parts += [
        f"{name} {hashlib.sha256((_folder() / name).read_bytes()).hexdigest()}"
        for name in sorted(files)
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:LENGTH]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_hash(paths: Iterable[str | os.PathLike[str]]) -> str:
    """Hash of names and bytes of files, and of all files in the folders among them."""
    parts = []
    for path in map(Path, [paths] if isinstance(paths, str) else paths):
        files = (
            sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        )
        parts += [(str(file), file_hash(file)) for file in files]
    return digest(parts)


@cache
def _folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{PACKAGE} is not installed as a package")
    return Path(next(iter(spec.submodule_search_locations)))


def _source(module: str) -> Path | None:
    """The file of a module of this package, found without importing it."""
    first, *rest = module.split(".")
    if first != PACKAGE or not all(part.isidentifier() for part in rest):
        return None
    base = _folder().joinpath(*rest)
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _closure(modules: Sequence[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        waiting += _imports(module)
        waiting += [parent] if (parent := module.rpartition(".")[0]) else []
    return found


@cache
def _tree(module: str) -> ast.Module:
    path = _source(module)
    assert path is not None
    tree = ast.parse(path.read_bytes(), filename=str(path))
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            if isinstance(statements := getattr(node, field, None), list):
                # a string that stands alone is a docstring or a comment on an attribute
                setattr(
                    node, field, [statement for statement in statements if not _is_text(statement)]
                )
    return tree


def _is_text(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@cache
def _tree_hash(module: str) -> str:
    return hashlib.sha256(_dump(_tree(module)).encode()).hexdigest()


def _dump(value: Any) -> str:
    """Like `ast.dump`, but fields without content are left out: new versions of Python add such
    fields.
    """
    if isinstance(value, ast.AST):
        fields = [
            (name, _dump(item))
            for name, item in ast.iter_fields(value)
            if item is not None and item != []
        ]
        return f"{type(value).__name__}({','.join(f'{name}={text}' for name, text in fields)})"
    if isinstance(value, list):
        return f"[{','.join(map(_dump, value))}]"
    return repr(value)


@cache
def _imports(module: str) -> tuple[str, ...]:
    path = _source(module)
    package = (
        module if path is not None and path.name == "__init__.py" else module.rpartition(".")[0]
    )
    names = (name for node in _walk(_tree(module)) for name in _named(node, package))
    return tuple(sorted({name for name in names if _source(name) is not None}))


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but what only a type checker sees."""
    yield node
    for child in ast.iter_child_nodes(node):
        if (
            isinstance(node, ast.If)
            and "TYPE_CHECKING" in ast.dump(node.test)
            and child in node.body
        ):
            continue
        yield from _walk(child)


def _named(node: ast.AST, package: str) -> Iterator[str]:
    """Names of modules that a node may import."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith(f"{PACKAGE}.")
    ):
        yield node.value.partition(":")[0]
