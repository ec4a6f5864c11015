"""Folders of real clips in every layout, and files that no one should open as such."""

from __future__ import annotations

import csv
import io
import json
import pickle
import tarfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from encoded import SIZE, encode

from transporter.clips.layouts import clip_base, is_listed, is_packed, listed
from transporter.clips.listing import COLUMNS, Layout
from transporter.clips.reading import read_video
from transporter.clips.webdataset_layout import unpacked
from transporter.pipeline.clip_contents import piece_contents
from transporter.support.errors import UserError

CAPTIONS = {"a": "a man walks slowly", "b": "A dog, at night.", "c": "two words\nof one  clip"}
WORDS = [" ".join(caption.split()) for caption in CAPTIONS.values()]
Members = dict[str, bytes | tarfile.TarInfo]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Three short clips, the bytes of each by its name."""
    place = tmp_path_factory.mktemp("clips")
    made = {}
    for number, name in enumerate(CAPTIONS):
        made[name] = encode(place / f"{name}.mp4", "libx264", count=9 + number).read_bytes()
    return made


def write_tar(path: Path, members: Members, mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                about = tarfile.TarInfo(name)
                about.size = len(content)
                archive.addfile(about, io.BytesIO(content))
    return path


def as_captions(folder: Path, clips: dict[str, bytes]) -> None:
    (folder / "clips").mkdir()
    lines = ["clip\tcaption"]
    for (name, content), words in zip(clips.items(), WORDS, strict=True):
        (folder / "clips" / f"{name}.mp4").write_bytes(content)
        lines.append(f"{name}.mp4\t{words}")
    (folder / "captions.tsv").write_text("\n".join([*lines, ""]))


def as_csv(folder: Path, clips: dict[str, bytes]) -> None:
    (folder / "day1").mkdir()
    with (folder / "list.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["caption", "length", "path"])
        for name, content in clips.items():
            path = folder / "day1" / f"{name}.mp4"
            path.write_bytes(content)
            whole = name == "b"  # paths may be whole
            rows.writerow([CAPTIONS[name], 3, path if whole else path.relative_to(folder)])


def as_vatex(folder: Path, clips: dict[str, bytes]) -> None:
    (folder / "clips").mkdir()
    for name, content in clips.items():
        (folder / "clips" / f"{name}.mp4").write_bytes(content)
    entries = [
        {"videoID": name, "enCap": [caption, "another"], "chCap": ["x"]}
        for name, caption in {**CAPTIONS, "gone": "a clip that was taken down"}.items()
    ]
    (folder / "vatex.json").write_text(json.dumps(entries))


def as_webdataset(folder: Path, clips: dict[str, bytes]) -> None:
    """Two archives; captions in text or JSON, and what is none of a clip's beside them."""
    harm = pickle.dumps(pytest.fail)
    first: Members = {"a.txt": CAPTIONS["a"].encode(), "a.mp4": clips["a"], "a.pyd": harm}
    first |= {
        "./day1/b.MP4": clips["b"],
        "./day1/b.json": json.dumps({"caption": CAPTIONS["b"]}).encode(),
    }
    first |= {"failed.json": b"{}", "failed.txt": b"a download that failed"}
    write_tar(folder / "shard-0.tar", first)
    # where there are both, the text
    second: Members = {"a.mp4": clips["c"], "a.json": b"no JSON", "a.txt": CAPTIONS["c"].encode()}
    write_tar(folder / "shard-1.tar", second)


LAYOUTS: dict[Layout, Callable[[Path, dict[str, bytes]], None]] = {
    "captions": as_captions,
    "csv": as_csv,
    "vatex": as_vatex,
    "webdataset": as_webdataset,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_has_the_same_clips(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clips: dict[str, bytes],
    layout: Layout,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine"
    folder.mkdir()
    assert not is_listed(folder, layout)
    LAYOUTS[layout](folder, clips)
    assert is_listed(folder, layout)
    listing = listed(folder, layout)
    assert tuple(listing.table.columns) == COLUMNS
    assert listing.table["caption"].tolist() == WORDS
    assert listing.absent == (("gone",) if layout == "vatex" else ())
    names = listing.table["clip"].tolist()
    contents = piece_contents(folder, {name: listing.piece(name) for name in names})
    hashes = [sha256(content).hexdigest() for content in clips.values()]
    assert [contents[name] for name in names] == hashes
    base = Path(clip_base(str(folder), layout, "train"))
    files = [base / name for name in names]
    if is_packed(layout):
        files = [unpacked(listing.piece(name), contents[name], base) for name in names]
    assert [file.read_bytes() for file in files] == list(clips.values())
    assert read_video(files[0], *SIZE).shape == (SIZE[0], 3, *SIZE[1:])


def test_a_list_that_changes_is_read_again(tmp_path: Path, clips: dict[str, bytes]) -> None:
    as_vatex(tmp_path, clips)
    assert listed(tmp_path, "vatex") is listed(tmp_path, "vatex")
    (tmp_path / "clips" / "gone.mp4").write_bytes(clips["a"])
    assert listed(tmp_path, "vatex").absent == ()


def refusal(folder: Path, layout: Layout) -> str:
    with pytest.raises(UserError) as caught:
        listed(folder, layout)
    message = str(caught.value).replace(f"{folder}/", "").replace(str(folder), "folder")
    assert message.isprintable() and len(message) < 300
    return message


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.type, about.linkname = kind, target
    return about


HOSTILE: dict[str, tuple[Members, str]] = {
    "climbs": ({"../a.mp4": b"x"}, "'../a.mp4': expected the name of a file below the folder"),
    "climbs later": ({"day/../../a.mp4": b"x"}, "'day/../../a.mp4': expected the name"),
    "climbs as a caption": ({"a.mp4": b"x", "../a.txt": b"x"}, "'../a.txt': expected the name"),
    "whole path": ({"/etc/a.mp4": b"x"}, "'/etc/a.mp4': expected the name of a file below"),
    "backslashes": ({"..\\a.mp4": b"x"}, "expected the name of a file below the folder"),
    "control": ({"a\x1b[31m.mp4": b"x"}, "expected the name of a file below the folder"),
    "long": ({"a" * 250 + ".mp4": b"x"}, "expected names of at most 200 bytes"),
    "link": ({"a.mp4": entry("a.mp4", tarfile.SYMTYPE, "/etc/passwd")}, "expected plain files"),
    "hard link": ({"a.mp4": entry("a.mp4", tarfile.LNKTYPE, "/etc/x")}, "expected plain files"),
    "device": ({"a.mp4": entry("a.mp4", tarfile.CHRTYPE)}, "expected plain files"),
    "twice": ({"a.mp4": b"x", "./a.mp4": b"y"}, "expected one such file of a sample"),
    "two videos": ({"a.mp4": b"x", "a.webm": b"y"}, "expected one such file of a sample"),
    "no caption": ({"a.mp4": b"x"}, "'a.mp4': expected a caption beside it, in .txt or .json"),
    "empty caption": ({"a.mp4": b"x", "a.txt": b" \n"}, "'a.mp4': expected a caption, got none"),
    "no text": ({"a.mp4": b"x", "a.txt": b"\xff\xfe"}, "expected a caption in UTF-8"),
    "deep": ({"a.mp4": b"x", "a.json": b"[" * 99999}, "expected a caption in UTF-8 beside it"),
    "no word": ({"a.mp4": b"x", "a.json": b'{"caption": 3}'}, "expected a text as caption"),
    "much text": ({"a.mp4": b"x", "a.txt": b"a" * 10**6 + b"a"}, "of at most 1000000 bytes"),
    "no clips": ({"a.txt": b"x"}, "folder: expected archives with videos (mp4, mkv"),
    "a file as a folder": (
        {"a.mp4": b"x", "a.txt": b"x", "a.mp4/b.mp4": b"x", "a.mp4/b.txt": b"x"},
        "'s/a.mp4' is a clip and a folder of others",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_one_line(tmp_path: Path, case: str) -> None:
    members, expected = HOSTILE[case]
    write_tar(tmp_path / "s.tar", members)
    assert expected in refusal(tmp_path, "webdataset")
    assert [path.name for path in tmp_path.rglob("*")] == ["s.tar"]


def broken(folder: Path, clips: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """What stands in the place of a tar file."""
    whole = write_tar(folder / "w.tar", {"a.mp4": clips["a"], "a.txt": b"x"}).read_bytes()
    packed = write_tar(folder / "z.tar", {"a.mp4": clips["a"], "a.txt": b"x"}, "w:gz").read_bytes()
    yield from {
        "cut within a clip": whole[: 512 + len(clips["a"]) // 2],
        "compressed": packed,
        "no tar": b"no tar at all" * 100,
        "empty": b"",
    }.items()


def test_a_damaged_archive_is_one_line(tmp_path: Path, clips: dict[str, bytes]) -> None:
    (tmp_path / "mine").mkdir()
    for case, content in broken(tmp_path, clips):
        (tmp_path / "mine" / "s.tar").write_bytes(content)
        message = refusal(tmp_path / "mine", "webdataset")
        assert "expected a tar file, whole and not compressed" in message, case


def test_a_sparse_member_is_refused(tmp_path: Path) -> None:
    """Little in the archive, and terabytes on the disk."""
    about = entry("a.mp4", tarfile.REGTYPE)
    about.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(2**42)}
    with tarfile.open(tmp_path / "s.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(about)
    assert "expected plain files" in refusal(tmp_path, "webdataset")


def test_an_archive_that_is_cut_after_it_was_listed(
    tmp_path: Path, clips: dict[str, bytes]
) -> None:
    path = write_tar(tmp_path / "s.tar", {"a.mp4": clips["a"], "a.txt": b"x"})
    [piece] = listed(tmp_path, "webdataset").pieces.values()
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(UserError, match=r"s.tar: expected \d+ bytes more, the file ends"):
        unpacked(piece, "a", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


TABLES: dict[str, tuple[str, str]] = {
    "columns": ("clip,caption\n", "expected columns path, caption, separated by commas; missing"),
    "tabs": ("path\tcaption\n", "missing: path, caption"),
    "cells": ("path,caption\na.mp4,one,two\n", "list.csv, line 2: expected 2 cells, got 3"),
    "climbs": ("path,caption\n../a.mp4,x\n", "line 2: expected the name of a file below"),
    "elsewhere": ("path,caption\n/etc/a.mp4,x\n", "line 2: expected the name of a file below"),
    "twice": ("path,caption\na.mp4,x\na.mp4,y\n", "the clip 'a.mp4' stands there twice"),
    "no caption": ('path,caption\na.mp4," "\n', "list.csv, line 2: expected a caption, got none"),
    "quotes": ('path,caption\na.mp4,"x"y\n', "list.csv, line 2: expected cells, got"),
    "bytes": ("path,caption\na.mp4,\udcff\n", "list.csv: expected a table in UTF-8"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_bad_table_of_paths_is_one_line(tmp_path: Path, case: str) -> None:
    text, expected = TABLES[case]
    (tmp_path / "list.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert expected in refusal(tmp_path, "csv")


ONE = [{"videoID": "a", "enCap": ["x"]}]
LISTS: dict[str, tuple[object, str]] = {
    "mapping": ({}, "list.json: expected a list of {videoID, enCap}, got dict"),
    "text": ("a", "expected a list of {videoID, enCap}, got str"),
    "entry": ([*ONE, 3], "list.json, entry 2: expected a list of {videoID, enCap}, got no"),
    "name": ([{"videoID": 3}], "entry 1: expected a list of {videoID, enCap}, got no videoID"),
    "climbs": ([{"videoID": "../a", "enCap": ["x"]}], "entry 1: expected the name of a file"),
    "captions": ([{"videoID": "a", "enCap": []}], "expected a list of captions as enCap of 'a'"),
    "no caption": ([{"videoID": "a", "enCap": [" "]}], "entry 1: expected a caption, got none"),
    "twice": (ONE * 2, "entry 2: the clip 'a.mp4' stands there twice"),
    "nothing there": ([{"videoID": "b", "enCap": ["x"]}], "named by videoID, got none of 1"),
}


@pytest.mark.parametrize("case", LISTS)
def test_a_bad_list_is_one_line(tmp_path: Path, case: str) -> None:
    content, expected = LISTS[case]
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").touch()
    (tmp_path / "list.json").write_text(json.dumps(content))
    assert expected in refusal(tmp_path, "vatex")


def test_odd_folders_of_a_list(tmp_path: Path) -> None:
    for text in ("{", "[" * 99999):
        (tmp_path / "list.json").write_text(text)
        assert "list.json: expected a list of {videoID, enCap}, got:" in refusal(tmp_path, "vatex")
    (tmp_path / "list.json").write_text(json.dumps(ONE))
    assert "got none of 1" in refusal(tmp_path, "vatex")
    (tmp_path / "clips").mkdir()
    for name in ("a.mp4", "a.webm"):
        (tmp_path / "clips" / name).touch()
    assert "expected one file for each videoID, got 'a.mp4' and" in refusal(tmp_path, "vatex")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_without_a_list_is_one_line(tmp_path: Path, layout: Layout) -> None:
    assert refusal(tmp_path, layout).startswith("folder: expected one file")
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").touch()
    if layout == "csv":
        assert "expected one file *.csv, got a.csv, b.csv" in refusal(tmp_path, layout)
