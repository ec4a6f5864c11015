"""Maps of words while a generator samples, or of a given clip, noised and denoised once.

words = Words.of(generator, [caption], [["circle"]])
with located(generator, words, [settings], passes=steps) as [tally]:
    latent = generator.sample(condition, [seed], steps, guidance)
maps = on_grid(generator, tally)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from transporter.generators.base import Generator
from transporter.generators.cogvideox import CogVideoXGenerator
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.generators.hunyuan_video import HunyuanVideoGenerator
from transporter.generators.wan import WanGenerator
from transporter.saliency.cogvideox import CogVideoXReader
from transporter.saliency.hunyuan_video import HunyuanVideoReader
from transporter.saliency.reader import FamilyReader
from transporter.saliency.settings import MapSettings, ReadingSettings
from transporter.saliency.tally import Tally
from transporter.saliency.wan import WanReader
from transporter.saliency.words import Words
from transporter.support.errors import UserError

READERS: dict[type[DiffusersGenerator], type[FamilyReader]] = {
    WanGenerator: WanReader,
    CogVideoXGenerator: CogVideoXReader,
    HunyuanVideoGenerator: HunyuanVideoReader,
}


@contextmanager
def located(
    generator: Generator, words: Words, settings: Sequence[MapSettings], passes: int = 1
) -> Iterator[tuple[Tally, ...]]:
    """Read maps from every pass within, one tally for each of the settings.

    Nothing stays behind, also after an exception, and what the generator makes is bit for bit what
    it makes without.

    Args:
        passes: how many conditional ones there will be.

    Raises:
        UserError: a generator of another family, or one that is being read already.
    """
    family = next((kind for kind in READERS if isinstance(generator, kind)), None)
    if family is None:
        known = ", ".join(kind.__name__ for kind in READERS)
        raise UserError(
            f"maps: expected a generator of {known}, got {type(generator).__name__}; where its"
            " attention is, is not known"
        )
    with READERS[family](generator, words, settings, passes).watching() as tallies:
        yield tallies


def on_grid(generator: Generator, tally: Tally) -> torch.Tensor:
    """The tally's maps as the generator's tokens lie, `(B, n, t', h', w')`.

    Raises:
        UserError: nothing was read.
    """
    found = tally.mean()
    if found is None:
        raise UserError(
            "maps: expected passes of the generator with a caption, got none that count; sample"
            " with a caption, and let some layers and steps count"
        )
    return found.unflatten(-1, generator.block_grid[1:])


@torch.no_grad()
def renoised(
    generator: Generator,
    z_xi: torch.Tensor,
    captions: Sequence[str],
    words: Words,
    settings: Sequence[MapSettings],
    reading: ReadingSettings,
    seed: int = 0,
) -> list[torch.Tensor]:
    """Maps of given clips: each is noised to every level and denoised by one conditional pass.

    Args:
        z_xi: latents of the clips `(B, c, t, h, w)`.
        captions: what the clips show, B.
        words: of these captions.

    Returns:
        `(B, n, t', h', w')` for each of the settings, the mean over levels and noises.
    """
    pi = generator.encode_text(captions)
    draws = torch.Generator().manual_seed(seed)
    passes = len(reading.sigmas) * reading.draws
    with located(generator, words, settings, passes) as tallies:
        for sigma in reading.sigmas:
            for _ in range(reading.draws):
                # one noise for all clips, so that a clip's map does not depend on its batch
                noise = torch.randn(z_xi.shape[1:], generator=draws).to(z_xi)
                z_t = (1 - sigma) * z_xi + sigma * noise
                generator.velocity(z_t, z_t.new_full((len(z_t),), sigma), pi)
    return [on_grid(generator, tally) for tally in tallies]
