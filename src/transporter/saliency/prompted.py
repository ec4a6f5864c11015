"""Maps of a prompt's words while clips are made of it, and what can be told of them without masks.

Where a word is in such a clip nobody knows. What is told is how narrow a map is, how its level goes
over frames, and how far it is about its own word and its own clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import torch

from transporter.generators.base import Generator, Sampling
from transporter.generators.wording import readable
from transporter.saliency.generated import TOP
from transporter.saliency.inside import share_inside
from transporter.saliency.locating import located, on_grid
from transporter.saliency.prompts import Prompt
from transporter.saliency.scoring import highest, rank_correlation
from transporter.saliency.settings import MapSettings
from transporter.saliency.words import Words
from transporter.statistics.bootstrap import mean_interval
from transporter.support.errors import UserError
from transporter.support.kept import Keep, made

MEASURES = ("inside", "spread", "likeness", "likeness_other")
"""Columns that `measured` fills, and `prompts_table` has means of."""
ALL = "all"


@dataclass(frozen=True)
class Prompted:
    """Clips of one prompt and the maps of its n words.

    Attributes:
        z_xi: latents `(S, c, t, h, w)`, one for each seed.
        place: maps, `(S, n, F, h', w')`.
        time: the same on one scale for the whole clip, so that frames can be compared.
        named: which of the words the prompt holds, n.
    """

    prompt: Prompt
    seeds: tuple[int, ...]
    z_xi: torch.Tensor
    place: torch.Tensor
    time: torch.Tensor
    named: tuple[bool, ...]


def known(
    generator: Generator, prompts: Sequence[Prompt]
) -> tuple[dict[int, Prompt], dict[int, str]]:
    """Prompts as the generator's tokenizer knows them, by their number from 1; and of the others,
    why they are left out.

    Raises:
        UserError: none is known.
    """
    served, lacks = {}, {}
    for number, prompt in enumerate(prompts, start=1):
        try:
            text = readable(generator, prompt.text)
            Words.of(generator, [text], [prompt.words])
            served[number] = replace(prompt, text=text)
        except UserError as error:
            lacks[number] = str(error)
    if not served:
        raise UserError(
            f"saliency.prompts.table: expected prompts in words that the generator knows, got"
            f" {len(prompts)} others; of the first, {lacks[1]}"
        )
    return served, lacks


@torch.no_grad()
def prompted(
    generator: Generator,
    prompt: Prompt,
    seeds: Sequence[int],
    settings: MapSettings,
    sampling: Sampling,
) -> Prompted:
    """Sample a prompt from the noise of each seed, and read its words' maps while this goes on."""
    timed = replace(settings, standardise="clip", contrast="pad")
    parts = []
    for start in range(0, len(seeds), sampling.rows(1)):
        some = list(seeds[start : start + sampling.rows(1)])
        captions = [prompt.text] * len(some)
        words = Words.of(generator, captions, [prompt.words] * len(some))
        pi = generator.encode_text(captions)
        with located(generator, words, [settings, timed], sampling.steps) as tallies:
            z_xi = generator.sample(pi, some, sampling.steps, sampling.guidance)
        maps = (on_grid(generator, tally) for tally in tallies)
        parts.append([part.float().cpu() for part in (z_xi, *maps)])
    z_xi, place, time = (torch.cat(some) for some in zip(*parts, strict=True))
    named = tuple(bool(tokens) for tokens in words.places[0])
    return Prompted(prompt, tuple(seeds), z_xi, place, time, named)


def all_prompted(
    generator: Generator,
    prompts: Mapping[int, Prompt],
    seeds: Sequence[int],
    settings: MapSettings,
    sampling: Sampling,
    keep: Keep = made,
) -> dict[int, Prompted]:
    """Every prompt as `prompted`, by its number; `keep` has those that were done before."""
    found = {}
    for number, prompt in prompts.items():

        def make(prompt: Prompt = prompt) -> list[Any]:
            some = prompted(generator, prompt, seeds, settings, sampling)
            return [some.z_xi, some.place, some.time, list(some.named)]

        z_xi, place, time, named = keep(f"prompt_{number}", make)
        found[number] = Prompted(prompt, tuple(seeds), z_xi, place, time, tuple(named))
        print(f"prompt {number}: {prompt.text}", flush=True)
    return found


def measured(found: Mapping[int, Prompted]) -> pd.DataFrame:
    """One row for each prompt, seed and word:

    `inside`: of what of the map is above its frame's mean, the share in the highest `TOP` of the
    clip's tokens; `strongest`: the latent frame with the highest level, from 0; `spread`: the
    deviation of the level over frames; `likeness`: the mean rank correlation with the maps of the
    clip's other words; `likeness_other`: with those of another prompt's clip. The first latent
    frame, which is a single picture, does not count for levels.
    """
    rows = []
    numbers = list(found)
    for place, number in enumerate(numbers):
        other = found[numbers[place - 1]] if len(numbers) > 1 else None
        rows += _rows(number, found[number], other)
    return pd.DataFrame(rows)


def _rows(number: int, found: Prompted, other: Prompted | None) -> list[dict[str, Any]]:
    rows = []
    for seed, place, time in zip(found.seeds, found.place, found.time, strict=True):
        top = highest(place.flatten(1), TOP).view_as(place)
        levels = time.mean((-1, -2))[:, 1:]  # (n, F - 1)
        values = {
            "inside": share_inside(place, top),
            "strongest": levels.argmax(1) + 1 if levels.shape[1] else torch.zeros(len(place)),
            "spread": levels.std(1, correction=0),
            "likeness": _likeness(place, place, but_itself=True),
            "likeness_other": torch.full((len(place),), torch.nan),
        }
        if other is not None:
            values["likeness_other"] = _likeness(place, other.place[0])
        for word, name in enumerate(found.prompt.words):
            about = {"prompt": number, "seed": seed, "word": name}
            about |= {"kind": found.prompt.kinds[word], "named": int(found.named[word])}
            rows.append(about | {key: float(value[word]) for key, value in values.items()})
    return rows


def _likeness(maps: torch.Tensor, others: torch.Tensor, but_itself: bool = False) -> torch.Tensor:
    """The mean rank correlation of each map `(n, ...)` with others `(m, ...)`, `(n,)`."""
    one, other = maps.flatten(1), others.flatten(1)
    pairs = torch.stack([rank_correlation(one, row.expand_as(one)) for row in other], 1)
    if but_itself:
        pairs.fill_diagonal_(torch.nan)
    return pairs.nanmean(1)


def prompts_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Means of `MEASURES` over the rows of `measured`, for each kind of word and for all, with 95 %
    intervals that are resampled over prompts; nan where no row has a number.
    """
    parts = {kind: part for kind, part in rows.groupby("kind", sort=False)} | {ALL: rows}
    table = []
    for kind, part in parts.items():
        row = {"kind": kind, "prompts": part["prompt"].nunique(), "maps": len(part)}
        for name in MEASURES:
            has = part[part[name].notna()]
            if len(has):
                row |= mean_interval(has[name].tolist(), has["prompt"].tolist()).row(name)
        table.append(row)
    return pd.DataFrame(table)
