"""Which edit of a clip changes the word and keeps the rest? FlowEdit from several noise levels, by
the swapped word and by the bank's concept, against noising and sampling anew (SDEdit).

Run in a checkout after `make run`: python benchmarks/editing.py [clips per concept] [concept ...]
The clips are rendered, of combinations of attributes that no model was trained on. Of all edits at
strength 1 it prints the shares that the probes read as the target word among all words of its
attribute, of other attributes that stay, and of answers of the VLM that flip, with exact 95 %
intervals of clips; and the signal-to-noise ratio against the clip, beside that of encoding alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import torch

from transporter.clips.contrast import Concept, read_concepts
from transporter.clips.reading import read_video
from transporter.clips.world import Probes
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generation.editing import Editing, flow_edit, sdedit
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world
from transporter.statistics.proportions import share
from transporter.support.files import read_table

BANK = Path("results/concepts/microworld/qwen2_vl/bank.safetensors")
CLIPS = Path("data/held_out")
LEVELS = (0.8, 0.9, 1.0)
SDEDIT = (0.8, 0.95)


def clips_of(concept: Concept, count: int) -> pd.DataFrame:
    """Held-out clips that show the source word, drawn at random."""
    table = read_table(CLIPS / "captions.tsv", ("clip", "caption"), text=("clip",))
    shown = table[[concept.source in caption.split() for caption in table["caption"]]]
    return shown.sample(min(count, len(shown)), random_state=0)


def edits(
    reader: Reader, bank: ConceptBank, concept: Concept, caption: str, z_0: torch.Tensor
) -> Iterator[tuple[str, torch.Tensor]]:
    """Latents by the name of the method."""
    generator, pair = reader.generator, concept.pair(caption)
    assert pair is not None
    minus, plus = (generator.encode_text([text]) for text in pair)
    changes = {"word": plus - minus, "concept": bank.change(concept.name, minus)}
    for level in LEVELS:
        for name, change in changes.items():
            editing = Editing(start=level)
            yield (
                f"FlowEdit from {level:g}, {name}",
                flow_edit(generator, z_0, minus, change, [1.0], editing),
            )
    for level in SDEDIT:
        yield f"SDEdit from {level:g}, word", sdedit(generator, z_0, plus, Editing(start=level))
    yield "encoding alone", z_0


def read(
    concept: Concept, clip: torch.Tensor, z: torch.Tensor, reader: Reader, probes: Probes
) -> dict[str, float]:
    """What one edit gave."""
    video = reader.generator.decode(z).clamp(0, 1)
    before, after = (probes.probabilities(some) for some in (clip[None], video))
    words = {name: probes.vocabulary[name][after[name].argmax(-1).item()] for name in after}
    [about] = [name for name, known in probes.vocabulary.items() if concept.source in known]
    others = [name for name in words if name != about]
    same = [int(before[name].argmax() == after[name].argmax()) for name in others]
    return {
        "hit": float(words[about] == concept.target),
        "kept": sum(same) / len(same),
        "flip": float(reader.log_odds(reader.vlm.encode(video), concept) > 0),
        "psnr": float(-10 * (video[0] - clip).square().mean().log10()),
    }


@torch.no_grad()
def main(count: int, names: Sequence[str]) -> None:
    config = load_config("config/config.yaml")
    model = config["generators"]["microworld"]
    generator = load_generator(model)
    vlm = load_vlm(
        config["vlms"]["qwen2_vl"], generator.video_shape, generator.device, generator.fps
    )
    reader, probes = Reader(generator, vlm), load_world(config["world"]).probes(config["probes"])
    bank = ConceptBank.load(BANK, generator.device)
    frames, _, height, width = generator.video_shape
    rows = []
    for concept in read_concepts(config["concepts"], names or None):
        for row in clips_of(concept, count).itertuples(index=False):
            clip = read_video(CLIPS / "clips" / row.clip, frames, height, width)
            z_0 = generator.encode(clip[None])
            for method, z in edits(reader, bank, concept, row.caption, z_0):
                found = read(concept, clip, z, reader, probes)
                rows.append({"concept": concept.name, "method": method, **found})
        print(f"{concept.name}: done", flush=True)
    table = pd.DataFrame(rows)
    for method, own in table.groupby("method", sort=False):
        worst = own.groupby("concept")["hit"].mean()
        print(
            f"{method:28} target {share(own['hit'].tolist())}, flips"
            f" {share(own['flip'].tolist())}, others kept {own['kept'].mean():.2f},"
            f" {own['psnr'].mean():.1f} dB; worst concept {worst.idxmin()} {worst.min():.2f}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8, sys.argv[2:])
