"""Where a canvas puts stills, words and plots."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from transporter.figures.canvas import Canvas


def test_inches_run_from_the_top_left() -> None:
    canvas = Canvas(4.0, 2.0)
    assert canvas.picture(1.0, 0.5, 0.5, torch.rand(3, 8, 16)) == pytest.approx(1.0)
    [image] = canvas.axes.get_images()
    assert tuple(image.get_extent()) == (1.0, 2.0, 1.0, 0.5)
    assert (canvas.axes.get_xlim(), canvas.axes.get_ylim()) == ((0, 4), (2, 0))
    plot = canvas.plot(2.0, 0.25, 1.0, 0.5)
    np.testing.assert_allclose(plot.get_position().bounds, (0.5, 0.625, 0.25, 0.25))


def test_a_picture_stands_where_it_was_put() -> None:
    canvas = Canvas(2.0, 1.0)
    canvas.picture(0.0, 0.0, 0.5, torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1).expand(3, 4, 4))
    canvas.figure.set_dpi(100)
    canvas.figure.canvas.draw()
    pixels = np.asarray(canvas.figure.canvas.buffer_rgba())[..., :3].astype(int)
    for row, column, colour in (
        (25, 25, (255, 0, 0)),
        (75, 25, (255, 255, 255)),
        (25, 75, (255, 255, 255)),
    ):
        assert np.abs(pixels[row, column] - colour).max() <= 2
