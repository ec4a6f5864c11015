"""Where and when words are, against the clips themselves."""

from __future__ import annotations

import torch

from microworld.language import caption
from microworld.places import placed
from microworld.world import MICROWORLD
from transporter.clips.world import Finder, Placed


def _clips(count: int, seed: int = 0, held_out: bool = False) -> list[Placed]:
    return list(placed(count, seed, held_out))


def test_masks_are_where_the_clip_is_not_the_ground() -> None:
    for clip in _clips(6):
        sprite, ground = clip.masks["shape"], clip.masks["ground"]
        assert not (sprite & ground).any()
        # all that is low is ground or sprite
        assert (sprite | ground)[:, -8:].all()
        # a sprite is more colourful than the landscape, outline and hand apart
        chroma = clip.video.amax(1) - clip.video.amin(1)
        assert chroma[sprite].median() > chroma[~sprite].quantile(0.95)


def test_frames_move_when_pixels_change() -> None:
    for number, clip in enumerate(_clips(8)):
        changed = (clip.video[1:] - clip.video[:-1]).abs().amax((1, 2, 3)) > 0
        assert torch.equal(clip.moving[1:], changed) or clip.words["motion"] == "spins"
        expected = {1: [1] * 8 + [0] * 8, 3: [0] * 8 + [1] * 8}.get(number % 4, [1] * 16)
        assert clip.moving[1:].int().tolist() == expected


def test_captions_hold_the_words() -> None:
    for clip in _clips(8):
        words = {kind: word for kind, word in clip.words.items() if kind != "verb"}
        assert clip.caption == caption(words)
        assert clip.words["verb"] in clip.caption.split()


def test_clips_come_from_their_seed_and_number() -> None:
    short, long, other = _clips(2), _clips(3), _clips(2, seed=1)
    assert all(torch.equal(a.video, b.video) for a, b in zip(short, long, strict=False))
    assert not torch.equal(short[0].video, other[0].video)
    assert not torch.equal(short[0].video, _clips(1, held_out=True)[0].video)


def test_the_sprite_is_found_by_pixels_alone() -> None:
    clips = _clips(6, held_out=True)
    found = MICROWORLD.thing(torch.stack([clip.video for clip in clips]))
    true = torch.stack([clip.masks["shape"] for clip in clips])
    overlap = (found & true).sum((1, 2, 3)) / (found | true).sum((1, 2, 3))
    assert (overlap > 0.7).all()
    assert isinstance(MICROWORLD, Finder)
