"""A user's own clips, looked at before any job starts: are they there and enough, and do captions
hold the words of the run?
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING

from transporter.clips.contrast import Concept
from transporter.clips.layouts import listed
from transporter.clips.listing import COLUMNS, Layout, Listing, short
from transporter.pipeline.clip_contents import piece_contents
from transporter.pipeline.splitting import choose_split
from transporter.support.errors import UserError
from transporter.support.files import read_table
from transporter.support.hashes import digest

if TYPE_CHECKING:
    import pandas as pd

    from transporter.clips.readable import Part

READABLE, FAILED = ("clip", "caption", "file", "start", "sha256"), ("clip", "reason")
"""Columns of the tables of a split's readable clips, and of those left out; `file` is a clip's name
in the folder, and `start` where in it reading begins, in seconds.
"""
NAMED = 3
"""So many clips are named in one line."""


def check_clips(
    folder: Path,
    splits: Mapping[str, float],
    seed: int,
    concepts: Sequence[Concept],
    layout: Layout = "captions",
) -> None:
    """Check the clips of `folder`, divided as a run with these `splits` and this `seed` will.

    Raises:
        UserError: what lists the clips cannot be read, a clip that it names is not there, clips are
            too few, or all concepts lack a caption in a split that needs one.
    """
    listing = listed(folder, layout)
    table, path = listing.table, listing.source
    if listing.base is not None:
        _check_files(listing, listing.base)
    lacks = _run_lacks(table, splits, seed, concepts, path)
    if len(lacks) == len(concepts):
        check_words(table, splits, seed, concepts, path)


def _check_files(listing: Listing, clips: Path) -> None:
    names = listing.table["clip"].tolist()
    missing = [clip for clip in names if not os.path.isfile(f"{clips}/{clip}")]
    if missing:
        raise UserError(
            f"expected the clips that {listing.source} names in {clips}, got no"
            f" {short(missing[0])[1:-1]}{_more(missing, 1)}"
        )
    if strays := _strays(str(clips), names):
        raise UserError(
            f"expected the clips that {listing.source} names in {clips}, got the link"
            f" {short(strays[0])[1:-1]}{_more(strays, 1)}, which leads out of it; copy the file"
            " there, or link the whole folder"
        )


def _strays(clips: str, names: Sequence[str]) -> list[str]:
    """Those of the files that a link leads out of the folder to; the folder may be a link."""
    home = Path(os.path.realpath(clips))
    folders: dict[str, bool] = {}
    strays = []
    for name in names:
        file = f"{clips}/{name}"
        above = os.path.dirname(file)
        if above not in folders:
            folders[above] = Path(os.path.realpath(above)).is_relative_to(home)
        inside = folders[above]
        if inside and os.path.islink(file):
            inside = Path(os.path.realpath(file)).is_relative_to(home)
        if not inside:
            strays.append(name)
    return strays


def _more(names: Sequence[str], told: int) -> str:
    return f" and {len(names) - told} more" if len(names) > told else ""


def check_words(
    table: pd.DataFrame,
    splits: Mapping[str, float],
    seed: int,
    concepts: Sequence[Concept],
    path: Path,
    left_out: Sequence[str] = (),
) -> None:
    """Check that every concept has training captions to be fitted on, and held-out ones of other
    pairs to be tried on.

    `table` is read from `path`; the clips `left_out` are in their splits, but serve no concept.

    Raises:
        UserError: clips are too few, or a concept has no caption in a split that needs one.
    """
    lacks = _run_lacks(table, splits, seed, concepts, path, left_out)
    if lacking := [f"{name} ({lack})" for name, lack in lacks.items()]:
        served = ", ".join(concept.name for concept in concepts if concept.name not in lacks)
        others = f", or run those that have them (run.concepts: {served})" if served else ""
        among = f" but for {len(left_out)} clips that are left out" if left_out else ""
        raise UserError(
            f"expected captions in {path}{among} with the words of every concept of the run, got"
            f" too few for {', '.join(lacking)}; add clips{others}"
        )


def run_lacks(
    folder: Path,
    splits: Mapping[str, float],
    seed: int,
    concepts: Sequence[Concept],
    layout: Layout = "captions",
) -> dict[str, str]:
    """Those of the concepts that a run goes on without, with what they lack: a training caption to
    be fitted on, or a held-out one of another pair to be tried on.
    """
    listing = listed(folder, layout)
    return _run_lacks(listing.table, splits, seed, concepts, listing.source)


def _run_lacks(
    table: pd.DataFrame,
    splits: Mapping[str, float],
    seed: int,
    concepts: Sequence[Concept],
    path: Path,
    left_out: Sequence[str] = (),
) -> dict[str, str]:
    captions = _captions(table, splits, seed, path, left_out)
    return _lacks(concepts, captions["train"], captions["held_out"])


def _lacks(
    concepts: Sequence[Concept], train: Sequence[str], held_out: Sequence[str]
) -> dict[str, str]:
    seen = set(train)
    lacks = {concept.name: _lack(concept, train, seen, held_out) for concept in concepts}
    return {name: lack for name, lack in lacks.items() if lack}


def _captions(
    table: pd.DataFrame,
    splits: Mapping[str, float],
    seed: int,
    path: Path,
    left_out: Sequence[str] = (),
) -> dict[str, list[str]]:
    """The captions of each split."""
    captions = {}
    for split in splits:
        chosen = choose_split(table, split, splits, seed, str(path))
        captions[split] = chosen["caption"][~chosen["clip"].isin(left_out)].tolist()
    return captions


def benchmark_lacks(
    folder: Path,
    splits: Mapping[str, float],
    seed: int,
    concepts: Sequence[Concept],
    layout: Layout = "captions",
) -> dict[str, str]:
    """Those of the concepts that the benchmark of explanations cannot be run on, with what they
    lack: it takes held-out captions, and those of validation where these are too few.
    """
    listing = listed(folder, layout)
    captions = _captions(listing.table, splits, seed, listing.source)
    fresh = [*captions["held_out"], *captions["validation"]]
    return _lacks(concepts, captions["train"], fresh)


def _lack(
    concept: Concept, train: Sequence[str], seen: AbstractSet[str], held_out: Sequence[str]
) -> str | None:
    """The splits in which a concept has no caption that could be used; None where it has some.

    `seen` has the captions of `train`. Of thousands of captions only those are looked at that come
    before the first one that serves.
    """
    lacking = [] if any(map(concept.pair, train)) else ["train"]
    fresh = (pair for caption in held_out if (pair := concept.pair(caption)))
    if not any(not _is_fitted(pair, concept, seen) for pair in fresh):
        lacking.append("held_out")
    words = f"no new caption with {concept.source!r} or {concept.target!r}"
    return f"{words} in {' and '.join(lacking)}" if lacking else None


def _is_fitted(pair: tuple[str, str], concept: Concept, seen: AbstractSet[str]) -> bool:
    """Whether one of the captions `seen` gives this pair, of which it is one side itself."""
    return any(side in seen and concept.pair(side) == pair for side in pair)


def clips_hash(
    folder: Path,
    splits: Mapping[str, float],
    seed: int,
    split: str | None = None,
    layout: Layout = "captions",
) -> str:
    """Hash of names, captions and bytes of a folder's clips, all or those of one split: what jobs
    are made from.
    """
    listing = listed(folder, layout)
    table = listing.table
    pieces = {name: listing.piece(name) for name in table["clip"]}
    contents = piece_contents(listing.base or folder, pieces)
    if split is not None:
        table = choose_split(table, split, splits, seed, str(listing.source))
    return digest([[*row, contents[row[0]]] for row in table[list(COLUMNS)].to_numpy().tolist()])


def used_clips(
    table: pd.DataFrame, splits: Mapping[str, float], seed: int, path: Path
) -> pd.DataFrame:
    """The rows of `table`, which is read from `path`, that are in one of the splits."""
    chosen = [choose_split(table, split, splits, seed, str(path))["clip"] for split in splits]
    names = {name for part in chosen for name in part}
    return table[table["clip"].isin(names)].reset_index(drop=True)


def check_left_out(reasons: Mapping[str, str], clips: int, share: float, folder: Path) -> None:
    """Check that of so many clips in `folder` no more than a share cannot be read.

    Raises:
        UserError: more cannot, for these `reasons`.
    """
    if len(reasons) <= share * clips:
        return
    few = "; ".join(_because(*one) for one in list(reasons.items())[:NAMED])
    raise UserError(
        f"{folder}: expected at most {share:.0%} of {clips} clips to be left out (clips.left_out),"
        f" got {len(reasons)}: {few}{_more(list(reasons), NAMED)}"
    )


def window_name(clip: str, start: float, windows: int) -> str:
    """What a part of a clip is called: the clip itself, but where several parts of each may be
    taken `a.mp4@2.500s`, by where it begins. No two parts have one name, whatever clips are called.
    """
    return clip if windows == 1 else f"{clip}@{start:.3f}s"


def lost_parts(parts: Mapping[str, Sequence[Part]], windows: int) -> dict[str, str]:
    """Name to reason of each part of a clip that cannot be read."""
    return {
        window_name(clip, part.start, windows): part.reason
        for clip, found in parts.items()
        for part in found
        if part.reason
    }


def sort_out(
    chosen: pd.DataFrame,
    parts: Mapping[str, Sequence[Part]],
    contents: Mapping[str, str],
    windows: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of a split's readable clips (columns `READABLE`) and of those left out (`FAILED`),
    a row for each part of a clip, by what was found out of them and by what each holds.
    """
    import pandas as pd

    readable, lost = [], []
    for clip, caption in chosen[list(COLUMNS)].itertuples(index=False):
        for start, reason in parts[clip]:
            name = window_name(clip, start, windows)
            if reason:
                lost.append((name, reason))
            else:
                readable.append((name, caption, clip, str(start), contents[clip]))
    return pd.DataFrame(readable, columns=list(READABLE)), pd.DataFrame(lost, columns=list(FAILED))


def _because(clip: str, reason: str) -> str:
    """A clip and why it is left out, short."""
    text = f"{clip}: {reason}"
    return text if len(text) <= 100 else f"{text[:97]}..."


def left_out(failed: str, splits: Sequence[str]) -> tuple[list[tuple[str, str]], int]:
    """Names and reasons of the clips that a run has left out, and how many there are in all, by its
    tables.
    """
    lost = [tuple(row) for row in read_table(failed, FAILED, text=FAILED)[list(FAILED)].to_numpy()]
    return lost, len(lost) + sum(len(read_table(path, READABLE, text=READABLE)) for path in splits)


def left_out_line(failed: str, splits: Sequence[str]) -> str | None:
    """One line about the clips that a run has left out; None where it has left out none, or has not
    come so far.
    """
    if not all(map(os.path.isfile, (failed, *splits))):
        return None
    lost, clips = left_out(failed, splits)
    names = [clip for clip, _ in lost]
    if not names:
        return None
    return (
        f"{len(names)} of {clips} clips were left out: {', '.join(names[:NAMED])}"
        f"{_more(names, NAMED)}; {failed} says why"
    )
