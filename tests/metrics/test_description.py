"""A change is described by what it is: known changes of clips have known words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from microworld.clip_judge import ClipJudge
from microworld.clips import Clips
from microworld.language import caption
from transporter.clips.contrast import Concept
from transporter.metrics.description import describe, mean_description, nearest_swap

ROOT = Path(__file__).parents[2]
WORDS = [Concept("", "object", *pair, "?") for pair in (("red", "blue"), ("blue", "green"))]
RGB = ("red", "green", "blue")


class Colours:
    """Clips are their mean colour, captions the colours that they name."""

    def embed_video(self, video: torch.Tensor) -> torch.Tensor:
        return video.mean((1, 3, 4))

    def embed_text(self, captions: Sequence[str]) -> torch.Tensor:
        held = [[float(word in text.split()) for word in RGB] for text in captions]
        return F.normalize(torch.tensor(held) + 0.1, dim=-1)


def nearest(
    before: torch.Tensor,
    after: torch.Tensor,
    captions: Sequence[str],
    words: Sequence[Concept],
    model: Colours | ClipJudge,
) -> tuple[str, str, float] | None:
    moved = model.embed_video(after) - model.embed_video(before)
    return nearest_swap(moved, captions, words, model)


def clip(colour: str, light: float = 0.5) -> torch.Tensor:
    """One grey clip `(1, 5, 3, 8, 8)`, a little more of one colour."""
    video = torch.full((1, 5, 3, 8, 8), light)
    video[:, :, RGB.index(colour)] += 0.2
    return video


def test_nothing_changes() -> None:
    """Whatever word is nearest to no change."""
    for nearest in (None, ("red", "blue", 0.0)):
        row = describe(clip("red"), clip("red"), nearest).row()
        assert row["change"] == 0
        assert (row["upper"], row["left"], row["early"]) == (0.5, 0.5, 0.5)
        assert row["sentence"] == "Nothing changes."


def test_without_words_none_is_compared() -> None:
    sentence = describe(clip("red"), clip("red", 0.51)).sentence()
    assert sentence == (
        "None of your words was compared: as bright (0.57, 0.58), as much movement (0.000, 0.000)."
    )


def test_where_and_when() -> None:
    before = clip("red")
    after = before.clone()
    after[:, 3:, :, 6:, :2] += 0.3
    found = describe(before, after)
    assert found.places[7, 0] == pytest.approx(0.3 * 2 / 5)
    assert found.places[0, 0] == found.frames[0] == 0
    assert found.sentence().endswith("in the lower half, in the left half, in the last frames.")


@pytest.mark.parametrize(("light", "word"), [(0.7, "brighter"), (0.3, "darker")])
def test_light(light: float, word: str) -> None:
    sentence = describe(clip("red"), clip("red", light)).sentence()
    assert f"{word} (0.57, {light + 0.2 / 3:.2f})" in sentence


def test_movement() -> None:
    still = clip("red")
    flickering = still.clone()
    flickering[:, 1::2] *= 0.8
    more, less = describe(still, flickering).sentence(), describe(flickering, still).sentence()
    assert "more movement" in more and "less movement" in less


def test_the_nearest_swap_is_the_one_made() -> None:
    made = (torch.cat([clip("red"), clip("green")]), torch.cat([clip("blue"), clip("blue")]))
    captions = ["a red dot", "a green dot"]
    found = nearest(made[0][:1], made[1][:1], captions[:1], WORDS, Colours())
    assert found == ("red", "blue", pytest.approx(1, abs=0.01))
    word, instead, _ = nearest(*made, captions, WORDS, Colours())
    assert (word, instead) in (("red", "blue"), ("green", "blue"))


def test_one_lucky_caption_makes_no_swap_the_nearest() -> None:
    """Seven clips turn partly from red to blue, an eighth all the way from green to blue."""
    partly = clip("red")
    partly[:, :, 2] += 0.2
    before = torch.cat([clip("red")] * 7 + [clip("green")])
    after = torch.cat([partly] * 7 + [clip("blue")])
    captions = ["a red dot"] * 7 + ["a green dot"]
    word, instead, cosine = nearest(before, after, captions, WORDS, Colours())
    assert (word, instead) == ("red", "blue")
    assert 0.5 < cosine < 0.9


def test_light_is_none_of_the_words() -> None:
    found = nearest(clip("red"), clip("red", 0.7), ["a red dot"], WORDS, Colours())
    sentence = describe(clip("red"), clip("red", 0.7), found).sentence()
    assert sentence.startswith("None of your words, nearest is red to ")
    assert nearest(clip("red"), clip("blue"), ["a dot"], WORDS, Colours()) is None


def test_the_shipped_model_finds_the_word_of_rendered_clips() -> None:
    """Of clips that differ in their ground alone."""
    judge = ClipJudge.from_pretrained(str(ROOT / "models" / "clip_judge"))
    drawn = Clips.draw(40, np.random.default_rng(3))
    pairs = zip(drawn.attributes, drawn.layouts, strict=True)
    old, layouts = zip(*(pair for pair in pairs if pair[0].ground == "grass"), strict=True)
    new = [replace(a, ground="snow") for a in old]
    before, after = (Clips(list(side), list(layouts)).video() for side in (old, new))
    swaps = (("grass", "snow"), ("grass", "sand"), ("day", "night"), ("red", "blue"))
    words = [Concept("", "scene", *pair, pair[0]) for pair in swaps]
    captions = [caption(a.words()) for a in old]
    word, instead, cosine = nearest(before, after, captions, words, judge)
    assert (word, instead) == ("grass", "snow")
    assert cosine > 0.5


def test_the_mean_of_single_clips_is_that_of_all() -> None:
    video = Clips.draw(6, np.random.default_rng(1)).video()
    before, after = video[:3], video[3:]
    pairs = zip(before.split(1), after.split(1), strict=True)
    mean = mean_description([describe(*pair) for pair in pairs])
    whole = describe(before, after)
    torch.testing.assert_close(mean.places, whole.places)
    torch.testing.assert_close(mean.frames, whole.frames)
    assert mean.light == pytest.approx(whole.light)
    assert mean.movement == pytest.approx(whole.movement)
