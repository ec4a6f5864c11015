"""Short hashes that say whether the code or the settings behind a result have changed."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from transporter.support.hashes import LENGTH

PACKAGES = ("transporter", "microworld")
"""Whose imports are followed, beside those of a stranger's package that a job names."""
BLOCKS = ("body", "orelse", "finalbody")
"""Fields of syntax trees that hold statements."""


def code_hash(*modules: str, files: Sequence[str] = ()) -> str:
    """Hash of the syntax trees of `modules` and of every module that they import, directly or not.

    Imports are followed within `PACKAGES` and the packages of `modules`. A change of comments,
    docstrings or formatting leaves the hash as it is, and so does another version of Python. A
    module named in a string (as registries do) counts as imported. `files` are further files of
    the first of `PACKAGES`, hashed byte by byte, given relative to its folder
    (`figures/page.html`).

    Raises:
        ValueError: one of `modules` is not there.
    """
    packages = (*PACKAGES, *sorted({module.partition(".")[0] for module in modules}))
    for module in modules:
        if source_file(module) is None:
            raise ValueError(f"expected a module with a source file, got {module!r}")
    parts = [f"{module} {_read(module).hash}" for module in sorted(_closure(modules, packages))]
    parts += [
        f"{name} {hashlib.sha256((_folder(PACKAGES[0]) / name).read_bytes()).hexdigest()}"
        for name in sorted(files)
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:LENGTH]


@cache
def _folder(package: str) -> Path | None:
    """Where a package is, found without importing it; None where it is not, or is no folder."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def _lone_file(module: str) -> Path | None:
    """The file of a module that lies in no package."""
    spec = importlib.util.find_spec(module)
    path = Path(spec.origin) if spec is not None and spec.has_location else None
    return path if path is not None and path.suffix == ".py" else None


def source_file(module: str) -> Path | None:
    """The file of a module, found without importing it; None where there is none."""
    package, *rest = module.split(".")
    if not all(map(str.isidentifier, (package, *rest))):
        return None
    folder = _folder(package)
    if folder is None:
        return None if rest else _lone_file(package)
    base = folder.joinpath(*rest)
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _closure(modules: Sequence[str], packages: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        waiting += _imports(module, packages)
        waiting += [parent] if (parent := module.rpartition(".")[0]) else []
    return found


class _Read(NamedTuple):
    """What a module's source says."""

    hash: str
    """Of its syntax tree."""
    names: frozenset[str]
    """In full, of all that it may import."""


@cache
def _read(module: str) -> _Read:
    path = source_file(module)
    assert path is not None
    nodes: list[ast.AST] = []
    text = _dump(ast.parse(path.read_bytes(), filename=str(path)), nodes)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = frozenset(name for node in nodes for name in _named(node, package))
    return _Read(hashlib.sha256(text.encode()).hexdigest(), names)


def _dump(value: Any, nodes: list[ast.AST] | None) -> str:
    """Like `ast.dump`, but fields without content are left out, since new versions of Python add
    such fields, and so are docstrings.

    `nodes` gets every node but what only a type checker sees; in one pass, for a dry run reads a
    hundred modules.
    """
    if isinstance(value, list):
        return f"[{','.join([_dump(item, nodes) for item in value])}]"
    if not isinstance(value, ast.AST):
        return repr(value)
    if nodes is not None:
        nodes.append(value)
    guard = isinstance(value, ast.If) and "TYPE_CHECKING" in ast.dump(value.test)
    fields = []
    for name in value._fields:
        item = getattr(value, name, None)
        if name in BLOCKS and isinstance(item, list):
            item = [statement for statement in item if not _is_text(statement)]
        if item is not None and item != []:
            inner = None if guard and name == "body" else nodes
            fields.append(f"{name}={_dump(item, inner)}")
    return f"{type(value).__name__}({','.join(fields)})"


def _is_text(statement: ast.AST) -> bool:
    """Whether it is a docstring, or a comment on an attribute: a string that stands alone."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@cache
def _imports(module: str, packages: tuple[str, ...]) -> tuple[str, ...]:
    """The modules of `packages` that a module imports."""
    ours = {name for name in _read(module).names if name.partition(".")[0] in packages}
    return tuple(sorted(name for name in ours if source_file(name) is not None))


def _named(node: ast.AST, package: str) -> Iterator[str]:
    """Names of modules that a node may import."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value.partition(":")[0]
