"""Which guidance, how many noises a step, and is an edit that is held to a map better? FlowEdit by
the swapped word, at strength 1.

Run in a checkout after `make run`: python benchmarks/editing_choices.py [split] [clips per concept]
[choice ...]. Concepts are about the sprite's looks; one may choose by clips of `validation` and
report on those of `held_out`, the default. It prints what `editing.py` does. An edit that is held
to a map acts where the generator sees the word that gives way (`transporter explain --where map`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import pandas as pd
import torch
from editing import ALONE, DATA, REPORTED, changing, clips_of, outside, read, tell

from transporter.clips.contrast import Concept, read_concepts
from transporter.clips.reading import read_video
from transporter.coupling.reader import Reader
from transporter.explainer.location import places_of
from transporter.generation.editing import Editing, flow_edit
from transporter.generators.base import Generator
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world

CONCEPTS = ("red_blue", "green_yellow", "small_large", "circle_square")
DEFAULT = "the default"
CHOICES = {
    DEFAULT: Editing(),
    "source guidance 1": Editing(source_guidance=1.0),
    "source guidance 3": Editing(source_guidance=3.0),
    "target guidance 2": Editing(target_guidance=2.0),
    "target guidance 4.5": Editing(target_guidance=4.5),
    "2 noises a step": Editing(draws=2),
    "4 noises a step": Editing(draws=4),
}
HELD = {"held to the map": Editing(), "held, from 1": Editing(start=1.0)}


def edits(
    generator: Generator, concept: Concept, caption: str, clip: torch.Tensor, names: Sequence[str]
) -> Iterator[tuple[str, torch.Tensor]]:
    """Latents by the name of the choice."""
    pair = concept.pair(caption)
    assert pair is not None
    minus, plus = (generator.encode_text([text]) for text in pair)
    z_0, change = generator.encode(clip[None]), plus - minus
    where = places_of(generator, clip, concept.source, caption)
    for name in dict.fromkeys((DEFAULT, *names)):
        held = where if name in HELD else None
        editing = (CHOICES | HELD)[name]
        yield name, flow_edit(generator, z_0, minus, change, [1.0], editing, where=held)
    yield ALONE, z_0


@torch.no_grad()
def main(split: str, count: int, names: Sequence[str]) -> None:
    config = load_config("config/config.yaml")
    generator = load_generator(config["generators"]["microworld"])
    frames, _, height, width = generator.video_shape
    vlm = load_vlm(
        config["vlms"]["qwen2_vl"], generator.video_shape, generator.device, generator.fps
    )
    reader, probes = Reader(generator, vlm), load_world(config["world"]).probes(config["probes"])
    rows = []
    for concept in read_concepts(config["concepts"], CONCEPTS):
        for row in clips_of(concept, count, split).itertuples(index=False):
            clip = read_video(DATA / split / "clips" / row.clip, frames, height, width)
            changes = changing(concept, row.clip, config["seed"], split)
            for method, z in edits(generator, concept, row.caption, clip, names):
                video = generator.decode(z).clamp(0, 1)
                found = read(concept, clip, video, reader, probes)
                found |= outside(clip, video[0], changes)
                rows.append({"concept": concept.name, "clip": row.clip, "method": method, **found})
        print(f"{concept.name}: done", flush=True)
    tell(pd.DataFrame(rows))


if __name__ == "__main__":
    split, count, *names = [*sys.argv[1:], *(REPORTED, "3")[len(sys.argv) - 1 :]]
    main(split, int(count), names or [*CHOICES, *HELD])
