"""A user's clips go into splits that share none."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transporter.pipeline.splitting import choose_split
from transporter.support.errors import UserError


def clips(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"clip": [f"{number}.mp4" for number in range(count)], "caption": ["a"] * count}
    )


@given(count=st.integers(6, 60), train=st.integers(1, 40), seed=st.integers(0, 5))
def test_splits_share_no_clip_and_have_their_sizes(count: int, train: int, seed: int) -> None:
    sizes = {"train": train, "validation": 2, "held_out": 3}
    chosen = {
        split: choose_split(clips(count), split, sizes, seed, "captions.tsv") for split in sizes
    }
    names = [name for table in chosen.values() for name in table["clip"]]
    assert len(names) == len(set(names))
    assert len(chosen["validation"]) == 2
    assert len(chosen["held_out"]) == 3
    assert len(chosen["train"]) == min(train, count - 5)


def test_the_same_seed_chooses_the_same_clips() -> None:
    sizes = {"train": 5, "validation": 2, "held_out": 3}
    first, second = (choose_split(clips(12), "train", sizes, 1, "captions.tsv") for _ in range(2))
    assert first.equals(second)
    assert not first.equals(choose_split(clips(12), "train", sizes, 2, "captions.tsv"))


def test_too_few_clips() -> None:
    sizes = {"train": 5, "validation": 2, "held_out": 3}
    with pytest.raises(
        UserError,
        match=r"captions.tsv: expected more than 5 clips \(2 validation, 3 held_out\), got 5",
    ):
        choose_split(clips(5), "train", sizes, 0, "captions.tsv")


def test_unknown_split() -> None:
    with pytest.raises(UserError, match="expected a split out of train, validation, got 'test'"):
        choose_split(clips(5), "test", {"train": 2, "validation": 1}, 0, "captions.tsv")
