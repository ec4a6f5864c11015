"""Faults of the sprite: none in rendered clips, each where it was put in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from microworld.clips import Clips
from microworld.probes import Probes
from microworld.sprite_faults import round_frames, sprite_faults
from transporter.clips.contrast import Concept
from transporter.metrics.faithfulness import probed
from transporter.support.errors import UserError

PROBES = Path(__file__).parents[2] / "models" / "probes"
GREY = 0.5


@pytest.fixture(scope="module")
def clips() -> Clips:
    return Clips.draw(48, np.random.default_rng(11))


@pytest.fixture(scope="module")
def rendered(clips: Clips) -> tuple[torch.Tensor, torch.Tensor]:
    return clips.render()


def _without(video: torch.Tensor, masks: torch.Tensor, frames: int) -> torch.Tensor:
    """The sprite of the first `frames` is as dull as a grey wall."""
    hidden = masks[:, :, None] & (torch.arange(video.shape[1]) < frames)[:, None, None, None]
    return torch.where(hidden, GREY, video)


def test_rendered_clips_have_no_fault(rendered: tuple[torch.Tensor, torch.Tensor]) -> None:
    assert sprite_faults(rendered[0]) == [[]] * 48


@pytest.mark.parametrize(("frames", "faults"), [(1, []), (2, ["vanished"]), (17, ["vanished"])])
def test_a_sprite_that_is_gone_in_two_frames_has_vanished(
    frames: int, faults: list[str], rendered: tuple[torch.Tensor, torch.Tensor]
) -> None:
    assert sprite_faults(_without(*rendered, frames)) == [faults] * 48


def test_a_washed_out_sprite_is_pale(rendered: tuple[torch.Tensor, torch.Tensor]) -> None:
    """The dullest are then no more colourful than a landscape may be."""
    video, masks = rendered
    washed = torch.where(masks[:, :, None], video.lerp(torch.tensor(GREY), 0.28), video)
    found = sprite_faults(washed)
    assert all({"pale", "vanished"} & set(faults) for faults in found)
    assert found.count(["pale"]) > 24


def test_another_sprite_makes_two_pieces(rendered: tuple[torch.Tensor, torch.Tensor]) -> None:
    video, masks = rendered
    doubled = video.clone()
    covered = masks.any(1)
    free = (~covered[:, :6, :8].flatten(1).any(1)) & (~covered[:, :7, :9].flatten(1).any(1))
    assert free.sum() > 24
    doubled[:, 4:, :, :5, :7] = torch.tensor([0.93, 0.12, 0.12])[:, None, None]
    found = sprite_faults(doubled[free])
    assert all(faults == ["in pieces"] for faults in found)


def test_circles_are_round_and_triangles_are_not(
    clips: Clips, rendered: tuple[torch.Tensor, torch.Tensor]
) -> None:
    shapes = np.array([a.shape for a in clips.attributes])
    round_ = round_frames(rendered[0])
    assert round_[shapes == "circle"].mean() > 0.99
    assert round_[shapes == "triangle"].mean() < 0.01


@pytest.mark.parametrize(("stretched", "expected"), [(1.05, True), (1.25, False)])
def test_an_ellipse_is_round_up_to_a_tenth(stretched: float, expected: bool) -> None:
    across, down = np.meshgrid(np.arange(64) - 31.5, np.arange(64) - 31.5)
    inside = torch.from_numpy(np.hypot(across / stretched, down) < 10)
    colour = torch.tensor([0.9, 0.1, 0.1])[:, None, None]
    frame = torch.where(inside, colour, torch.full((3, 64, 64), GREY))
    assert (round_frames(frame.expand(1, 17, -1, -1, -1)) == expected).all()


def test_a_bitten_circle_is_not_round() -> None:
    across, down = np.meshgrid(np.arange(64) - 31.5, np.arange(64) - 31.5)
    bitten = (np.hypot(across, down) < 10) & (np.hypot(across - 10, down) > 7)
    colour = torch.tensor([0.9, 0.1, 0.1])[:, None, None]
    frame = torch.where(torch.from_numpy(bitten), colour, torch.full((3, 64, 64), GREY))
    assert not round_frames(frame.expand(1, 17, -1, -1, -1)).any()


def test_readings_of_the_shipped_probes_name_the_faults(
    rendered: tuple[torch.Tensor, torch.Tensor],
) -> None:
    video, masks = (part[:4] for part in rendered)
    probes = Probes.from_pretrained(PROBES)
    concept = Concept("day_night", "scene", "day", "night", "what time is it ?")
    assert probed(video, concept, probes)["faults"].tolist() == ["none"] * 4
    gone = probed(_without(video, masks, 17), concept, probes)
    assert gone["faults"].tolist() == ["vanished"] * 4


def test_clips_of_another_size_are_refused() -> None:
    with pytest.raises(UserError, match=r"sprite_faults: expected clips of shape"):
        sprite_faults(torch.zeros(1, 17, 3, 32, 32))
