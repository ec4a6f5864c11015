"""Maps over clips."""

from __future__ import annotations

import torch

from transporter.figures.overlay import over_frames, overlay


def test_a_latent_frame_stands_for_its_frames() -> None:
    found = over_frames(torch.arange(3), 9)
    assert found.tolist() == [0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert over_frames(torch.arange(3), 6).tolist() == [0, 0, 1, 1, 2, 2]
    assert over_frames(torch.arange(1), 3).tolist() == [0, 0, 0]


def test_a_clip_shows_through_where_the_map_is_low() -> None:
    video = torch.full((9, 3, 32, 32), 0.2)
    maps = torch.zeros(3, 2, 2)
    maps[1, 0, 0] = 5
    found = overlay(video, maps)
    zoom = 256 // 32
    clip = found[:, :, :, : 32 * zoom]
    assert found.shape[2:] == (256, 316)
    assert torch.allclose(clip[0], torch.full_like(clip[0], 0.2))
    assert (clip[1, :, 8, 8] - 0.2).abs().max() > 0.2  # the map's highest colour
    assert torch.allclose(clip[1, :, -8, -8], torch.full((3,), 0.2))
    assert torch.equal(found[0, :, :, 32 * zoom :], found[-1, :, :, 32 * zoom :])
