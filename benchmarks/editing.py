"""Which edit of a clip changes the word and keeps the rest? FlowEdit from several noise levels, by
the swapped word and by the bank's concept, against noising and sampling anew (SDEdit).

Run in a checkout after `make run`: python benchmarks/editing.py [clips per concept] [concept ...]
The clips are rendered, of combinations of attributes that no model was trained on. Of all edits at
strength 1 it prints the shares that the probes read as the target word among all words of its
attribute, of other attributes that stay, and of answers of the VLM that flip, with exact 95 %
intervals of clips; and the signal-to-noise ratio against the clip, beside that of encoding alone.
For words of objects it prints the ratio outside of the sprite too, by true masks of the clip and of
what it should become: how far it lies below that of encoding alone, and the share of clips in which
that is at most `LOSS`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from microworld.attributes import WORDS
from microworld.dataset import read_mask
from microworld.renderer import RADIUS, draw_layout, lerp, render
from microworld.splits import SPLITS, draw_clip, split_seed
from transporter.clips.contrast import Concept, read_concepts
from transporter.clips.reading import read_video
from transporter.clips.world import Probes
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generation.editing import Editing, flow_edit, sdedit
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world
from transporter.statistics.bootstrap import mean_interval
from transporter.statistics.proportions import share
from transporter.support.files import read_table

BANK = Path("results/concepts/microworld/qwen2_vl/bank.safetensors")
DATA, REPORTED = Path("data"), "held_out"
LEVELS = (0.8, 0.9, 1.0)
SDEDIT = (0.8, 0.95)
ALONE = "encoding alone"
LOSS = 3.0
"""dB below encoding alone that an edit may be worse by where it should change nothing."""
MARGINS = (0, 4)
"""Pixels around the sprite that are left out too: the VAE's latents are 8 apart."""


def clips_of(concept: Concept, count: int, split: str = REPORTED) -> pd.DataFrame:
    """Clips of a split that show the source word, drawn at random."""
    table = read_table(DATA / split / "captions.tsv", ("clip", "caption"), text=("clip",))
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
    yield ALONE, z_0


def changing(concept: Concept, clip: str, seed: int, split: str = REPORTED) -> np.ndarray | None:
    """Where the sprite of a split's clip is, or would be by the target word, `(T, H, W)`; None of
    words that are not about its looks.
    """
    if concept.kind != "object":
        return None
    place = int(Path(clip).stem)
    attributes, random = draw_clip(place, split_seed(seed, split), SPLITS[split])
    layout = draw_layout(attributes, random)
    own = render(attributes, layout)[1]
    assert (own == read_mask(DATA / split / "masks" / f"{place:05}.png")).all(), (
        "clips of another seed"
    )
    if concept.target in WORDS["shape"]:
        attributes = replace(attributes, shape=concept.target)
    if concept.target in WORDS["size"]:
        size = float(WORDS["size"].index(concept.target))  # its end, where it is most so
        layout = replace(layout, radius=float(lerp(RADIUS, size)))
    return own | render(attributes, layout)[1]


def ratio(clip: torch.Tensor, video: torch.Tensor, where: torch.Tensor | None = None) -> float:
    """Of signal to noise in dB between clips `(T, C, H, W)`, in some places `(T, H, W)`."""
    error = (video - clip).square().mean(1)  # (T, H, W)
    return float(-10 * (error if where is None else error[where]).mean().log10())


def outside(
    clip: torch.Tensor, video: torch.Tensor, changes: np.ndarray | None
) -> dict[str, float]:
    """The ratio where nothing should change, by how many pixels around the sprite are left out."""
    if changes is None:
        return {f"outside_{margin}": np.nan for margin in MARGINS}
    sprite = torch.from_numpy(changes).float()[:, None]
    kept = {
        margin: F.max_pool2d(sprite, 2 * margin + 1, stride=1, padding=margin)[:, 0] < 0.5
        for margin in MARGINS
    }
    return {f"outside_{margin}": ratio(clip, video, where) for margin, where in kept.items()}


def read(
    concept: Concept, clip: torch.Tensor, video: torch.Tensor, reader: Reader, probes: Probes
) -> dict[str, float]:
    """What one edit, `(1, T, C, H, W)`, gave."""
    before, after = (probes.probabilities(some) for some in (clip[None], video))
    words = {name: probes.vocabulary[name][after[name].argmax(-1).item()] for name in after}
    [about] = [name for name, known in probes.vocabulary.items() if concept.source in known]
    others = [name for name in words if name != about]
    same = [int(before[name].argmax() == after[name].argmax()) for name in others]
    return {
        "hit": float(words[about] == concept.target),
        "kept": sum(same) / len(same),
        "flip": float(reader.log_odds(reader.vlm.encode(video), concept) > 0),
        "psnr": ratio(clip, video[0]),
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
            clip = read_video(DATA / REPORTED / "clips" / row.clip, frames, height, width)
            z_0, changes = generator.encode(clip[None]), changing(concept, row.clip, config["seed"])
            for method, z in edits(reader, bank, concept, row.caption, z_0):
                video = generator.decode(z).clamp(0, 1)
                found = read(concept, clip, video, reader, probes)
                found |= outside(clip, video[0], changes)
                rows.append({"concept": concept.name, "clip": row.clip, "method": method, **found})
        print(f"{concept.name}: done", flush=True)
    tell(pd.DataFrame(rows))


def tell(table: pd.DataFrame) -> None:
    """Print what the edits reached and lost."""
    for method, own in table.groupby("method", sort=False):
        worst = own.groupby("concept")["hit"].mean()
        print(
            f"{method:28} target {share(own['hit'].tolist())}, flips"
            f" {share(own['flip'].tolist())}, others kept {own['kept'].mean():.2f},"
            f" {own['psnr'].mean():.1f} dB; worst concept {worst.idxmin()} {worst.min():.2f}"
        )
    if len(objects := table.dropna(subset=[f"outside_{MARGINS[0]}"])):
        for margin in MARGINS:
            print_outside(objects, margin)


def print_outside(table: pd.DataFrame, margin: int) -> None:
    """What is lost where nothing should change, of all edits against encoding alone."""
    ratios = table.pivot(index=["concept", "clip"], columns="method", values=f"outside_{margin}")
    for method in table["method"].unique():
        lost = ratios[ALONE] - ratios[method]
        worst = lost.groupby("concept").mean()
        print(
            f"{method:28} outside, {margin} pixels off: {ratios[method].mean():.1f} dB, lost"
            f" {mean_interval(lost)} dB, at most {LOSS:g} in {share((lost <= LOSS).tolist())};"
            f" worst concept {worst.idxmax()} {worst.max():.1f} dB"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8, sys.argv[2:])
