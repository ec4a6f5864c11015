"""Does a word's map say when? Clips are generated with a concept in one half of their latent frames
alone, and the target word's map is asked which half that is.

Run in a checkout after `make run`: python benchmarks/partial_frames.py [concept ...]
Captions and noises are those of the run. Every clip is read from its end, noised and denoised once
with the caption that has the target word, with one scale for its frames. The first latent frame,
which is a single picture, does not count, so half of the others are to be found: average precision
is 0.5 at the base and 0.68 by chance. Prints how much of a clip's change lies in the right half;
then for every reading and word how often the right half has the higher mean, with exact 95 %
intervals of clips, the precision, with intervals resampled over concepts, and the worst concept: of
all clips, and of those whose change lies in the right half for the share `FOLLOWS` or more.
`profile` is the mean course of the clips that have the concept in all frames.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
import torch

from transporter.clips.contrast import Concept, read_concepts
from transporter.concepts.bank import ConceptBank
from transporter.generation.captions import Pair
from transporter.generation.sweeps import Generated, full_change, sweep
from transporter.generators.base import Generator, Sampling
from transporter.generators.modulation import covered
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator
from transporter.saliency.benchmark import timed
from transporter.saliency.locating import renoised
from transporter.saliency.scoring import average_precision, averaged
from transporter.saliency.settings import ReadingSettings
from transporter.saliency.words import Words
from transporter.statistics.bootstrap import mean_interval
from transporter.statistics.proportions import share

RUN = Path("results/generation/microworld/qwen2_vl")
BANK = Path("results/concepts/microworld/qwen2_vl/bank.safetensors")
METHOD, CONTROL = "transporter", "a"
"""Every caption begins with the control, which has no time."""
FOLLOWS = 0.7
HALVES = {"first": (0.0, 0.5), "second": (0.5, 1.0)}


def right_half(frames: int, half: tuple[float, float]) -> torch.Tensor:
    """Which latent frames after the first have the concept, `(frames - 1,)` bool."""
    there = torch.zeros(frames, dtype=torch.bool)
    there[covered(half, frames)] = True
    return there[1:]


def clips_of(
    generator: Generator, bank: ConceptBank, concept: Concept, sampling: Sampling
) -> tuple[list[Pair], dict[str, torch.Tensor]]:
    """A run's captions, and their latents `(B, c, t, h, w)`: without the concept, with it in all
    frames, and with it in either half.
    """
    swept = Generated.load(RUN / concept.name).of([METHOD])
    rows = {
        stop: part.sort_values("seed")
        for stop, part in swept.index[swept.index["stop"].isin((0, 1))].groupby("stop")
    }
    seeds = rows[0]["seed"].tolist()
    pairs = [pair for text in rows[0]["caption"] if (pair := concept.pair(text))]
    minus, change = full_change(METHOD, concept, pairs, generator, bank, 0)
    ends = {"none": rows[0]["row"].tolist(), "all": rows[1]["row"].tolist()}
    found = {name: swept.z_xi[numbers] for name, numbers in ends.items()}
    for name, half in HALVES.items():
        found[name] = sweep(generator, minus, change, [1.0], seeds, sampling, frames=half)[:, 0]
    return pairs, found


def courses(
    generator: Generator, concept: Concept, pairs: Sequence[Pair], z_xi: torch.Tensor
) -> dict[tuple[str, str], torch.Tensor]:
    """The mean of a frame's tokens by reading and word, `(B, F - 1)`."""
    captions = [plus for _, plus in pairs]
    words = Words.of(generator, captions, [[concept.target, concept.source, CONTROL]] * len(pairs))
    settings, found = timed(), {}
    made = renoised(generator, z_xi, captions, words, [*settings.values()], ReadingSettings())
    for reading, maps in zip(settings, made, strict=True):
        target, source, control = maps.mean((-1, -2))[:, :, 1:].unbind(1)
        found[reading, "target"] = target
        found[reading, "target less source"] = target - source
        found[reading, CONTROL] = control
    return found


def change_inside(
    generator: Generator, none: torch.Tensor, z_xi: torch.Tensor, there: torch.Tensor
) -> torch.Tensor:
    """Of the change of pixels between two batches of latents, the share in the frames that are
    `there`, without the first latent frame: `(B,)`.
    """
    pixels = [generator.decode(z).clamp(0, 1) for z in (none, z_xi)]
    change = (pixels[1] - pixels[0]).abs().mean(2)  # (B, T, H, W)
    frames = averaged(change, (len(there) + 1, 1, 1))[:, 1:, 0, 0]
    return frames[:, there].sum(1) / frames.sum(1)


def scored(
    concept: Concept,
    half: str,
    own: Mapping[tuple[str, str], torch.Tensor],
    whole: Mapping[tuple[str, str], torch.Tensor],
    there: torch.Tensor,
    inside: torch.Tensor,
) -> Iterator[pd.DataFrame]:
    """A row for each clip, reading and word: is the right half higher, and the precision."""
    about = {"concept": concept.name, "half": half, "inside": inside.tolist()}
    for (reading, word), levels in own.items():
        profile = whole[reading, word].mean(0)
        for name, score in (("", levels), (", less its profile", levels - profile)):
            right = score[:, there].mean(1) > score[:, ~there].mean(1)
            ap = average_precision(score, there.expand_as(score))
            found = {"right": right.tolist(), "ap": ap.tolist()}
            yield pd.DataFrame(about | {"word": word, "reading": f"{reading}{name}"} | found)


@torch.no_grad()
def main(names: Sequence[str]) -> None:
    config = load_config("config/config.yaml")
    settings = config["generators"]["microworld"]
    generator = load_generator(settings)
    bank = ConceptBank.load(BANK, generator.device)
    sampling = Sampling(settings["steps"], settings["guidance"])
    rows = []
    for concept in read_concepts(config["concepts"], names or None):
        pairs, clips = clips_of(generator, bank, concept, sampling)
        whole = courses(generator, concept, pairs, clips["all"])
        for name, half in HALVES.items():
            there = right_half(generator.block_grid[0], half)
            own = courses(generator, concept, pairs, clips[name])
            inside = change_inside(generator, clips["none"], clips[name], there)
            rows.extend(scored(concept, name, own, whole, there, inside))
        print(f"{concept.name}: {len(pairs)} captions", flush=True)
    table = pd.concat(rows)
    tell_changes(table)
    for about, part in (("all", table), ("that follow", table[table["inside"] >= FOLLOWS])):
        tell(part, about)


def tell_changes(table: pd.DataFrame) -> None:
    """How far the clips do what they are told."""
    clips = table[table["reading"].eq(table["reading"].iloc[0]) & table["word"].eq(CONTROL)]
    mean = mean_interval(clips["inside"].tolist(), clips["concept"].tolist())
    least, most = clips["inside"].min(), clips["inside"].max()
    print(f"change in the right half: {mean}, from {least:.2f} to {most:.2f}")
    print(clips.groupby("concept", sort=False)["inside"].mean().round(2).to_string())


def tell(table: pd.DataFrame, about: str) -> None:
    """How often maps are right in some of the clips."""
    for (word, reading), part in table.groupby(["word", "reading"], sort=False):
        ap = mean_interval(part["ap"].tolist(), part["concept"].tolist())
        halves = part.groupby("half")["right"].mean().round(2).to_dict()
        worst = part.groupby("concept")["ap"].mean()
        print(
            f"{about}, {word}, {reading}: right {share(part['right'].tolist())} of {len(part)}"
            f" {halves}, precision {ap}, worst {worst.idxmin()} {worst.min():.2f}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
