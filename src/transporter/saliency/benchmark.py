"""Maps of clips whose every mask is known, by many readings at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from transporter.clips.world import Placed
from transporter.generators.base import Generator
from transporter.saliency.locating import renoised
from transporter.saliency.scoring import PRESENT, covered
from transporter.saliency.settings import MapSettings, ReadingSettings, preset
from transporter.saliency.words import Words

BATCH = 32
"""Clips at once."""
CONTROL = "time"
"""A kind of word without a place: where its map lies is a control of the others'."""
DEFAULT = "default"
SHOWN = ("default", "gramcol", "cross-attention", "gramcol as released", "imap as released")
"""Readings that a figure shows."""
PADDING = (0.2, 0.3, 0.4, 0.5, 0.6)
"""Shares that are tried."""


def rivals(default: MapSettings, heads: int) -> dict[str, MapSettings]:
    """What could be the default, by name: the default that is, the method as released, others."""
    gramcol, attention = preset("gramcol"), preset("cross_attention")
    some = max(1, heads // 2)
    found = {
        DEFAULT: default,
        "gramcol": gramcol,
        "gramcol, no contrast": replace(gramcol, contrast="none"),
        "gramcol, against the prompt": replace(
            gramcol, contrast="prompt", padding=None, contrast_of="maps"
        ),
        "gramcol, minmax": replace(gramcol, contrast="none", standardise="minmax"),
        "gramcol, motion heads": replace(gramcol, heads="chi", top_k=some),
        "gramcol as released": preset("gramcol_released_wan"),
        "imap as released": preset("imap_released_wan", top_k=some),
        "cross-attention": attention,
        "cross-attention, tokens": replace(attention, standardise="tokens"),
        "query and key, padding": replace(default, method="query_key", contrast="pad"),
        "query and key, prompt": replace(default, method="query_key", padding=None),
        "concept attention": preset("concept_attention"),
    }
    for share in sorted({*PADDING} - {default.padding}):
        name = f"query and key, {share:g} padding"
        found[name] = replace(default, method="query_key", contrast="prompt", padding=share)
    return found


def parts(default: MapSettings, heads: int, layers: int) -> dict[str, MapSettings]:
    """Some heads of the default, and each of its layers alone."""
    found = {}
    for by in ("chi", "silhouette", "davies_bouldin", "fisher", "random"):
        found[f"{DEFAULT}, heads by {by}"] = replace(default, heads=by, top_k=max(1, heads // 2))
    for layer in range(layers):
        found[f"{DEFAULT}, layer {layer}"] = replace(default, layers=(layer,))
    return found


def timed() -> dict[str, MapSettings]:
    """Maps on one scale for the whole clip, whose frames can be compared."""
    choices = (("query_key", "pad"), ("cross_attention", "none"), ("gram", "pad"))
    return {
        f"when, {method}": MapSettings(method=method, standardise="clip", contrast=contrast)
        for method, contrast in choices
    }


@dataclass(frozen=True)
class Scene:
    """Placed clips as one batch, on the generator's grid of tokens.

    Attributes:
        z_xi: latents `(B, c, t, h, w)`.
        captions: B.
        kinds: kinds of words that have a place, K, then the control.
        words: each clip's word of every kind; any word of the caption where it has none.
        known: where the caption has the word, `(B, K + 1)` bool.
        truth: where each kind's word is, `(B, K, F, h, w)` bool.
        moving: how much of each latent frame moves, `(B, F)` in [0, 1].
    """

    z_xi: torch.Tensor
    captions: list[str]
    kinds: tuple[str, ...]
    words: list[list[str]]
    known: torch.Tensor
    truth: torch.Tensor
    moving: torch.Tensor


@torch.no_grad()
def scene(generator: Generator, clips: Sequence[Placed], at_once: int = BATCH) -> Scene:
    """Encode clips and bring their masks to the generator's grid."""
    places = tuple(clips[0].masks)
    kinds, grid = (*places, CONTROL), generator.block_grid
    video = torch.stack([clip.video for clip in clips])
    latents = [generator.encode(part.to(generator.device)) for part in video.split(at_once)]
    masks = torch.stack([torch.stack([clip.masks[kind] for kind in places]) for clip in clips])
    truth = covered(masks.flatten(0, 1), grid).unflatten(0, masks.shape[:2]) > PRESENT
    moving = torch.stack([clip.moving for clip in clips])[:, :, None, None]
    return Scene(
        torch.cat(latents),
        [clip.caption for clip in clips],
        kinds,
        [[clip.words[kind] or clip.caption.split()[0] for kind in kinds] for clip in clips],
        torch.tensor([[clip.words[kind] is not None for kind in kinds] for clip in clips]),
        truth,
        covered(moving, (grid[0], 1, 1))[:, :, 0, 0],
    )


def maps_of(
    generator: Generator,
    found: Scene,
    compared: Mapping[str, MapSettings],
    reading: ReadingSettings,
    seed: int = 0,
    at_once: int = BATCH,
) -> dict[str, torch.Tensor]:
    """Maps of every clip and kind of word by every reading, `(B, K + 1, F, h, w)`."""
    parts = list(_parts(generator, found, list(compared.values()), reading, seed, at_once))
    columns = zip(*parts, strict=True)
    return {name: torch.cat(some) for name, some in zip(compared, columns, strict=True)}


def _parts(
    generator: Generator,
    found: Scene,
    settings: Sequence[MapSettings],
    reading: ReadingSettings,
    seed: int,
    at_once: int,
) -> Iterator[list[torch.Tensor]]:
    for start in range(0, len(found.captions), at_once):
        part = slice(start, start + at_once)
        captions = found.captions[part]
        words = Words.of(generator, captions, found.words[part])
        made = renoised(generator, found.z_xi[part], captions, words, settings, reading, seed)
        yield [maps.cpu() for maps in made]
