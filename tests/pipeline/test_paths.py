"""Where results are: patterns, and names in place of their wildcards."""

from __future__ import annotations

from itertools import combinations
from string import Formatter

import pytest

from transporter.pipeline import paths

PATTERNS = {
    name: value
    for name, value in vars(paths).items()
    if name.isupper() and isinstance(value, str) and value.startswith("results/")
}


def example(pattern: str) -> str:
    """The pattern with each wildcard's own name in its place."""
    wildcards = [name for _, name, _, _ in Formatter().parse(pattern) if name]
    return pattern.format(**dict.fromkeys(wildcards, "x"))


def test_no_result_lies_where_another_does() -> None:
    places = list(map(example, PATTERNS.values()))
    assert len(places) > 30 and len(set(places)) == len(places)


def test_no_file_lies_in_the_folder_of_another_result() -> None:
    """Snakemake empties the folder of a job before it starts.

    The patterns of embeddings with the split `edits` are the one overlap, and one rule makes both.
    """
    folders = {name: f"{example(place)}/" for name, place in PATTERNS.items()}
    for (one, first), (other, second) in combinations(folders.items(), 2):
        assert not first.startswith(second) and not second.startswith(first), (one, other)


def test_names_take_the_place_of_some_wildcards() -> None:
    place = paths.filled(paths.GENERATED, generator="g", concept="red_blue")
    assert place == "results/generation/g/{vlm}/red_blue"
    assert paths.filled(paths.GENERATED, split="train") == paths.GENERATED


def test_every_combination_the_last_wildcard_fastest() -> None:
    assert paths.every("{generator}/{vlm}/{concept}", generator=["a", "b"], concept=["c", "d"]) == [
        "a/{vlm}/c",
        "a/{vlm}/d",
        "b/{vlm}/c",
        "b/{vlm}/d",
    ]
    assert paths.every("{vlm}", vlm=[]) == []


def test_an_ablation_has_a_folder_of_its_own() -> None:
    assert paths.of_variant(paths.BANK) == (
        "results/ablations/{variant}/concepts/{generator}/{vlm}/bank.safetensors"
    )


def test_logs_lie_by_rule_and_wildcards() -> None:
    assert paths.log("coupling", paths.PAIR) == "logs/coupling/{generator}/{vlm}.log"
    assert paths.benchmark("coupling", paths.PAIR) == "logs/coupling/{generator}/{vlm}.tsv"
    assert paths.log("gallery") == "logs/gallery.log"


def test_rendered_clips_lie_by_split_and_own_ones_together() -> None:
    rendered = {"source": "world", "folder": "data"}
    own = {"source": "folder", "folder": "mine", "layout": "captions"}
    assert paths.captions(rendered, "train") == "data/train/captions.tsv"
    assert paths.clip_folder(rendered, "{split}") == "data/{split}/clips"
    assert paths.captions(own, "train") == "results/clips/train.tsv"
    assert paths.clip_folder(own, "train") == "mine/clips"
    packed = {**own, "layout": "webdataset"}
    assert paths.clip_folder(packed, "train") == "results/clips/unpacked/train"
    assert paths.clip_folder({**own, "layout": "csv"}, "train") == "mine"


@pytest.mark.parametrize("fps", [8, 8.5, 30000 / 1001])
def test_a_shape_is_told_apart_by_its_rate_alone(fps: float) -> None:
    video = {"frames": 17, "height": 64, "width": 48, "fps": fps}
    assert paths.shape_of(paths.shape(video)) == ((17, 64, 48), fps)
    assert paths.shape(video) != paths.shape(video | {"fps": fps + 1e-9})
