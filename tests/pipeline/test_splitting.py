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


@given(count=st.integers(3, 500), seed=st.integers(0, 5))
def test_shares_use_every_clip_once(count: int, seed: int) -> None:
    sizes = {"train": 0.7, "validation": 0.1, "held_out": 0.2}
    chosen = [choose_split(clips(count), split, sizes, seed, "captions.tsv") for split in sizes]
    names = [name for table in chosen for name in table["clip"]]
    assert sorted(names) == sorted(clips(count)["clip"])
    for table, share in zip(chosen, sizes.values(), strict=True):
        assert abs(len(table) - share * count) < 2


def test_shares_of_ten_clips() -> None:
    sizes = {"train": 0.7, "validation": 0.1, "held_out": 0.2}
    found = {split: len(choose_split(clips(10), split, sizes, 0, "")) for split in sizes}
    assert found == {"train": 7, "validation": 1, "held_out": 2}


def test_shares_choose_what_their_numbers_would() -> None:
    numbers = {"train": 14, "validation": 2, "held_out": 4}
    shares = {"train": 0.7, "validation": 0.1, "held_out": 0.2}
    for split in numbers:
        by_share, by_number = (
            choose_split(clips(20), split, sizes, 3, "") for sizes in (shares, numbers)
        )
        assert by_share.equals(by_number)


def test_splits_by_number_stay_what_they_are() -> None:
    """By the order of SHA-256 of seed and name, as `sha256sum` gives it."""
    sizes = {"train": 5, "validation": 2, "held_out": 3}
    expected = {
        "train": ["2.mp4", "3.mp4", "5.mp4", "7.mp4", "11.mp4"],
        "validation": ["1.mp4", "4.mp4"],
        "held_out": ["0.mp4", "6.mp4", "8.mp4"],
    }
    for split, names in expected.items():
        assert choose_split(clips(12), split, sizes, 1, "")["clip"].tolist() == names


SIZES = st.sampled_from(
    [
        {"train": 0.7, "validation": 0.1, "held_out": 0.2},
        {"train": 0.5, "validation": 0.25, "held_out": 0.25},
        {"train": 40, "validation": 1, "held_out": 2},
    ]
)


def homes(names: list[str], sizes: dict[str, float], seed: int) -> dict[str, str]:
    """Clip to split."""
    table = pd.DataFrame({"clip": names, "caption": "a"})
    return {
        clip: split
        for split in sizes
        for clip in choose_split(table, split, sizes, seed, "")["clip"]
    }


@given(
    names=st.lists(st.text("abc/01", min_size=1, max_size=6), min_size=5, max_size=80, unique=True),
    sizes=SIZES,
    seed=st.integers(0, 3),
    data=st.data(),
)
def test_a_clip_more_or_less_deals_no_held_out_clip_into_training(
    names: list[str], sizes: dict[str, float], seed: int, data: st.DataObject
) -> None:
    """Few clips pass a cut, and between the first and the last split none changes places, whichever
    clip it is that comes or goes.
    """
    added = data.draw(st.sampled_from(names))
    fewer = homes([name for name in names if name != added], sizes, seed)
    more = homes(names, sizes, seed)
    moved = [(fewer[name], more[name]) for name in fewer if name in more]
    moved = [move for move in moved if move[0] != move[1]]
    assert len(moved) <= 3
    assert {"train", "held_out"} not in map(set, moved)


@given(count=st.integers(10, 60), seed=st.integers(0, 5))
def test_the_order_of_the_table_does_not_matter(count: int, seed: int) -> None:
    sizes = {"train": 0.7, "validation": 0.1, "held_out": 0.2}
    names = clips(count)["clip"].tolist()
    assert homes(names, sizes, seed) == homes(names[::-1], sizes, seed)
