"""The embedding of clips: shards of tensors that a later run goes on from, a table that says which
row is whose, a table of clips left out.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import compress, islice
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from transporter.clips.clip import Clip
from transporter.clips.embeddings import INDEX, INDEX_COLUMNS, read_index, shard_name
from transporter.support.errors import UserError
from transporter.support.files import write_table, written_whole

FAILED = "failed.tsv"
READING_COLUMNS = ("start", "seconds", "fit", "reader")
"""Columns of the index that clips have which were read from files."""
Embed = Callable[[torch.Tensor], torch.Tensor]
"""A batch `(B, ...)` to embeddings `(B, ...)`."""
Part = tuple[int, int]
"""Number, from 0, and count of the parts that share the shards of a folder."""
WHOLE: Part = (0, 1)


@dataclass(frozen=True)
class _Source:
    """What is to be embedded: `read(i)` and `fingerprint(i)` of the input named `names[i]`."""

    names: Sequence[str]
    read: Callable[[int], torch.Tensor | Clip]
    fingerprint: Callable[[int], str]


@dataclass(frozen=True)
class _Work:
    """What to do with a source: `shard` inputs to a file, `batch` at a time; `key` names what the
    values depend on besides.
    """

    embed: Embed
    batch: int
    shard: int
    dtype: torch.dtype
    key: str
    part: Part = WHOLE


@dataclass(frozen=True)
class _Shard:
    """What the header of a shard says of it: a row for each of `clips`, a reason for each of
    `failed`, and `READING_COLUMNS` of each clip that was read from a file.
    """

    clips: list[str]
    failed: list[list[str]]
    readings: list[list[Any]]


def _finished(path: Path, origin: str) -> _Shard | None:
    """The shard at `path` if it was made whole from `origin`, else None."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("shard", "{}"))
    except (FileNotFoundError, SafetensorError):
        return None
    if header.get("origin") != origin:
        return None
    return _Shard(header["clips"], header["failed"], header.get("readings", []))


def _readable(
    source: _Source, rows: range, failed: list[list[str]]
) -> Iterator[tuple[str, torch.Tensor | Clip]]:
    """The inputs that can be read; the others go to `failed`."""
    for row in rows:
        try:
            yield source.names[row], source.read(row)
        except UserError as error:
            failed.append([source.names[row], str(error)])


def _video(made: torch.Tensor | Clip) -> torch.Tensor:
    return made.video if isinstance(made, Clip) else made


def _about(made: torch.Tensor | Clip) -> list[list[Any]]:
    """`READING_COLUMNS` of what was read from a file, in a list of one; nothing of the rest."""
    if not isinstance(made, Clip):
        return []
    start, seconds = round(float(made.times[0]), 6), round(made.seconds, 6)
    return [[start, seconds, made.fit, made.served_by]]


def _embed_batch(inputs: Sequence[torch.Tensor], work: _Work) -> torch.Tensor:
    with torch.no_grad():
        values = work.embed(torch.stack(list(inputs))).to("cpu", work.dtype)
    if len(values) != len(inputs):
        raise ValueError(
            f"expected {len(inputs)} embeddings of {len(inputs)} clips, got {tuple(values.shape)}"
        )
    return values


def _make_shard(path: Path, origin: str, source: _Source, rows: range, work: _Work) -> _Shard:
    """Embed the inputs `rows` and write them to `path`."""
    clips: list[str] = []
    failed: list[list[str]] = []
    readings: list[list[Any]] = []
    parts: list[torch.Tensor] = []
    readable = _readable(source, rows, failed)
    while some := list(islice(readable, work.batch)):
        names, inputs = zip(*some, strict=True)
        values = _embed_batch([_video(made) for made in inputs], work)
        finite = values.flatten(1).isfinite().all(1)
        parts.append(values[finite])
        clips += compress(names, finite.tolist())
        for made in compress(inputs, finite.tolist()):
            readings += _about(made)
        failed += [
            [name, f"its embedding is not finite in {work.dtype}"]
            for name in compress(names, (~finite).tolist())
        ]
    # under one key, for safetensors writes several in random order
    about = {"origin": origin, "clips": clips, "failed": failed}
    header = {"shard": json.dumps(about | ({"readings": readings} if readings else {}))}
    with written_whole(path) as partial:
        save_file(
            {"values": torch.cat(parts).contiguous()} if clips else {}, partial, metadata=header
        )
    return _Shard(clips, failed, readings)


def _shards(folder: Path, source: _Source, work: _Work) -> Iterator[_Shard]:
    """The shards that are to be made, in order, read from disk where they are there already."""
    number, parts = work.part
    for index in range(number, -(-len(source.names) // work.shard), parts):
        first = index * work.shard
        rows = range(first, min(first + work.shard, len(source.names)))
        identity = [
            work.key,
            str(work.dtype),
            work.batch,
            [[source.names[row], source.fingerprint(row)] for row in rows],
        ]
        origin = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        path = folder / shard_name(index)
        yield _finished(path, origin) or _make_shard(path, origin, source, rows, work)


def _write(folder: Path, source: _Source, work: _Work) -> None:
    """Write every shard that is not there yet, then the tables, the index last; of a part no
    tables.
    """
    if work.batch < 1 or work.shard < 1:
        raise UserError(
            f"{folder}: expected a batch and a shard of at least one clip, got {work.batch} and"
            f" {work.shard}"
        )
    if not source.names:
        raise UserError(f"{folder}: expected clips to embed, got none")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    shards = list(_with_progress(_shards(folder, source, work), source, work))
    if work.part != WHOLE:
        return
    for stale in set(folder.glob("shard-*.safetensors")) - {
        folder / shard_name(number) for number in range(len(shards))
    }:
        stale.unlink()
    failed = [entry for shard in shards for entry in shard.failed]
    index = _index(shards)
    write_table(pd.DataFrame(failed, columns=["clip", "reason"]), folder / FAILED)
    if index.empty:
        raise UserError(
            f"{folder}: none of {len(failed)} clips could be embedded; the first, {failed[0][0]}:"
            f" {failed[0][1]}"
        )
    write_table(index, folder / INDEX)


def _index(shards: Sequence[_Shard]) -> pd.DataFrame:
    """A row for each clip that has one in a shard; `READING_COLUMNS` where clips were read from
    files.
    """
    places = [
        (clip, shard_name(number), row)
        for number, shard in enumerate(shards)
        for row, clip in enumerate(shard.clips)
    ]
    index = pd.DataFrame(places, columns=list(INDEX_COLUMNS))
    readings = [reading for shard in shards for reading in shard.readings]
    if not readings:
        return index
    return index.join(pd.DataFrame(readings, columns=list(READING_COLUMNS)))


def _with_progress(shards: Iterator[_Shard], source: _Source, work: _Work) -> Iterator[_Shard]:
    """Pass the shards through and tell how far the run is: a bar on a terminal, a line per shard in
    a log.
    """
    size, (first, parts) = work.shard, work.part
    total = len(range(first, -(-len(source.names) // size), parts))
    clips = len(source.names) if work.part == WHOLE else total * size
    console, start, failed = Console(stderr=True), time.monotonic(), 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("clips", total=clips)
        for number, made in enumerate(shards, start=1):
            done, failed = min(number * size, clips), failed + len(made.failed)
            left_out = f", {failed} left out" if failed else ""
            progress.update(task, completed=done, description=f"clips{left_out}")
            if not console.is_terminal:
                rate = done / max(time.monotonic() - start, 1e-9)
                print(
                    f"shard {number}/{total}: {done} of {clips} clips{left_out}, {rate:.1f}"
                    " clips/s",
                    flush=True,
                )
            yield made


def _file_fingerprint(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_doubles(names: Sequence[str], folder: Path) -> None:
    doubled = [
        name
        for name, count in pd.Series(list(names), dtype=str).value_counts().items()
        if count > 1
    ]
    if doubled:
        raise UserError(
            f"{folder}: expected clips of different file names, got {doubled[0]} more than once;"
            " rename one"
        )


def embed_clips(
    clip_files: Sequence[Path],
    embed: Embed,
    folder: Path,
    read: Callable[[int], torch.Tensor | Clip],
    batch: int,
    shard: int,
    dtype: torch.dtype = torch.float32,
    key: str = "",
    names: Sequence[str] | None = None,
    part: Part = WHOLE,
) -> None:
    """Embed clips, `shard` of them to a file, `batch` at a time.

    `read(i)` makes `(T, C, H, W)`, or a `Clip`, of `clip_files[i]`; `embed` takes
    `(B, T, C, H, W)`. A file may be there more than once, for several of its parts.
    `folder` gets `shard-00000.safetensors`, ..., `failed.tsv` (clip, reason) and, last, `index.tsv`
    (clip, shard, row), where `clip` is one of `names`, by default a file's own name; of clips also
    the `start` and `seconds` of the part that was read, its `fit`, and the library that was its
    `reader`, with its version. A clip whose `read` raises a `UserError`, or whose embedding is not
    finite, is left out and named in `failed.tsv`.

    A run that was interrupted goes on: shards stay that were made from the same bytes with the same
    `batch`, `dtype` and `key`; `key` should name the model and whatever else the values depend on.
    So several jobs may share the work: each makes the shards of its `part` and no table, and the
    whole, after them, finds the shards there.

    Raises:
        UserError: two clips have one name, or no clip at all could be embedded.
    """
    names = [path.name for path in clip_files] if names is None else names
    _refuse_doubles(names, folder)
    fingerprint = cache(_file_fingerprint)
    source = _Source(names, read, lambda row: fingerprint(clip_files[row]))
    _write(folder, source, _Work(embed, batch, shard, dtype, key, part))


def embed_latents(
    latents: Path,
    embed: Embed,
    folder: Path,
    batch: int,
    shard: int,
    dtype: torch.dtype = torch.float32,
    key: str = "",
    part: Part = WHOLE,
) -> None:
    """Like `embed_clips`, of the rows of an embeddings folder: `embed` takes `(B, c, t, h, w)`;
    clips keep their names and order.

    No more than a batch of `latents` is in memory at a time.
    """
    index = read_index(latents)

    def read(row: int) -> torch.Tensor:
        with safe_open(latents / index["shard"][row], framework="pt") as file:
            return file.get_slice("values")[int(index["row"][row])]

    def fingerprint(row: int) -> str:
        return hashlib.sha256(read(row).contiguous().view(torch.uint8).numpy()).hexdigest()

    source = _Source(index["clip"].tolist(), read, fingerprint)
    _write(folder, source, _Work(embed, batch, shard, dtype, key, part))


def embed_rows(
    names: Sequence[str],
    make: Callable[[list[int]], torch.Tensor],
    folder: Path,
    batch: int,
    shard: int,
    key: str = "",
) -> None:
    """Like `embed_clips`, of what has no file: `make` takes the numbers of B names and gives
    `(B, ...)`, float32.
    """
    source = _Source(names, torch.tensor, lambda row: names[row])
    _write(
        folder, source, _Work(lambda rows: make(rows.tolist()), batch, shard, torch.float32, key)
    )
