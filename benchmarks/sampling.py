"""Which guidance and how many steps the embedded generator is sampled with, by validation captions
alone: results are reported on held-out ones.

Run in a checkout after `make run`: python benchmarks/sampling.py [clips per setting]
Each caption is drawn at random and has a noise of its own, the same for all settings. Prints the
share of clips of which the probes read every named attribute as the caption has it, that of single
attributes, both with exact 95 % intervals, the worst attribute, and core-seconds a clip.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from sentences import share

from transporter.clips.contrast import holds
from transporter.clips.world import Probes
from transporter.generators.base import Generator
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator
from transporter.pipeline.world import load_world
from transporter.support.files import read_table

SEED, FIRST_NOISE, BATCH = 20_261_131, 500_000, 16
CAPTIONS = "data/validation/captions.tsv"
SETTINGS = ((12, 1.0), (12, 2.0), (12, 3.0), (12, 4.0), (12, 6.0), (6, 3.0), (25, 3.0))
"""Steps and guidance."""


def read(
    caption: str, seen: Mapping[str, torch.Tensor], row: int, probes: Probes
) -> Iterator[dict[str, Any]]:
    """A row for each attribute that the caption names: is it what the probes read?"""
    for attribute, words in probes.vocabulary.items():
        named = [word for word in words if holds(caption, word)]
        if named:
            found = words[int(seen[attribute][row].argmax())]
            yield {"attribute": attribute, "right": int(found in named)}


def tried(
    captions: list[str], generator: Generator, probes: Probes, steps: int, guidance: float
) -> pd.DataFrame:
    rows = []
    for start in range(0, len(captions), BATCH):
        part = captions[start : start + BATCH]
        noises = range(FIRST_NOISE + start, FIRST_NOISE + start + len(part))
        z = generator.sample(generator.encode_text(part), noises, steps, guidance)
        seen = probes.probabilities(generator.decode(z).clamp(0, 1))
        for row, caption in enumerate(part):
            rows += [one | {"clip": start + row} for one in read(caption, seen, row, probes)]
    return pd.DataFrame(rows)


@torch.no_grad()
def main(clips: int) -> None:
    config = load_config("config/config.yaml")
    model = config["generators"]["microworld"]
    generator = load_generator(model)
    probes = load_world(config["world"]).probes(config["probes"])
    known = sorted(set(read_table(CAPTIONS, ("clip", "caption"))["caption"]))
    draw = np.random.default_rng(SEED)
    captions = [str(one) for one in draw.choice(known, min(clips, len(known)), replace=False)]
    print("| steps | guidance | all named attributes | attributes | worst attribute | core-s |")
    print("|---|---|---|---|---|---|")
    for steps, guidance in SETTINGS:
        begun = time.process_time()
        table = tried(captions, generator, probes, steps, guidance)
        spent = (time.process_time() - begun) / len(captions)
        whole = table.groupby("clip")["right"].min()
        by = table.groupby("attribute")["right"].agg(["mean", "sum", "size"]).sort_values("mean")
        worst = by.iloc[0]
        mark = "**" if (steps, guidance) == (model["steps"], model["guidance"]) else ""
        print(
            f"| {mark}{steps}{mark} | {mark}{guidance:g}{mark}"
            f" | {share(int(whole.sum()), len(whole))}"
            f" | {share(int(table['right'].sum()), len(table))}"
            f" | {worst.name}: {share(int(worst['sum']), int(worst['size']))} | {spent:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 96)
