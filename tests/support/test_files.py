"""Files appear whole or not at all; tables keep what was written."""

import os
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transporter.support.errors import UserError
from transporter.support.files import (
    link_tree,
    read_rows,
    read_table,
    remove_partial,
    same_tree,
    write_table,
    written_whole,
)


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    with written_whole(tmp_path / "new" / "a.txt") as partial:
        partial.write_text("whole")
        assert not (tmp_path / "new" / "a.txt").exists()
    assert (tmp_path / "new" / "a.txt").read_text() == "whole"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_the_temporary_name_keeps_the_suffix(tmp_path: Path) -> None:
    with written_whole(tmp_path / "a.mp4") as partial:
        partial.touch()
        assert partial.suffix == ".mp4"


@pytest.mark.parametrize("folder", [False, True])
def test_a_failure_leaves_the_old_and_no_remains(tmp_path: Path, folder: bool) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(RuntimeError, match="half way"), written_whole(tmp_path / "a") as partial:
        if folder:
            partial.mkdir()
            (partial / "b").write_text("half")
        else:
            partial.write_text("half")
        raise RuntimeError("half way")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_folder_replaces_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()
    with written_whole(tmp_path / "a") as partial:
        partial.mkdir()
        (partial / "new").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["new"]


def test_writers_of_one_path_do_not_meet(tmp_path: Path) -> None:
    with written_whole(tmp_path / "a") as one, written_whole(tmp_path / "a") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a").read_text() == "one"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """What the disk is asked to do, in order: `fsync` of a file or folder, `replace` to a name."""
    made: list[tuple[str, Path]] = []
    fsync, replace = os.fsync, os.replace

    def flush(descriptor: int) -> None:
        made.append(("fsync", Path(os.readlink(f"/proc/self/fd/{descriptor}"))))
        fsync(descriptor)

    def rename(source: Path, target: Path) -> None:
        made.append(("replace", Path(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", rename)
    return made


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="names of open files are in /proc")
def test_a_file_is_on_the_disk_before_its_name_is(tmp_path: Path, calls: list) -> None:
    with written_whole(tmp_path / "a") as partial:
        partial.write_text("whole")
    assert calls == [("fsync", partial), ("replace", tmp_path / "a"), ("fsync", tmp_path)]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="names of open files are in /proc")
def test_a_folder_is_on_the_disk_before_its_name_is(tmp_path: Path, calls: list) -> None:
    """All that is in it, also what was itself written whole, once."""
    with written_whole(tmp_path / "a") as partial:
        (partial / "b").mkdir(parents=True)
        (partial / "one").touch()
        with written_whole(partial / "b" / "two") as inner:
            inner.touch()
        assert calls == [("replace", partial / "b" / "two")]
    inside = {partial / "one", partial / "b" / "two", partial / "b", partial}
    assert {path for what, path in calls[1:-2] if what == "fsync"} == inside
    assert len(calls[1:-2]) == len(inside)
    assert calls[-2:] == [("replace", tmp_path / "a"), ("fsync", tmp_path)]


def test_what_killed_processes_left_goes(tmp_path: Path) -> None:
    for name in (".partial-0123abcd-a.tsv", "b/.partial-0123abcd-c/d", "b/.partial-notes", "e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    remove_partial([tmp_path, tmp_path / "nowhere"])
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["b", "b/.partial-notes", "e"]


def test_a_folder_once_more_by_links(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("whole")
    (tmp_path / "a" / ".timestamp").touch()
    assert link_tree(tmp_path / "a", tmp_path / "d")
    assert (tmp_path / "d" / "b" / "c").samefile(tmp_path / "a" / "b" / "c")
    assert not (tmp_path / "d" / ".timestamp").exists()


def test_a_disk_without_links_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Operation not permitted")

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").touch()
    monkeypatch.setattr(os, "link", refuse)
    assert not link_tree(tmp_path / "a", tmp_path / "d")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    same_tree(tmp_path / "a", tmp_path / "d")
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["b"]


def test_a_table_returns_as_it_was(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "word": ["red", "", 'say "hi"', '"quoted" start', "NA"],
            "number": [1, 2, 3, 4, 5],
            "share": [0.5, 1, 2, 3, 4.25],
        }
    )
    write_table(table, tmp_path / "t.tsv")
    pd.testing.assert_frame_equal(
        read_table(tmp_path / "t.tsv", ("word", "number")), table, check_dtype=False
    )


def test_floats_are_written_to_six_digits_and_line_ends_are_plain(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"x": [1 / 3], "y": ["é"]}), tmp_path / "t.tsv")
    assert (tmp_path / "t.tsv").read_bytes() == "x\ty\n0.333333\té\n".encode()


def test_a_cell_cannot_break_its_line(tmp_path: Path) -> None:
    write_table(
        pd.DataFrame({"caption": ["two\tparts,\r\ntwo lines"], "n": [1]}), tmp_path / "t.tsv"
    )
    assert read_table(tmp_path / "t.tsv", ("caption",))["caption"].tolist() == [
        "two parts, two lines"
    ]


def test_a_column_of_digits_stays_text_on_request(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"clip": ["001", "1e5"]}), tmp_path / "t.tsv")
    assert read_table(tmp_path / "t.tsv", ("clip",), text=("clip",))["clip"].tolist() == [
        "001",
        "1e5",
    ]


def test_a_table_saved_by_a_spreadsheet(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes(b"\xef\xbb\xbfclip\tcaption\r\na.mp4\ta cat\r\n\r\n")
    table = read_table(tmp_path / "t.tsv", ("clip", "caption"))
    assert table.to_dict("records") == [{"clip": "a.mp4", "caption": "a cat"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected columns a, b, separated by tabs; missing: a, b"),
        (b"a,b\n1,2\n", "missing: a, b"),
        (b"a\n1\n", "missing: b"),
        (b"a\tb\n1\t2\n1\t2\t3\n", "line 3: expected 2 cells, separated by tabs, got 3"),
        (b"a\tb\n1\t2\t3\n", "line 2: expected 2 cells, separated by tabs, got 3"),
        (b"a\tb\n1\n", "line 2: expected 2 cells, separated by tabs, got 1"),
        (
            b"a\tb\n1\t\xff\n",
            "expected a table in UTF-8, got other bytes at byte 6; save it as UTF-8",
        ),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.tsv").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_table(tmp_path / "t.tsv", ("a", "b"))
    assert str(caught.value).startswith(str(tmp_path / "t.tsv"))
    assert "\n" not in str(caught.value)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError,
        match=r"none\.tsv: expected a tab-separated table with columns a, b, found no such file",
    ):
        read_table(tmp_path / "none.tsv", ("a", "b"))


CELLS = st.text(st.characters(exclude_characters="\t\r\n\x00", exclude_categories=("Cs",)))


@given(st.lists(st.tuples(CELLS, CELLS, CELLS).filter(any), max_size=4), st.integers(0, 2))
def test_rows_are_those_that_pandas_reads(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], blank: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "a.tsv"
    lines = ["\t".join(row) for row in (("b", "a", "c"), *rows)]
    path.write_text("\n".join([*lines, *[""] * blank]), encoding="utf-8")
    table = read_table(path, ("a", "b"), text=("a", "b"))
    found = read_rows(path, ("a", "b"))
    assert [cells for _, cells in found] == list(zip(table["a"], table["b"], strict=True))
    assert [number for number, _ in found] == list(range(2, 2 + len(rows)))


@given(st.lists(CELLS, max_size=4))
def test_a_table_of_one_column_keeps_its_empty_cells(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str]
) -> None:
    path = tmp_path_factory.mktemp("column") / "a.tsv"
    write_table(pd.DataFrame({"a": cells}, dtype=str), path)
    assert path.read_bytes() == "".join(f"{cell}\n" for cell in ["a", *cells]).encode()
    assert read_table(path, ("a",), text=("a",))["a"].tolist() == cells
    expected = [(number, (cell,)) for number, cell in enumerate(cells, start=2)]
    assert read_rows(path, ("a",)) == expected


def test_an_unknown_number_of_one_column_is_an_empty_cell(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"x": [0.5, float("nan"), 1 / 3]}), tmp_path / "t.tsv")
    assert (tmp_path / "t.tsv").read_text() == "x\n0.5\n\n0.333333\n"
    assert read_table(tmp_path / "t.tsv", ("x",), text=("x",))["x"].tolist() == [
        "0.5",
        "",
        "0.333333",
    ]


def test_rows_know_their_line_after_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tb\n\n1\t2\n")
    assert read_rows(tmp_path / "a.tsv", ("b",)) == [(3, ("2",))]


@pytest.mark.parametrize("content", ["a\n1\n", "a\tb\n1\n", None])
def test_rows_are_refused_as_tables_are(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "a.tsv"
    if content is not None:
        path.write_text(content)
    messages = []
    for read in (read_rows, read_table):
        with pytest.raises(UserError) as caught:
            read(path, ("a", "b"))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
