"""What a clip shows agrees with its attributes: where the sprite is, how it moves, what colour it
has.
"""

import colorsys
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation

from microworld.attributes import WORDS, Attributes
from microworld.renderer import (
    BOUNCE_HEIGHT,
    BOUNCES,
    FRAMES,
    PATH,
    RADIUS,
    SIZE,
    TURNS,
    Layout,
    draw_layout,
    lerp,
    render,
)

SHARES = st.floats(0, 1, width=32)
ATTRIBUTES = st.builds(
    Attributes,
    shape=st.sampled_from(WORDS["shape"]),
    hue=st.floats(0, 1, exclude_max=True),
    size=SHARES,
    motion=st.sampled_from(WORDS["motion"]),
    speed=SHARES,
    ground=st.sampled_from(WORDS["ground"]),
    time=SHARES,
)
SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=20, deadline=None)
CORNER = 2.5
"""Pixels that a triangle's centroid lies off the middle of its frame, or moves when a corner is cut
off at the frame's edge.
"""


def drawn(attributes: Attributes, seed: int) -> tuple[Layout, np.ndarray, np.ndarray]:
    layout = draw_layout(attributes, np.random.default_rng(seed))
    return layout, *render(attributes, layout)


def centroids(mask: np.ndarray) -> np.ndarray:
    """Centre of the mask in each frame: `(T, 2)` as x, y."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    return np.stack([(mask * axis).sum((1, 2)) / mask.sum((1, 2)) for axis in (x, y)], 1)


@FEW
@given(attributes=ATTRIBUTES, seed=SEEDS)
def test_shapes_and_types(attributes: Attributes, seed: int) -> None:
    _, frames, mask = drawn(attributes, seed)
    assert (frames.shape, frames.dtype) == ((FRAMES, SIZE, SIZE, 3), np.uint8)
    assert (mask.shape, mask.dtype) == ((FRAMES, SIZE, SIZE), np.bool_)


@FEW
@given(attributes=ATTRIBUTES, seed=SEEDS)
def test_equal_seeds_give_equal_bytes(attributes: Attributes, seed: int) -> None:
    (_, frames, mask), (_, again, mask_again) = drawn(attributes, seed), drawn(attributes, seed)
    assert frames.tobytes() == again.tobytes()
    assert mask.tobytes() == mask_again.tobytes()


@FEW
@given(attributes=ATTRIBUTES, seed=SEEDS)
def test_the_sprite_stays_inside_the_frame(attributes: Attributes, seed: int) -> None:
    """Its inscribed circle wholly, of a triangle's or a turning square's corners no more than a
    tip.
    """
    layout, _, mask = drawn(attributes, seed)
    for path in (layout.x, layout.y):
        assert path.min() >= layout.radius and path.max() <= SIZE - layout.radius
    middle = np.full(FRAMES, SIZE / 2)
    _, whole = render(attributes, replace(layout, x=middle, y=middle))
    assert np.all(mask.sum((1, 2)) >= 0.85 * whole.sum((1, 2)))


@FEW
@given(attributes=ATTRIBUTES, seed=SEEDS)
def test_the_mask_is_where_the_sprite_is(attributes: Attributes, seed: int) -> None:
    layout, frames, mask = drawn(attributes, seed)
    away = replace(layout, x=np.full(FRAMES, -100.0), y=np.full(FRAMES, -100.0))
    background, nothing = render(attributes, away)
    assert not nothing.any()
    assert np.all(background == background[0])
    # no pixel outside the mask is more than half covered, and the half can change it by no more
    # than half of the range
    changed = np.abs(frames.astype(int) - background).max(-1)
    assert changed[~mask].max() <= 128
    # a triangle's tip is thinner than a pixel for some pixels
    grown = np.stack([binary_dilation(frame, iterations=4) for frame in mask])
    assert not changed[~grown].any()


@FEW
@given(attributes=ATTRIBUTES, seed=SEEDS)
def test_the_sprite_has_its_hue(attributes: Attributes, seed: int) -> None:
    _, frames, mask = drawn(attributes, seed)
    pixels = frames[mask] / 255
    hues, saturations, _ = np.array(
        [colorsys.rgb_to_hsv(*pixel) for pixel in pixels[:: max(1, len(pixels) // 400)]]
    ).T
    coloured = hues[saturations > 0.8]
    assert len(coloured) > 50
    assert np.median(np.abs((coloured - attributes.hue + 0.5) % 1 - 0.5)) < 0.01


@FEW
@given(attributes=ATTRIBUTES, seed=SEEDS)
def test_the_mask_follows_the_path(attributes: Attributes, seed: int) -> None:
    layout, _, mask = drawn(attributes, seed)
    assert np.abs(centroids(mask) - np.stack([layout.x, layout.y], 1)).max() < CORNER


@pytest.mark.parametrize(
    ("motion", "direction"),
    [("left", (-1, 0)), ("right", (1, 0)), ("up", (0, -1)), ("down", (0, 1))],
)
@FEW
@given(attributes=ATTRIBUTES, seed=SEEDS)
def test_translations_go_where_and_as_far_as_they_say(
    motion: str, direction: tuple[int, int], attributes: Attributes, seed: int
) -> None:
    _, _, mask = drawn(replace(attributes, motion=motion), seed)
    travelled = centroids(mask)[-1] - centroids(mask)[0]
    expected = np.array(direction) * lerp(PATH, attributes.speed)
    assert np.abs(travelled - expected).max() < CORNER


@FEW
@given(attributes=ATTRIBUTES, seed=SEEDS)
def test_bounces_go_up_and_down_in_place(attributes: Attributes, seed: int) -> None:
    _, _, mask = drawn(replace(attributes, motion="bounces"), seed)
    x, y = centroids(mask).T
    assert np.ptp(x) < CORNER
    assert BOUNCE_HEIGHT * 0.9 - CORNER < np.ptp(y) < BOUNCE_HEIGHT + CORNER
    share = np.abs(np.diff(y)).sum() / (2 * BOUNCE_HEIGHT * lerp(BOUNCES, attributes.speed))
    assert 0.7 < share < 1.2


@FEW
@given(attributes=ATTRIBUTES, seed=SEEDS)
def test_spins_turn_in_place_and_are_seen_on_every_shape(attributes: Attributes, seed: int) -> None:
    layout, frames, mask = drawn(replace(attributes, motion="spins"), seed)
    assert np.ptp(layout.x) == np.ptp(layout.y) == 0
    assert layout.angle[-1] == pytest.approx(2 * math.pi * lerp(TURNS, attributes.speed), rel=1e-5)
    assert np.ptp(centroids(mask), axis=0).max() < 2 * CORNER
    assert all(np.any(one != other) for one, other in pairwise(frames))


@FEW
@given(attributes=ATTRIBUTES, seed=SEEDS)
def test_sizes_grow_with_the_degree(attributes: Attributes, seed: int) -> None:
    areas = []
    for size in (0.0, 0.5, 1.0):
        layout, _, mask = drawn(replace(attributes, size=size), seed)
        assert layout.radius == pytest.approx(lerp(RADIUS, size))
        areas.append(np.median(mask.sum((1, 2))))
    assert areas[0] < areas[1] < areas[2]


@FEW
@given(attributes=ATTRIBUTES, seed=SEEDS)
def test_days_are_brighter_than_nights(attributes: Attributes, seed: int) -> None:
    brightness = [
        drawn(replace(attributes, time=time), seed)[1][:, :30].mean() for time in (0.0, 0.5, 1.0)
    ]
    assert brightness[0] < brightness[1] < brightness[2]


def test_grounds_differ() -> None:
    attributes = Attributes("circle", 0.0, 0.0, "spins", 0.0, "grass", 1.0)
    layout = replace(draw_layout(attributes, np.random.default_rng(0)), y=np.full(FRAMES, 15.0))
    colours = [
        render(replace(attributes, ground=ground), layout)[0][:, 50:].mean((0, 1, 2))
        for ground in WORDS["ground"]
    ]
    assert (
        min(
            np.abs(one - other).max()
            for one, other in (
                (colours[0], colours[1]),
                (colours[0], colours[2]),
                (colours[1], colours[2]),
            )
        )
        > 40
    )
