"""Pictures keep their proportions as asked, at the resolution that a model takes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from transporter.clips.fit import fitted, resize_and_crop
from transporter.clips.refusals import VideoError


def disc(height: int, width: int, aspect: float = 1.0) -> np.ndarray:
    """A white disc amid black that is round where a pixel is `aspect` times as wide as high."""
    y, x = np.ogrid[:height, :width]
    across = ((x + 0.5) - width / 2) * aspect
    inside = ((y + 0.5) - height / 2) ** 2 + across**2 <= (min(height, width * aspect) * 0.4) ** 2
    return np.repeat(inside[..., None] * np.uint8(255), 3, 2)


def extent(picture: torch.Tensor) -> tuple[int, int]:
    """Rows and columns of what is bright."""
    bright = picture[0] > 0.5
    return int(bright.any(1).sum()), int(bright.any(0).sum())


@pytest.mark.parametrize("aspect", [0.5, 1.0, 64 / 51, 2.0])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_what_is_round_stays_round(fit: str, aspect: float) -> None:
    rows, columns = extent(fitted(disc(90, 120, aspect), aspect, 64, 64, fit))
    assert abs(rows - columns) <= 1 and rows > 10


def test_what_is_stretched_is_as_wide_as_the_picture() -> None:
    rows, columns = extent(fitted(disc(64, 128), 1.0, 64, 64, "stretch"))
    assert abs(rows - 2 * columns) <= 2


def test_a_crop_loses_the_ends_and_a_pad_nothing() -> None:
    wide = np.zeros((40, 80, 3), np.uint8)
    wide[:, :10], wide[:, -10:] = 255, 255
    assert fitted(wide, 1.0, 40, 40, "crop").max() == 0
    padded = fitted(wide, 1.0, 40, 40, "pad")
    assert padded[:, :10].max() == 0 and padded[:, -10:].max() == 0
    assert padded[:, 10:30, :4].min() == 1 and padded[:, 10:30, -4:].min() == 1


def test_the_crop_is_central_and_keeps_proportions() -> None:
    wide = torch.zeros(1, 3, 40, 80)
    wide[..., 20:60] = 1  # the middle square
    assert resize_and_crop(wide, 40, 40).min() == 1
    assert resize_and_crop(wide, 20, 20)[..., 2:-2].min() == 1
    assert resize_and_crop(wide.mT, 40, 40).min() == 1
    assert resize_and_crop(wide, 40, 80) is wide or torch.equal(resize_and_crop(wide, 40, 80), wide)


def test_one_picture_at_a_time_is_the_same_to_the_last_bit_as_all_at_once() -> None:
    clip = np.random.default_rng(0).integers(0, 256, (3, 90, 160, 3), np.uint8)
    video = torch.from_numpy(clip).permute(0, 3, 1, 2).float() / 255
    scaled = F.interpolate(
        video, size=(64, 114), mode="bilinear", antialias=True, align_corners=False
    )
    expected = scaled.clamp(0, 1)[..., 25:89]
    made = torch.stack([fitted(picture, 1.0, 64, 64) for picture in clip])
    assert torch.equal(made, expected)
    assert torch.equal(resize_and_crop(video, 64, 64), expected)


def test_a_strip_that_would_grow_beyond_bounds_is_refused() -> None:
    with pytest.raises(VideoError, match="expected frames of at most 36 million pixels"):
        fitted(np.zeros((1, 60_000, 3), np.uint8), 1.0, 64, 64)
    assert fitted(np.zeros((1, 60_000, 3), np.uint8), 1.0, 64, 64, "pad").shape == (3, 64, 64)
