"""Tables of scores, and maps finer than tokens, of maps whose worth is known."""

from __future__ import annotations

import pytest
import torch

from transporter.saliency.benchmark import Scene
from transporter.saliency.sharpening import shifted, upsampled
from transporter.saliency.table import (
    clip_scores,
    controls,
    mean_precision,
    profiles,
    summary,
    thresholds,
    when_scores,
)

KINDS = ("shape", "colour", "motion", "ground", "time")
CLIPS, GRID = 12, (5, 4, 4)


@pytest.fixture(scope="module")
def scene() -> Scene:
    draws = torch.Generator().manual_seed(0)
    sprite = torch.rand(CLIPS, 1, *GRID, generator=draws) < 0.2
    known = torch.ones(CLIPS, 5, dtype=torch.bool)
    known[::3, 1] = False
    moving = torch.ones(CLIPS, 5)
    moving[1::4, 3:], moving[3::4, :3] = 0, 0
    return Scene(
        torch.zeros(CLIPS, 1),
        [""] * CLIPS,
        KINDS,
        [list(KINDS)] * CLIPS,
        known,
        torch.cat([sprite, sprite, sprite, ~sprite], 1),
        moving,
    )


@pytest.fixture(scope="module")
def maps(scene: Scene) -> dict[str, torch.Tensor]:
    """One that knows the truth, and one that knows nothing."""
    noise = torch.rand(CLIPS, 5, *GRID, generator=torch.Generator().manual_seed(1))
    truth = torch.cat([scene.truth, scene.truth[:, :1] & False], 1).float()
    return {"default": truth + 0.5 * noise, "blind": noise}


def test_a_map_that_knows_is_perfect_and_one_that_does_not_has_the_base_rate(
    scene: Scene, maps: dict[str, torch.Tensor]
) -> None:
    others = controls(scene, "default", maps["default"])
    scores = clip_scores(scene, {**maps, **others}, thresholds(scene, maps))
    table = summary(scores).set_index(["reading", "kind"])
    assert table.loc[("default", "shape"), "clips"] == CLIPS
    assert table.loc[("default", "colour"), "clips"] == CLIPS - CLIPS // 3
    for kind in KINDS[:4]:
        best = table.loc[("default", kind)]
        assert best[["ap", "iou", "pointing"]].tolist() == [1, 1, 1]
        assert best["iou_fixed"] > 0.9
        assert best["pointing_low"] == pytest.approx(0.025 ** (1 / best["clips"]))
        blind = table.loc[("blind", kind)]
        assert blind["ap"] == pytest.approx(blind["base"], abs=0.1)
        assert blind["more_high"] < 0
        assert blind["more"] == pytest.approx(blind["ap"] - 1)
        for control in others:
            assert table.loc[(control, kind), "ap"] < best["ap"]
    order = mean_precision(table.reset_index())
    assert order.index[0] == "default"


def test_frames_are_found_on_one_scale(scene: Scene, maps: dict[str, torch.Tensor]) -> None:
    known = 0.01 * maps["blind"] + scene.moving[:, None, :, None, None]
    # what all clips have in a frame tells nothing of one
    biased = known + torch.tensor([0.0, 9, 0, 9, 0]).view(1, 1, -1, 1, 1)
    found = {"when, known": known, "when, biased": biased}
    table = summary(when_scores(scene, found, profiles(scene, found)))
    table = table.set_index(["reading", "kind"])["ap"]
    for kind in KINDS[:4]:
        assert table["when, known", f"when: {kind}"] == 1
        assert table["when, biased", f"when: {kind}"] < 0.95
        assert table["when, biased, less its profile", f"when: {kind}"] == 1


def test_shifts_are_taken_back() -> None:
    maps = torch.rand(2, 1, 3, 4, 4)
    fine = upsampled(maps, 16, 16)
    assert fine.shape == (2, 1, 3, 16, 16)
    back = shifted(shifted(fine, 2, -3), -2, 3)
    assert torch.equal(back[..., 4:-4, 4:-4], fine[..., 4:-4, 4:-4])
    assert torch.equal(shifted(fine, 1, 0)[..., 1:, :], fine[..., :-1, :])
