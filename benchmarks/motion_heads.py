"""Why do heads that tell frames apart not find words better? Every head of the shipped generator by
itself, on rendered clips whose masks are known.

Run: python benchmarks/motion_heads.py [clips]
Clips are encoded, noised once, each by a noise of its own, and denoised once with their captions.
Columns of a head, each a mean over clips (a geometric one of the index of Calinski and Harabasz,
which is about 1 where groups do not matter):

`chi`: the index by latent frames, as heads are chosen by it; `own`: the same after the mean course
of the head's output over frames, that of all clips, is taken away; `late`: without the first frame;
`ground`, `sprite`: by frames too, of tokens that the sprite never touches, and of those that it
covers; `still`, `pan`: by frames, of clips that show their middle frame all the time, and of these
under a camera that moves by `PAN` pixels a frame; `calm`, `calm still`: of clips and of still ones
whose latent frames all have the same noise. By other groups: `inside`, tokens on the sprite
against all others; `place`, the tokens' places in the picture; `happens`, frames in which something
moves against those in which nothing does, in clips that move in one half; `halves`, the same frames
in clips that move all the time.

`common`: the share of what tells frames apart that is the same in all clips; `same`: the cosine of
the course of a clip's frames with that of the same clip in `calm still`. `chosen`: the share of
clips in which the head is among the best `CHOSEN` of its layer by `chi`.

`default`, `gram`: average precision of the head's map over tokens, by kind of word; `pixels`: of
the default over pixels; `when`: over the latent frames after the first, of clips that move in one
half, less the head's course in those that move all the time (base 0.5, chance 0.68).

Then how much more precise a layer's heads are that are best by a column than all of them, rank
correlations with precision, over the means of all heads and over the heads of a layer, clip by
clip, and ratios of indices. Intervals are of 95 % over clips.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch

from microworld.world import MICROWORLD
from transporter.clips.world import Placed
from transporter.generators.base import Generator
from transporter.pipeline.loading import load_generator
from transporter.pipeline.project import Project
from transporter.saliency.benchmark import scene
from transporter.saliency.gram import Heads, Texts, scores
from transporter.saliency.locating import located
from transporter.saliency.scoring import PRESENT, average_precision, covered, rank_correlation
from transporter.saliency.settings import MapSettings, ReadingSettings, preset
from transporter.saliency.sharpening import pixel_truth, shifted, upsampled
from transporter.saliency.words import Words
from transporter.statistics.bootstrap import Interval, bootstrap, mean_interval

READINGS = {
    "default": MapSettings(),
    "gram": preset("gramcol"),
    "when": MapSettings(standardise="clip", contrast="pad"),
}
KINDS = ("shape", "colour", "motion", "ground")
BY_FRAMES = ("chi", "own", "late", "ground", "sprite", "still", "pan", "calm", "calm still")
INDICES = (*BY_FRAMES, "inside", "place", "happens", "halves")
PAN, CHOSEN, BATCH = 1, 2, 32
Columns = dict[str, torch.Tensor]
"""By name, `(B, layers, H)`; nan where a clip has no such number."""


@dataclass
class Kept:
    """Stands for a tally, and keeps what every layer says, head by head."""

    settings: MapSettings
    h: list[torch.Tensor] = field(default_factory=list)
    maps: list[torch.Tensor] = field(default_factory=list)

    def add(self, heads: Heads, texts: Texts) -> None:
        self.h.append(heads.h)
        self.maps.append(scores(heads, texts, self.settings))


def calinski_harabasz(h: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """The index of tokens `(B, ..., N, d)` by groups `(B, N)`, numbers from 0, or -1 for a token
    that does not count: `(B, ...)`, nan where fewer than two groups have tokens.
    """
    member = groups[:, None] == torch.arange(int(groups.max()) + 1)[None, :, None]  # (B, G, N)
    member = member.float().view(len(h), *(1,) * (h.ndim - 3), *member.shape[1:])
    sizes = member.sum(-1)
    total, some = sizes.sum(-1), (sizes > 0).sum(-1)
    h = h.float() - (member.sum(-2, keepdim=True) @ h.float()) / total[..., None, None]
    means = member @ h / sizes.clamp_min(1)[..., None]
    between = (sizes * means.square().sum(-1)).sum(-1)
    within = (member.sum(-2) * h.square().sum(-1)).sum(-1) - between
    found = between / within * (total - some) / (some - 1)
    return found.where((some > 1) & (total > some), torch.nan)


def read(
    generator: Generator, clips: Sequence[Placed], noise: torch.Tensor
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Outputs of all heads, `(B, layers, H, N, d)`, and their maps by reading, `(B, layers, H, K,
    F, h, w)`.
    """
    found, sigma = scene(generator, clips), ReadingSettings().sigmas[0]
    words = Words.of(generator, found.captions, found.words)
    z_t = (1 - sigma) * found.z_xi + sigma * noise
    with located(generator, words, [*READINGS.values()]) as tallies:
        kept = [Kept(tally.settings) for tally in tallies]
        for tally, keeps in zip(tallies, kept, strict=True):
            tally.add = keeps.add  # type: ignore[method-assign]
        pi = generator.encode_text(found.captions)
        generator.velocity(z_t, z_t.new_full((len(z_t),), sigma), pi)
    maps = {name: torch.stack(keeps.maps, 1) for name, keeps in zip(READINGS, kept, strict=True)}
    grid = generator.block_grid[1:]
    return torch.stack(kept[0].h, 1), {
        name: some.unflatten(-1, grid) for name, some in maps.items()
    }


def still(clip: Placed, pan: int) -> Placed:
    """A clip that shows its middle frame all the time, under a camera that moves to the right."""
    count = len(clip.video)
    middle = clip.video[count // 2]
    moved = [shifted(middle, 0, pan * (count // 2 - number)) for number in range(count)]
    return replace(clip, video=torch.stack(moved))


def groups_of(generator: Generator, clips: Sequence[Placed]) -> dict[str, torch.Tensor]:
    """Tokens by group, `(B, N)`, by name of the index."""
    frames, height, width = generator.block_grid
    cover = covered(torch.stack([clip.masks["shape"] for clip in clips]), generator.block_grid)
    moving = covered(torch.stack([clip.moving for clip in clips])[..., None, None], (frames, 1, 1))
    frame = torch.arange(frames)[:, None, None].expand_as(cover)
    late, none = frame > 0, torch.tensor(-1)
    moves = moving >= 0.5
    whole = moves[:, 1:].all(1, keepdim=True)
    places = torch.arange(height * width).view(height, width)
    found = {
        "chi": frame,
        "late": frame.where(late, none),
        "ground": frame.where(cover.amax(1, keepdim=True) == 0, none),
        "sprite": frame.where(cover > PRESENT, none),
        "inside": (cover > PRESENT).long(),
        "place": places.expand_as(cover),
        "happens": moves.long().expand_as(cover).where(late & ~whole, none),
        "halves": (frame > frames // 2).long().where(late & whole, none),
    }
    return {name: some.flatten(1) for name, some in found.items()}


def course_of(h: torch.Tensor, frames: int) -> torch.Tensor:
    """The means of frames beside that of the clip, `(B, layers, H, F, d)`."""
    found = h.unflatten(3, (frames, -1)).mean(4)
    return found - found.mean(3, keepdim=True)


def indices(groups: dict[str, torch.Tensor], h: torch.Tensor, frames: int) -> Columns:
    """The index of every head by every group, and what of it is the same in all clips."""
    found = {name: calinski_harabasz(h, some) for name, some in groups.items()}
    course = course_of(h, frames)
    same = course.mean(0)
    tokens = h.shape[3] // frames
    found["own"] = calinski_harabasz(h - same.repeat_interleave(tokens, 2), groups["chi"])
    share = same.square().sum((-1, -2)) / course.square().sum((-1, -2)).mean(0)
    return found | {"common": share.expand(len(h), -1, -1)}


def precisions(
    generator: Generator, clips: Sequence[Placed], maps: dict[str, torch.Tensor]
) -> Columns:
    """Of every head's maps, over tokens and pixels."""
    found = scene(generator, clips)
    pixels, size = pixel_truth(generator, clips), clips[0].video.shape[-2:]
    columns: Columns = {}
    for kind in KINDS:
        number = found.kinds.index(kind)
        tokens = {name: maps[name][:, :, :, number] for name in ("default", "gram")}
        for name, some in tokens.items():
            columns[f"{name} {kind}"] = _precision(some, found.truth[:, number])
        fine = [upsampled(part, *size) for part in tokens["default"].unbind(1)]
        truth = pixels[:, number]
        columns[f"pixels {kind}"] = torch.cat(
            [_precision(part[:, None], truth) for part in fine], 1
        )
        for column in columns:
            if column.endswith(kind):
                columns[column][~found.known[:, number]] = torch.nan
    return columns


def _precision(maps: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Of maps `(B, layers, H, F, h, w)` by truth `(B, F, h, w)`."""
    flat = maps.flatten(3)
    there = truth.flatten(1)[:, None, None].expand_as(flat)
    return average_precision(flat.flatten(0, 2), there.flatten(0, 2)).view(flat.shape[:3])


def when(clips: Sequence[Placed], generator: Generator, levels: torch.Tensor) -> torch.Tensor:
    """Precision over frames, by a word's levels `(B, layers, H, F)`: `(B, layers, H)`."""
    frames = generator.block_grid[0]
    moving = covered(torch.stack([clip.moving for clip in clips])[..., None, None], (frames, 1, 1))
    moves = moving[:, 1:, 0, 0] >= 0.5
    whole = moves.all(1)
    score = (levels - levels[whole].mean(0))[..., 1:]
    there = moves[:, None, None].expand_as(score)
    found = average_precision(score.flatten(0, 2), there.flatten(0, 2))
    return found.view(score.shape[:3])  # nan for those that move all the time


def columns_of(generator: Generator, clips: Sequence[Placed]) -> Columns:
    """All numbers of all heads, clip by clip."""
    draws = torch.Generator().manual_seed(0)
    parts: list[Columns] = []
    kept: dict[str, list[torch.Tensor]] = {"h": [], "levels": []}
    groups: list[dict[str, torch.Tensor]] = []
    for start in range(0, len(clips), BATCH):
        some = clips[start : start + BATCH]
        noise = torch.randn((len(some), *generator.latent_shape), generator=draws)
        h, maps = read(generator, some, noise)
        groups.append(groups_of(generator, some))
        part = precisions(generator, some, maps)
        calm = noise[:, :, :1].expand_as(noise)  # the same in all latent frames
        stills = [still(clip, 0) for clip in some]
        for name, others, other_noise in (
            ("still", stills, noise),
            ("pan", [still(clip, PAN) for clip in some], noise),
            ("calm", some, calm),
            ("calm still", stills, calm),
        ):
            changed, _ = read(generator, others, other_noise)
            part[name] = calinski_harabasz(changed, groups[-1]["chi"])
        # of the last, where neither picture nor noise differ from frame to frame
        courses = (course_of(some, generator.block_grid[0]).flatten(3) for some in (h, changed))
        part["same"] = torch.cosine_similarity(*courses, dim=3)
        parts.append(part)
        kept["h"].append(h)
        kept["levels"].append(maps["when"].mean((-1, -2)))
        print(f"{start + len(some)} clips, {time.process_time():.0f} s of a core", file=sys.stderr)
    found = _joined(parts)
    found |= indices(_joined(groups), torch.cat(kept["h"]), generator.block_grid[0])
    kinds = scene(generator, clips[:1]).kinds
    for kind in ("verb", "shape"):
        course = torch.cat(kept["levels"])[:, :, :, kinds.index(kind)]
        found[f"when {kind}"] = when(clips, generator, course)
    return found


def _joined(parts: Sequence[Columns]) -> Columns:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def means(columns: Columns, name: str, rows: np.ndarray | None = None) -> torch.Tensor:
    """Of every head over some clips, `(layers, H)`."""
    values = columns[name] if rows is None else columns[name][rows.copy()]
    return values.log().nanmean(0).exp() if name in INDICES else values.nanmean(0)


def over_heads(columns: Columns, one: str, other: str) -> Interval:
    """Rank correlation of two columns' means over all heads."""

    def correlation(rows: np.ndarray) -> float:
        pair = (means(columns, name, rows).view(1, -1) for name in (one, other))
        return float(rank_correlation(*pair))

    return bootstrap(correlation, len(columns[one]))


def within_layers(columns: Columns, one: str, other: str) -> Interval:
    """Rank correlation over the heads of a layer, mean over layers, clip by clip."""
    pair = [columns[name] for name in (one, other)]
    flat = (values.flatten(0, 1) for values in pair)
    found = rank_correlation(*flat).view(pair[0].shape[:2]).nanmean(1)
    return mean_interval(found[found.isfinite()].tolist())


def gained(columns: Columns, by: str, name: str) -> Interval:
    """How much more precise the chosen heads are than all heads of their layers."""
    best = columns[by].topk(CHOSEN, -1).indices
    found = (columns[name].gather(-1, best).mean(-1) - columns[name].mean(-1)).nanmean(1)
    known = found.isfinite() & columns[by].isfinite().all(-1).all(-1)
    return mean_interval(found[known].tolist())


def ratio(columns: Columns, one: str, other: str) -> Interval:
    """Of two indices, the geometric mean over heads and clips, each over the clips that have it."""

    def of(rows: np.ndarray) -> float:
        logs = (columns[name][rows.copy()].log().flatten(1).mean(1) for name in (one, other))
        return float(torch.stack([some.nanmean() for some in logs]).diff().neg().exp())

    return bootstrap(of, len(columns[one]))


def tell(columns: Columns) -> Iterator[str]:
    layers, heads = columns["chi"].shape[1:]
    scored = [name for name in columns if name.split()[0] in (*READINGS, "pixels")]
    names = [*INDICES, "common", "same", *scored]
    table = pd.DataFrame({name: means(columns, name).flatten().tolist() for name in names})
    best = columns["chi"].topk(CHOSEN).indices
    chosen = torch.zeros_like(columns["chi"]).scatter(-1, best, 1)
    table.insert(0, "chosen", chosen.mean(0).flatten().tolist())
    index = pd.MultiIndex.from_product([range(layers), range(heads)], names=["layer", "head"])
    yield table.set_index(index).to_csv(sep="\t", float_format="%.3g")
    for by in ("chi", "own", "calm", "inside"):
        for name in scored:
            yield (
                f"{by}, {name}: over heads {over_heads(columns, by, name)}, within layers"
                f" {within_layers(columns, by, name)}, chosen by it {gained(columns, by, name)}"
            )
    for other in INDICES[1:]:
        yield (
            f"chi, {other}: over heads {over_heads(columns, 'chi', other)}, ratio"
            f" {ratio(columns, 'chi', other)}"
        )
    yield f"same: {mean_interval(columns['same'].mean((1, 2)).tolist())}"
    for one, other in (("happens", "halves"), ("calm", "calm still")):
        yield (
            f"{one}, {other}: over heads {over_heads(columns, one, other)}, ratio"
            f" {ratio(columns, one, other)}"
        )


@torch.no_grad()
def main(count: int) -> None:
    project = Project.open()
    generator = load_generator(project.model("generators", project.chosen("generators")))
    clips = list(MICROWORLD.placed(count, 0, held_out=True))
    for line in tell(columns_of(generator, clips)):
        print(line)
    print(f"{len(clips)} clips, {time.process_time():.0f} s of a core")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 128)
