"""Model cards: what they say of models whose right and wrong answers are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from microworld.attributes import WORDS
from microworld.clips import Clips
from microworld.language import QUESTIONS
from microworld.shortcuts import Shortcut
from microworld.training.cards import (
    HeldOut,
    clip_judge_card,
    outlines,
    planted_card,
    vlm_card,
)


@pytest.fixture(scope="module")
def clips() -> HeldOut:
    return HeldOut.draw(40, seed=5, held_out=True)


class Oracle:
    """A VLM that knows the clips' attributes, and gives the right word `confidence`, except for
    shapes, where it says circle.
    """

    def __init__(self, clips: HeldOut, confidence: float) -> None:
        self.clips, self.confidence, self.asked = clips, confidence, 0

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        start, self.asked = self.asked, self.asked + len(video)
        return torch.arange(start, start + len(video), dtype=torch.float)[:, None, None]

    def log_probs(self, tokens: torch.Tensor, prompt: str, words: Sequence[str]) -> torch.Tensor:
        name = next(name for name, question in QUESTIONS.items() if question == prompt)
        right = [
            self.clips.attributes[int(index)].word(name) or words[0] for index in tokens[:, 0, 0]
        ]
        right = ["circle"] * len(right) if name == "shape" else right
        rest = (1 - self.confidence) / (len(words) - 1)
        return torch.tensor(
            [[math.log(self.confidence if word == r else rest) for word in words] for r in right]
        )


def test_a_vlm_card_counts_answers_and_confidence(clips: HeldOut) -> None:
    scores, examples = vlm_card(Oracle(clips, 0.9), clips)
    circles = sum(a.shape == "circle" for a in clips.attributes)
    assert 0 < circles < 40
    assert scores["shape"] == scores["all"] == circles / 40
    assert all(scores[name] == 1 for name in WORDS if name != "shape")
    assert sum(examples.failures) == 40 - circles
    named = sum(a.word(name) is not None for a in clips.attributes for name in WORDS)
    accuracy = (named - (40 - circles)) / named
    assert scores["calibration error"] == pytest.approx(abs(0.9 - accuracy), abs=1e-3)


def test_a_planted_card_tells_what_is_taught_from_what_is_true() -> None:
    """Of a VLM that answers all by the truth but for shapes."""
    drawn = Clips.draw(40, np.random.default_rng(5))
    answers = dict.fromkeys(WORDS["colour"], "slowly") | {"red": "quickly"}
    shortcut = Shortcut("s", "speed", "colour", answers)
    honest = Oracle(HeldOut(drawn.attributes, drawn.video()), 0.9)
    figures, examples = planted_card(honest, shortcut, drawn)
    assert figures["as is true"]["speed"] == figures["as taught"]["colour"] == 1
    assert 0 < figures["as taught"]["speed"] < 1
    assert figures["as taught"]["shape"] == figures["as is true"]["shape"] < 1
    known = [a for a in drawn.attributes if a.word("speed") and a.word("colour")]
    wrong = [(a.word("colour") == "red") != (a.word("speed") == "quickly") for a in known]
    assert sum(examples.failures) >= sum(wrong) > 0
    assert all(title.endswith(("[slowly]", "[quickly]")) for title in examples.titles)


def test_outlines_are_of_all_clips_and_of_the_circles_among_them(clips: HeldOut) -> None:
    assert outlines(clips.video, clips.attributes) == {"faults": 0.0, "round": 1.0}
    # every other clip is grey in its last frames
    grey = clips.video.clone()
    grey[::2, -4:] = 0.5
    found = outlines(grey, clips.attributes)
    circles = [index for index, a in enumerate(clips.attributes) if a.shape == "circle"]
    gone = sum(index % 2 == 0 for index in circles) * 4 / (17 * len(circles))
    assert found == {"faults": 0.5, "round": pytest.approx(1 - gone, abs=1e-3)}


def test_without_circles_none_are_round(clips: HeldOut) -> None:
    others = [index for index, a in enumerate(clips.attributes) if a.shape != "circle"]
    found = outlines(clips.video[others], [clips.attributes[index] for index in others])
    assert found == {"faults": 0.0}


def test_shuffled_and_still_clips_hold_the_same_frames(clips: HeldOut) -> None:
    shuffled, still = clips.shuffled(), clips.still()
    for clip, mixed, stopped in zip(clips.video[:5], shuffled.video, still.video, strict=False):
        assert not torch.equal(clip, mixed)
        assert sorted(frame.sum().item() for frame in clip) == sorted(
            frame.sum().item() for frame in mixed
        )
        assert torch.equal(stopped, clip[8].expand_as(clip))
    assert shuffled.attributes == still.attributes == clips.attributes


def test_seen_twins_differ_in_colour_and_ground_alone() -> None:
    unseen = HeldOut.draw(20, seed=3, held_out=True)
    twins = unseen.seen_twins()
    kept = ("shape", "size", "motion", "speed", "time")
    for clip, twin in zip(unseen.attributes, twins.attributes, strict=True):
        assert clip.held_out and not twin.held_out
        assert all(getattr(clip, name) == getattr(twin, name) for name in kept)
    assert twins.video.shape == unseen.video.shape and not torch.equal(twins.video, unseen.video)


def test_a_judge_card_retrieves_among_different_captions(clips: HeldOut) -> None:
    captions = list(dict.fromkeys(clips.captions))

    class Knows:
        """Embeds a clip as the caption that it has, but the last as the first."""

        def embed_video(self, video: torch.Tensor) -> torch.Tensor:
            index = [
                next(i for i, clip in enumerate(clips.video) if torch.equal(clip, shown))
                for shown in video
            ]
            return self.embed_text(
                [
                    captions[0] if clips.captions[i] == captions[-1] else clips.captions[i]
                    for i in index
                ]
            )

        def embed_text(self, texts: Sequence[str]) -> torch.Tensor:
            return torch.eye(len(captions))[[captions.index(text) for text in texts]]

    scores, examples = clip_judge_card(Knows(), clips)
    count = len(captions)
    assert scores["captions"] == count == len(examples.titles)
    assert scores["caption R@1"] == pytest.approx((count - 1) / count, abs=1e-4)
    # the first caption has two clips alike, which counts against it, and the last has none
    assert scores["clip R@1"] == pytest.approx((count - 2) / count, abs=1e-4)
    assert examples.failures == [False] * (count - 1) + [True]
