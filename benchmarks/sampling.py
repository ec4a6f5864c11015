"""How the embedded generator is sampled, by validation captions alone (results are reported on
held-out ones): with noise at every step, as its scheduler adds it, or on a path without; with which
guidance, and in how many steps.

Run in a checkout after `make run`: python benchmarks/sampling.py [clips per setting]
Each caption is drawn at random and has a noise of its own, the same for all settings. Prints the
share of clips of which the probes read every named attribute as the caption has it, that of single
attributes, both with exact 95 % intervals, the worst attribute, the share of clips whose sprite has
a fault, that of circles' frames that are round, and core-seconds a clip.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from sentences import share

from microworld.sprite_faults import round_frames, sprite_faults
from transporter.clips.contrast import holds
from transporter.clips.world import Probes
from transporter.generators.base import Generator
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator
from transporter.pipeline.world import load_world
from transporter.support.files import read_table

SEED, FIRST_NOISE, BATCH = 20_261_131, 500_000, 16
CAPTIONS = "data/validation/captions.tsv"
COLUMNS = (
    "sampler",
    "steps",
    "guidance",
    "all named attributes",
    "attributes",
    "worst attribute",
    "faults",
    "round",
    "core-s",
)
WITH_NOISE, PATH = "noise at every step", "no noise"
SETTINGS = (
    (PATH, 12, 2.0),
    (PATH, 12, 3.0),
    (PATH, 25, 3.0),
    (WITH_NOISE, 8, 2.0),
    (WITH_NOISE, 10, 2.0),
    (WITH_NOISE, 12, 1.0),
    (WITH_NOISE, 12, 1.5),
    (WITH_NOISE, 12, 2.0),
    (WITH_NOISE, 12, 3.0),
    (WITH_NOISE, 25, 2.0),
)
"""Sampler, steps and guidance."""


def read(
    caption: str, seen: Mapping[str, torch.Tensor], row: int, probes: Probes
) -> Iterator[dict[str, Any]]:
    """A row for each attribute that the caption names: is it what the probes read?"""
    for attribute, words in probes.vocabulary.items():
        named = [word for word in words if holds(caption, word)]
        if named:
            found = words[int(seen[attribute][row].argmax())]
            yield {"attribute": attribute, "right": int(found in named)}


def scheduler(sampler: str, shipped: Any) -> Any:
    if sampler == WITH_NOISE:
        return FlowMatchEulerDiscreteScheduler.from_config(shipped.config)
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=1.0
    )


def tried(
    captions: list[str], generator: Generator, probes: Probes, steps: int, guidance: float
) -> tuple[pd.DataFrame, torch.Tensor]:
    """What is read of each clip, a row for each named attribute, and the clips
    `(n, T, 3, H, W)`.
    """
    rows, videos = [], []
    for start in range(0, len(captions), BATCH):
        part = captions[start : start + BATCH]
        noises = range(FIRST_NOISE + start, FIRST_NOISE + start + len(part))
        z = generator.sample(generator.encode_text(part), noises, steps, guidance)
        videos.append(generator.decode(z).clamp(0, 1))
        seen = probes.probabilities(videos[-1])
        for row, caption in enumerate(part):
            rows += [one | {"clip": start + row} for one in read(caption, seen, row, probes)]
    return pd.DataFrame(rows), torch.cat(videos)


def outlines(captions: list[str], video: torch.Tensor) -> str:
    """Two cells: clips with a fault, and round frames of circles."""
    circles = torch.tensor([holds(caption, "circle") for caption in captions])
    faulty = sum(map(bool, sprite_faults(video)))
    return f"{share(faulty, len(video))} | {round_frames(video[circles]).mean():.2f}"


@torch.no_grad()
def main(clips: int) -> None:
    config = load_config("config/config.yaml")
    model = config["generators"]["microworld"]
    generator = load_generator(model)
    probes = load_world(config["world"]).probes(config["probes"])
    known = sorted(set(read_table(CAPTIONS, ("clip", "caption"))["caption"]))
    draw = np.random.default_rng(SEED)
    captions = [str(one) for one in draw.choice(known, min(clips, len(known)), replace=False)]
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    shipped = generator.pipeline.scheduler
    for sampler, steps, guidance in SETTINGS:
        generator.pipeline.scheduler = scheduler(sampler, shipped)
        begun = time.process_time()
        table, video = tried(captions, generator, probes, steps, guidance)
        spent = (time.process_time() - begun) / len(captions)
        whole = table.groupby("clip")["right"].min()
        by = table.groupby("attribute")["right"].agg(["mean", "sum", "size"]).sort_values("mean")
        worst = by.iloc[0]
        default = (sampler, steps, guidance) == (WITH_NOISE, model["steps"], model["guidance"])
        print(
            f"| {sampler} | {steps} | {guidance:g}{' (the default)' * default}"
            f" | {share(int(whole.sum()), len(whole))}"
            f" | {share(int(table['right'].sum()), len(table))}"
            f" | {worst.name}: {share(int(worst['sum']), int(worst['size']))}"
            f" | {outlines(captions, video)} | {spent:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 96)
