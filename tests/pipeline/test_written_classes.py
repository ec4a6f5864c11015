"""What a class stands on is told from source alone, and is what Python says once it is imported."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from transporter.pipeline.adapters import BASES, GROUPS, adapter_place
from transporter.pipeline.adapters import _offered as offered
from transporter.pipeline.code_hash import _folder, _lone_file
from transporter.pipeline.written_classes import _parsed, stands_on

MODULES = {
    "shelf/__init__.py": "from .models import Direct as Shown\nfrom shelf import models\n",
    "shelf/base.py": "class Base: ...\nclass Other: ...\n",
    "shelf/models.py": """
from abc import ABC
from . import base
from .base import Base
import shelf.base as aliased
import shelf.base
from shelf.base import *

class Mixin: ...
class Direct(Base): ...
class Deep(Mixin, Direct): ...
class Dotted(base.Base): ...
class Aliased(aliased.Base): ...
class Whole(shelf.base.Base): ...
class Stranger(Other): ...
Renamed = Deep
Dotted_too = aliased.Base
def function(): ...
value = 3
try:
    class Tried(Direct): ...
except ImportError:
    Tried = None
if True:
    class If(Direct): ...
""",
    "shelf/starred.py": "from shelf.models import *\nclass Star(Whole): ...\n",
    "lone.py": "from shelf import Shown, models\nclass Lone(models.Deep): ...\n",
    "broken.py": "class Broken(:\n",
    "mark.py": "from pathlib import Path\nPath('was_here').touch()\nclass Mark: ...\n",
    "circle.py": "from circle import A\nB = A\nclass C(B): ...\n",
}
PLACES = [
    *(f"shelf.models:{name}" for name in ("Direct", "Deep", "Dotted", "Aliased", "Whole")),
    *(f"shelf.models:{name}" for name in ("Stranger", "Renamed", "Dotted_too", "Tried", "If")),
    *(f"shelf.models:{name}" for name in ("Mixin", "function", "value", "Nothing", "ABC", "Base")),
    *("shelf:Shown", "shelf:models", "shelf.starred:Star", "shelf.starred:Deep"),
    *("lone:Lone", "lone:Shown", "lone:models", "os:system", "os:PathLike"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for cached in (_folder, _lone_file, _parsed):
        cached.cache_clear()
    return tmp_path


def inherits(place: str, base: type) -> bool:
    module, _, name = place.partition(":")
    found = getattr(importlib.import_module(module), name, None)
    return isinstance(found, type) and issubclass(found, base)


@pytest.mark.parametrize("place", PLACES)
def test_it_is_what_python_says(folder: Path, place: str) -> None:
    found = stands_on(place, "shelf.base:Base")
    before = [name for name in sys.modules if name.partition(".")[0] in ("shelf", "lone")]
    assert before == []
    try:
        assert found == inherits(place, importlib.import_module("shelf.base").Base)
    finally:
        for name in list(sys.modules):
            if name.partition(".")[0] in ("shelf", "lone"):
                del sys.modules[name]


def test_nothing_runs(folder: Path) -> None:
    assert not stands_on("mark:Mark", "shelf.base:Base")
    assert not (folder / "was_here").exists()


def test_circles_end(folder: Path) -> None:
    assert not stands_on("circle:C", "shelf.base:Base")
    assert not stands_on("circle:A", "shelf.base:Base")


def test_what_is_no_python_says_so(folder: Path) -> None:
    with pytest.raises(SyntaxError):
        stands_on("broken:Broken", "shelf.base:Base")


@pytest.mark.parametrize("kind", GROUPS)
def test_our_own_adapters_pass(kind: str) -> None:
    for name in offered(kind):
        assert stands_on(adapter_place(kind, name), BASES[kind]), name
