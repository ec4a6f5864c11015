"""Embeddings that stay on disk: the same rows as read whole, and no memory of their number."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
import torch

from transporter.clips.embedding import embed_rows
from transporter.clips.embeddings import aligned, load_embeddings, open_embeddings
from transporter.clips.stored import StoredRows, at_once, portions
from transporter.support.errors import UserError

NAMES = [f"{number:03d}" for number in range(11)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    values = torch.randn(len(NAMES), 2, 3, generator=torch.Generator().manual_seed(0))
    embed_rows(NAMES, lambda rows: values[rows], tmp_path / "e", batch=2, shard=4)
    return tmp_path / "e"


def test_rows_are_those_of_a_folder_read_whole(folder: Path) -> None:
    whole, stored = load_embeddings(folder), open_embeddings(folder, resident=0)
    assert isinstance(stored.values, StoredRows)
    assert stored.clips == whole.clips
    assert stored.values.shape == whole.values.shape
    for rows in (slice(3, 9), torch.tensor([10, 0, 4, 4]), [7]):
        assert torch.equal(stored.values[rows], whole.values[rows])
    assert isinstance(open_embeddings(folder, resident=11 * 24).values, torch.Tensor)


def test_alignment_leaves_rows_on_disk(folder: Path) -> None:
    stored, few = open_embeddings(folder, resident=0), load_embeddings(folder)
    few = few._replace(clips=few.clips[::-2], values=few.values.flip(0)[::2])
    left, right = aligned(few, stored)
    assert left.clips == right.clips == NAMES[::-2]
    assert isinstance(right.values, StoredRows)
    assert torch.equal(right.values[:], left.values)


def test_origin_tells_rows_and_shards_apart(folder: Path, tmp_path: Path) -> None:
    rows = open_embeddings(folder, resident=0).values
    assert rows.only([1, 2]).origin() == rows.only(slice(1, 3)).origin()
    assert len({rows.origin(), rows.only([1, 2]).origin(), rows.only([2, 1]).origin()}) == 3
    embed_rows(NAMES, lambda row: torch.zeros(len(row), 2, 3), tmp_path / "o", 2, 4, key="other")
    assert open_embeddings(tmp_path / "o", resident=0).values.origin() != rows.origin()


def test_a_missing_shard_is_named_when_it_is_read(folder: Path) -> None:
    stored = open_embeddings(folder, resident=0).values
    (folder / "shard-00002.safetensors").unlink()
    with pytest.raises(UserError, match=r"shard-00002\.safetensors: expected a row 1, named by"):
        stored[9:10]


def test_portions_hold_every_row_once() -> None:
    parts = list(portions(11, 4))
    assert [row for part in parts for row in range(11)[part]] == list(range(11))
    assert at_once(torch.empty(9, 5), torch.empty(9, 2), limit=40) == 2
    assert at_once(torch.empty(9, 500), limit=40) == 1


def test_shards_are_no_open_files(tmp_path: Path) -> None:
    """More shards are read than a process may have files open."""
    names = [str(number) for number in range(400)]
    embed_rows(names, lambda rows: torch.tensor(rows)[:, None], tmp_path / "e", 1, 1)
    values = open_embeddings(tmp_path / "e", resident=0).values
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 200), hard))
    try:
        assert values[:].flatten().tolist() == list(range(400))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
