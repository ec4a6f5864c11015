"""Maps of real clips against the masks that a data set has of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

import pandas as pd
import torch

from transporter.generators.base import Generator
from transporter.generators.wording import readable
from transporter.saliency.benchmark import DEFAULT, rivals
from transporter.saliency.locating import renoised
from transporter.saliency.masked_folders import Masked, Size, mevis, vspw
from transporter.saliency.scoring import PRESENT, covered
from transporter.saliency.settings import MapSettings, MaskSettings, ReadingSettings
from transporter.saliency.table import scores_of, summary
from transporter.saliency.words import Words
from transporter.support.errors import UserError

SETS: Mapping[str, Callable[[str, Size], Iterator[Masked]]] = {"mevis": mevis, "vspw": vspw}
WORDS = 4
"""Words or expressions of a clip at most; its caption has to hold them all."""
KIND = "words"


def masked_clips(settings: MaskSettings, size: Size) -> Iterator[Masked]:
    """The first clips of a folder.

    Raises:
        UserError: no folder, or a file is missing or is not what is published.
    """
    if settings.folder is None:
        raise UserError("saliency.masks.folder: expected a folder of clips with masks, got null")
    yield from islice(SETS[settings.layout](settings.folder, size), settings.clips)


@torch.no_grad()
def masked_table(
    generator: Generator,
    clips: Iterable[Masked],
    settings: MapSettings,
    reading: ReadingSettings,
    seed: int = 0,
) -> pd.DataFrame:
    """One row for each reading: the columns of `table.summary`, how many `words` these are of, and
    of how many `clips`. Intervals are resampled over clips.

    A clip's caption is the list of its words. Nothing is chosen by these clips.

    Raises:
        UserError: no clip has a mask that covers some tokens and not all, or a caption that the
            generator cannot take.
    """
    compared = rivals(settings, generator.config("transformer").num_attention_heads)
    parts, before = [], None
    for number, clip in enumerate(clips):
        words = _some(list(clip.masks))
        if not words:
            continue
        masks = torch.stack([clip.masks[word] for word in words])
        truth = covered(masks, generator.block_grid) > PRESENT
        maps = _maps(generator, clip, words, compared, reading, seed)
        maps |= _controls(maps[DEFAULT], before)
        before = maps[DEFAULT][:1]
        for name, found in maps.items():
            scores = scores_of(found.flatten(1), truth.flatten(1), torch.nan, truth.shape[1])
            rows = [f"{number} {word}" for word in words]
            about = {"reading": name, "kind": KIND, "group": number, "clip": rows}
            parts.append(pd.DataFrame(about | scores))
        print(f"{clip.name}: {', '.join(words)}", flush=True)
    known = pd.concat(parts).dropna(subset="ap") if parts else pd.DataFrame()
    if known.empty:
        raise UserError(
            "saliency.masks: expected a clip with a mask that covers some of its tokens and not"
            " all, got none; take more clips"
        )
    table = summary(known).rename(columns={"clips": KIND})
    counts = known.groupby("reading")["group"].nunique()
    table.insert(1, "clips", table["reading"].map(counts))
    return table.drop(columns="kind")


def _some(words: list[str]) -> list[str]:
    """`WORDS` of the words at most, evenly."""
    return words[:: -(-len(words) // WORDS) or 1]


def _maps(
    generator: Generator,
    clip: Masked,
    words: list[str],
    compared: Mapping[str, MapSettings],
    reading: ReadingSettings,
    seed: int,
) -> dict[str, torch.Tensor]:
    """Of every word by every reading, `(n, F, h, w)`."""
    try:
        caption = readable(generator, ", ".join(words))
        found = Words.of(generator, [caption], [words])
    except UserError as error:
        raise UserError(f"{clip.name}: {error}") from error
    z_xi = generator.encode(clip.video[None].to(generator.device))
    settings = list(compared.values())
    made = renoised(generator, z_xi, [caption], found, settings, reading, seed)
    return {name: maps[0].cpu() for name, maps in zip(compared, made, strict=True)}


def _controls(maps: torch.Tensor, before: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """What maps `(n, F, h, w)` should lose by: those of other frames, of another of the clip's
    words, and of the clip before.
    """
    found = {f"{DEFAULT}, shuffled frames": maps.roll(maps.shape[1] // 2, 1)}
    if len(maps) > 1:
        found[f"{DEFAULT}, another word"] = maps.roll(1, 0)
    if before is not None:
        found[f"{DEFAULT}, another clip"] = before.expand_as(maps)
    return found
