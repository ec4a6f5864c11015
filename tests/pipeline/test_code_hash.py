"""A hash of code changes with the code, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from transporter.pipeline import code_hash as code_hashes
from transporter.pipeline.code_hash import code_hash
from transporter.support.hashes import digest, files_hash

MODULES = {
    "__init__.py": '"""A package."""\n',
    "top.py": (
        '"""Top."""\nfrom transporter.middle import double\n\ndef four():\n    """Four."""\n   '
        " return double(2)\n"
    ),
    "middle.py": "def double(x):\n    from transporter import low\n    return low.add(x, x)\n",
    "low.py": "LIMIT = 3\n'''How far.'''\n\ndef add(a, b):\n    # plain\n    return a + b\n",
    "other.py": "VALUE = 1\n",
    "page.html": "<p>",
}
Edit = Callable[..., str]


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """The hash of `transporter.top` in a small package, after replacing text in one of its
    files.
    """
    for name, text in MODULES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(code_hashes, "_folder", lambda package: tmp_path)

    def edit(
        name: str = "top.py",
        old: str = "",
        new: str = "",
        module: str = "transporter.top",
        files: tuple[str, ...] = (),
    ) -> str:
        text = MODULES[name]
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new))
        for cached in (code_hashes._read, code_hashes._imports):
            cached.cache_clear()
        return code_hash(module, files=files)

    return edit


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("top.py", '"""Four."""', '"""Four, in words."""'),
        ("top.py", '    """Four."""\n', ""),
        ("top.py", "return double(2)", "return double(  2 )  # two"),
        ("low.py", "# plain", "# another comment\n"),
        ("low.py", "'''How far.'''", "'''How far it goes.'''"),
        ("other.py", "1", "2"),
    ],
)
def test_what_does_not_run_does_not_count(edited: Edit, name: str, old: str, new: str) -> None:
    before = edited()
    assert edited(name, old, new) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("top.py", "double(2)", "double(3)"),
        ("middle.py", "x, x", "x, 2"),
        ("low.py", "a + b", "a - b"),
        ("low.py", "3", "4"),
    ],
)
def test_code_counts_also_of_what_is_imported(edited: Edit, name: str, old: str, new: str) -> None:
    before = edited()
    assert edited(name, old, new) != before


def test_what_only_a_type_checker_imports_does_not_count(edited: Edit) -> None:
    guarded = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from transporter.other import"
        " VALUE\n"
    )
    before = edited("top.py", '"""Top."""\n', guarded)
    assert "transporter.other" not in code_hashes._closure(
        ["transporter.top"], code_hashes.PACKAGES
    )
    assert before != edited()


def test_a_module_named_in_a_string_counts(edited: Edit) -> None:
    edited("top.py", "double(2)", "double('transporter.other:VALUE')")
    assert "transporter.other" in code_hashes._closure(["transporter.top"], code_hashes.PACKAGES)


def test_relative_imports_and_packages(edited: Edit) -> None:
    edited("top.py", "from transporter.middle import", "from .middle import")
    assert code_hashes._closure(["transporter.top"], code_hashes.PACKAGES) == {
        "transporter",
        "transporter.top",
        "transporter.middle",
        "transporter.low",
    }


def test_other_files_count_where_they_are_named(edited: Edit) -> None:
    before, without = edited(files=("page.html",)), edited()
    assert edited("page.html", "<p>", "<b>") == without
    assert edited("page.html", "<p>", "<b>", files=("page.html",)) != before


def test_unknown_modules_are_refused() -> None:
    with pytest.raises(ValueError, match=r"transporter\.nowhere"):
        code_hash("transporter.nowhere")


def test_the_real_package_is_followed() -> None:
    reached = code_hashes._closure(["transporter.coupling.training"], code_hashes.PACKAGES)
    assert {
        "transporter.coupling.network",
        "transporter.support.files",
        "transporter.support.errors",
    } <= reached
    assert "transporter.pipeline.snapshot" not in reached


def test_digest_ignores_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})


def test_files_hash_sees_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("1")
    before = files_hash([tmp_path / "folder"])
    assert before == files_hash([tmp_path / "folder"])
    (tmp_path / "folder" / "a").write_text("2")
    assert files_hash([tmp_path / "folder"]) != before


@pytest.mark.parametrize(
    ("modules", "rooms"),
    [
        (
            ["transporter.concepts.answered", "transporter.concepts.fitting"],
            {"generation", "figures"},
        ),
        (["transporter.coupling.training"], {"concepts", "generation", "vlms", "generators"}),
        (["transporter.generation.sweeps"], {"metrics", "figures", "truth", "vlms"}),
    ],
)
def test_a_result_does_not_hang_on_rooms_above_it(modules: list[str], rooms: set[str]) -> None:
    """How clips are named, or drawn, refits no bank and trains no coupling anew."""
    reached = code_hashes._closure(modules, code_hashes.PACKAGES)
    assert not {name.split(".")[1] for name in reached if "." in name} & rooms
