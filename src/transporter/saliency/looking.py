"""Where a VLM looks: the gradient of its own answer by the pixels, beside where the generator puts
the words that it answers with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.clips.world import Placed
from transporter.clips.world import Words as Attributes
from transporter.generators.base import Generator
from transporter.saliency.benchmark import DEFAULT, Scene, maps_of, scene
from transporter.saliency.generated import TOP
from transporter.saliency.report import CHOOSING
from transporter.saliency.scoring import averaged, rank_correlation, top_overlap
from transporter.saliency.settings import MapSettings, ReadingSettings
from transporter.saliency.table import clip_scores, controls, mean_precision, summary, thresholds
from transporter.vlms.base import VLM

AT_ONCE = 16
"""Clips at once."""
AT_MOST = 64
"""Clips of a part that a VLM is asked about: gradients take their time."""
GRADIENT, TIMES_INPUT = "VLM, gradient", "VLM, gradient x input"
Maps = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Question:
    """What a VLM is asked about an attribute, and the words that it can answer with."""

    text: str
    words: tuple[str, ...]


def questions(attributes: Attributes, concepts: Sequence[Concept]) -> dict[str, Question]:
    """A question for each attribute that one of the concepts asks for."""
    found: dict[str, Question] = {}
    for name, words in attributes.items():
        texts = [concept.question for concept in concepts if concept.source in words]
        if texts:
            found[name] = Question(texts[0], tuple(words))
    return found


def answer_odds(vlm: VLM, tokens: torch.Tensor, question: Question) -> torch.Tensor:
    """Log-odds of the likeliest word against all others, of clips' tokens `(B, N, D)`: `(B,)`."""
    log_p = vlm.log_probs(tokens, question.text, question.words)
    best = log_p.argmax(1, keepdim=True)
    others = log_p.scatter(1, best, -torch.inf).logsumexp(1)
    return log_p.gather(1, best)[:, 0] - others


def looks(
    vlm: VLM,
    clips: Sequence[Placed],
    asked: Sequence[Question],
    grid: tuple[int, int, int],
    at_once: int = AT_ONCE,
) -> dict[str, torch.Tensor]:
    """How much the answer to each of K questions hangs on every token of a grid `(F, h, w)`, by
    two readings of its gradient: `(B, K, F, h, w)`.
    """
    video = torch.stack([clip.video for clip in clips])
    parts: dict[str, list[torch.Tensor]] = {GRADIENT: [], TIMES_INPUT: []}
    for some in video.split(at_once):
        gradient = torch.stack(gradients(vlm, some, asked), 1)  # (b, K, T, C, H, W)
        sizes = {
            GRADIENT: gradient.abs().sum(3),
            TIMES_INPUT: (gradient * some[:, None]).sum(3).abs(),
        }
        for name, size in sizes.items():
            pooled = averaged(size.flatten(0, 1), grid)
            parts[name].append(pooled.unflatten(0, size.shape[:2]))
    return {name: torch.cat(found) for name, found in parts.items()}


def gradients(vlm: VLM, video: torch.Tensor, asked: Sequence[Question]) -> list[torch.Tensor]:
    """Of the answer to each question by the pixels, of which the tokens are made once."""
    pixels = video.detach().clone().to(vlm.device).requires_grad_()
    found = []
    with torch.enable_grad():
        tokens = vlm.encode(pixels)
        for question in asked:
            odds = answer_odds(vlm, tokens, question).sum()
            [gradient] = torch.autograd.grad(odds, pixels, retain_graph=True)
            found.append(gradient.cpu())
    return found


def of_kinds(found: Scene, kinds: Sequence[str]) -> Scene:
    """A scene of some kinds of words alone; the control, which is the last, stays."""
    some = [found.kinds.index(kind) for kind in kinds]
    return replace(
        found,
        kinds=tuple(kinds),
        words=[[words[number] for number in some] for words in found.words],
        known=found.known[:, some],
        truth=found.truth[:, some[:-1]],
    )


def looks_table(
    generator: Generator,
    vlm: VLM,
    clips: Mapping[str, Sequence[Placed]],
    attributes: Attributes,
    concepts: Sequence[Concept],
    settings: MapSettings,
    reading: ReadingSettings,
    seed: int = 0,
    at_once: int = AT_ONCE,
) -> pd.DataFrame:
    """One row for each part of the clips, reading and kind of word: `part`, the columns of
    `table.summary`, and `rank`, the place of a reading of the VLM on the clips that choose.

    `correlation` (of ranks) and `overlap` (of the `TOP` tokens) are those with the generator's own
    map of the word; by chance they are 0 and 0.11. So many clips are looked at `at_once`.
    """
    known = questions(attributes, concepts)
    scenes, maps = {}, {}
    for part, every in clips.items():
        some = every[:AT_MOST]
        whole = scene(generator, some, at_once)
        own = of_kinds(whole, [kind for kind in whole.kinds if kind in known])
        scenes[part] = own
        asked = [known[kind] for kind in own.kinds]
        maps[part] = {
            **maps_of(generator, own, {DEFAULT: settings}, reading, seed, at_once),
            **looks(vlm, some, asked, generator.block_grid, at_once),
        }
        print(f"{part}: {len(some)} clips, {len(asked)} questions", flush=True)
    chosen = thresholds(scenes[CHOOSING], maps[CHOOSING])
    tables = []
    for part, own in scenes.items():
        compared = {**maps[part]}
        for name in (GRADIENT, TIMES_INPUT):
            compared |= controls(own, name, maps[part][name])
        scores = clip_scores(own, compared, chosen)
        tables.append(summary(scores.merge(likeness(own, compared, DEFAULT))).assign(part=part))
    table = pd.concat(tables, ignore_index=True)
    rivals = table[(table["part"] == CHOOSING) & table["reading"].isin((GRADIENT, TIMES_INPUT))]
    ranks = {name: place for place, name in enumerate(mean_precision(rivals).index, start=1)}
    table.insert(0, "rank", table["reading"].map(ranks))
    table.insert(0, "part", table.pop("part"))
    return table


def likeness(found: Scene, maps: Maps, beside: str) -> pd.DataFrame:
    """One row for each reading, kind of word and clip: how alike its map is to that of `beside`."""
    rows = []
    for name, own in maps.items():
        for number, kind in enumerate(found.kinds[:-1]):
            known = found.known[:, number]
            one, other = (some[known, number].flatten(1) for some in (own, maps[beside]))
            part = {"correlation": rank_correlation(one, other).tolist()}
            part["overlap"] = top_overlap(one, other, TOP).tolist()
            clips = known.nonzero()[:, 0].tolist()
            rows.append(pd.DataFrame({"reading": name, "kind": kind, "clip": clips} | part))
    return pd.concat(rows, ignore_index=True)
