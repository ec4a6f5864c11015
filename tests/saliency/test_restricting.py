"""A change that acts in some places alone, on generators of three families."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.generation.sweeps import Generated
from transporter.generators.base import Sampling
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.generators.modulation import Modulation
from transporter.saliency.generated import SweepMaps
from transporter.saliency.restricting import of_latent, restricted, word_places

CONCEPT = Concept("circle_square", "object", "circle", "square", "what is it ?")
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


def swept(generator: DiffusersGenerator, captions: list[str]) -> Generated:
    """A row at phi = 0 and one at 1 of every caption; another method does not count."""
    rows = [
        (number, method, number // 2, float(number % 2), captions[number // 2])
        for number, method in enumerate(["transporter"] * 4)
    ]
    rows.append((4, "random", 0, 1.0, captions[0]))
    index = pd.DataFrame(rows, columns=["row", "method", "seed", "phi", "caption"])
    return Generated(index.assign(clip=""), torch.zeros(5, *generator.latent_shape))


def test_a_word_is_where_either_map_is_above_its_frames_mean() -> None:
    index = pd.DataFrame(
        {"row": range(4), "method": "transporter", "seed": [0, 0, 1, 1], "phi": [0.0, 1.0] * 2}
    )
    maps = torch.zeros(4, 2, 2, 2, 2)
    maps[0, 0, :, 0, 0] = 1  # the source before the change
    maps[1, 1, 1, 1, 1] = 5  # the target after it, in the second frame
    maps[1, 0, :, 0, 1] = maps[0, 1, :, 1, 0] = 9  # what does not count
    found = word_places(Generated(index, torch.zeros(4)), SweepMaps(CONCEPT, index, maps))
    expected = torch.zeros(2, 2, 2, 2, dtype=torch.bool)
    expected[0, :, 0, 0] = expected[0, 1, 1, 1] = True
    assert torch.equal(found, expected)


def test_everywhere_is_the_vector_itself_and_nowhere_the_caption(
    generator: DiffusersGenerator,
) -> None:
    captions = ["a red circle moves left", "a blue circle moves right"]
    minus = generator.encode_text(captions)
    change = generator.encode_text(["a blue square", "a red square"]) - minus
    bank = SimpleNamespace(change=lambda name, pi: change)
    grid, sampling = (2, *generator.block_grid), Sampling(2, 3.0)
    half = torch.zeros(grid, dtype=torch.bool)
    half[..., : grid[-1] // 2] = True
    where = {"all": half | True, "none": half & False, "half": half}
    made = restricted(generator, swept(generator, captions), where, CONCEPT, bank, sampling)
    plain, whole = (
        generator.sample(minus, [0, 1], 2, 3.0, modulation)
        for modulation in (None, Modulation(change))
    )
    torch.testing.assert_close(made["all"], whole, **CLOSE)
    torch.testing.assert_close(made["none"], plain, **CLOSE)
    mask = of_latent(half, generator)
    assert mask.shape == (2, *generator.latent_shape[1:]) and mask.mean() == 0.5
    change_inside, change_outside = (
        ((made["half"] - plain) * part[:, None]).abs().sum() for part in (mask, 1 - mask)
    )
    assert change_inside > change_outside
