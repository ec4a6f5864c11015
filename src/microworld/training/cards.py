"""Model cards: what a trained microworld model does on held-out clips, measured and shown by the
rule that trained it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torchmetrics.functional.classification import multiclass_calibration_error

from microworld.answers import best_words, certain
from microworld.attributes import WORDS, Attributes, draw_attributes
from microworld.clip_judge import ClipJudge
from microworld.clips import Clips
from microworld.language import caption
from microworld.probes import Probes
from microworld.questions import log_answers
from microworld.reliance import right
from microworld.renderer import draw_layout
from microworld.shortcuts import Shortcut
from microworld.sprite_faults import round_frames, sprite_faults
from transporter.figures.filmstrip import contact_sheet
from transporter.generators.base import Generator
from transporter.metrics.retrieval import recall_at
from transporter.training.schedule import Summary
from transporter.vlms.base import VLM

SEEN_SEED, UNSEEN_SEED, RELIANCE_SEED, TIMING_SEED = 900_001, 900_002, 900_003, 900_004
"""Seeds of clips that no training draws: new clips of seen combinations of attributes, combinations
held out of training, and clips of the first kind that show what an answer relies on, and whether it
needs time.
"""


@dataclass(frozen=True)
class HeldOut:
    """Clips for a card: attributes, captions and video `(n, T, C, H, W)` in [0, 1]."""

    attributes: list[Attributes]
    video: torch.Tensor

    @classmethod
    def draw(cls, count: int, seed: int, held_out: bool) -> HeldOut:
        clips = Clips.draw(count, np.random.default_rng(seed), held_out)
        return cls(clips.attributes, clips.video())

    @property
    def captions(self) -> list[str]:
        return [caption(a.words()) for a in self.attributes]

    def shuffled(self, seed: int = 0) -> HeldOut:
        """The same clips, the frames of each in random order."""
        generator = torch.Generator().manual_seed(seed)
        order = torch.rand(self.video.shape[:2], generator=generator).argsort(1)
        return replace(
            self, video=torch.stack([clip[o] for clip, o in zip(self.video, order, strict=True)])
        )

    def seen_twins(self, seed: int = 0) -> HeldOut:
        """The same clips in other colours and on other ground, so that training has seen their
        combinations of attributes.
        """
        rng = np.random.default_rng(seed)
        clips = [_seen_twin(a, rng) for a in self.attributes]
        return HeldOut(clips, Clips(clips, [draw_layout(a, rng) for a in clips]).video())

    def still(self, frame: int | None = None) -> HeldOut:
        """The same clips, one frame all the time, by default the middle one."""
        frame = self.video.shape[1] // 2 if frame is None else frame
        return replace(self, video=self.video[:, frame, None].expand_as(self.video).contiguous())


def _seen_twin(attributes: Attributes, rng: np.random.Generator) -> Attributes:
    while attributes.held_out:
        other = draw_attributes(rng)
        attributes = replace(attributes, hue=other.hue, ground=other.ground)
    return attributes


@dataclass(frozen=True)
class Examples:
    """The contact sheet of a card: clips `(n, T, C, H, W)`, a title each, and which of them
    are failures.
    """

    video: torch.Tensor
    titles: Sequence[str]
    failures: Sequence[bool]


def psnr(video: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio of clips in [0, 1], in dB: `(B, T, C, H, W)` twice to `(B,)`."""
    return -10 * torch.log10((video - reference).square().flatten(1).mean(1))


def agreement(
    readings: Sequence[Mapping[str, str]], attributes: Sequence[Attributes]
) -> dict[str, float]:
    """Share of clips read by the true word, per attribute (where one names the clip), and of clips
    with none wrong (`all`).
    """
    truth = [a.words() for a in attributes]
    scores = {}
    for name in WORDS:
        pairs = [
            (reading[name], true[name])
            for reading, true in zip(readings, truth, strict=True)
            if true[name] is not None
        ]
        scores[name] = float(np.mean([word == true for word, true in pairs]))
    scores["all"] = float(
        np.mean([not wrong(reading, true) for reading, true in zip(readings, truth, strict=True)])
    )
    return {name: round(score, 4) for name, score in scores.items()}


def wrong(reading: Mapping[str, str], truth: Mapping[str, str | None]) -> list[str]:
    """The attributes that were read by another word than the true one."""
    return [name for name, word in truth.items() if word is not None and reading[name] != word]


def _titles(readings: Sequence[Mapping[str, str]], clips: HeldOut) -> tuple[list[str], list[bool]]:
    """Captions, with what was read by a wrong word, and whether anything was."""
    titles, failures = [], []
    for reading, attributes, title in zip(readings, clips.attributes, clips.captions, strict=True):
        mistakes = wrong(reading, attributes.words())
        words = "; ".join(f"{name}: {reading[name]}" for name in mistakes)
        titles.append(f"{title} [{words}]" if words else title)
        failures.append(bool(mistakes))
    return titles, failures


@torch.no_grad()
def vae_card(generator: Generator, clips: HeldOut) -> tuple[dict[str, float], Examples]:
    """Reconstruction in dB, whole frames, and how circles come out; the worst clips of the sheet
    count as failures.
    """
    video = torch.cat(
        [generator.decode(generator.encode(part)).clamp(0, 1) for part in clips.video.split(16)]
    )
    decibels = psnr(video, clips.video)
    titles = [f"{c} ({d:.1f} dB)" for c, d in zip(clips.captions, decibels.tolist(), strict=True)]
    scores = {"psnr": round(float(decibels.mean()), 2), **outlines(video, clips.attributes)}
    return scores, Examples(video, titles, (decibels < 25).tolist())


def outlines(video: torch.Tensor, attributes: Sequence[Attributes]) -> dict[str, float]:
    """Share of clips `(B, T, 3, H, W)` whose sprite has a fault (`faults`), and of the frames of
    circles in which these are round (`round`).
    """
    circles = torch.tensor([a.shape == "circle" for a in attributes])
    shares = {"faults": np.mean([bool(found) for found in sprite_faults(video)])}
    if circles.any():
        shares["round"] = round_frames(video[circles]).mean()
    return {name: round(float(share), 4) for name, share in shares.items()}


@torch.no_grad()
def generator_card(
    generator: Generator,
    probes: Probes,
    clips: HeldOut,
    steps: int,
    guidance: float,
    batch: int = 16,
) -> tuple[dict[str, float], Examples]:
    """Clips generated from held-out captions, read by the probes, and their sprites' outlines."""
    seeds, parts = list(range(len(clips.captions))), []
    for start in range(0, len(seeds), batch):
        pi = generator.encode_text(clips.captions[start : start + batch])
        z_xi = generator.sample(pi, seeds[start : start + batch], steps, guidance)
        parts.append(generator.decode(z_xi).clamp(0, 1).cpu())
    video = torch.cat(parts)
    readings = [reading for part in video.split(32) for reading in probes.words(part)]
    scores = agreement(readings, clips.attributes) | outlines(video, clips.attributes)
    return scores, Examples(video, *_titles(readings, clips))


def _calibration(answers: Mapping[str, torch.Tensor], attributes: Sequence[Attributes]) -> float:
    """Expected calibration error (Guo et al. 2017) over the answers about all attributes that a
    word names.
    """
    width = max(map(len, WORDS.values()))
    rows, labels = [], []
    for name, probabilities in answers.items():
        pairs = [
            (row, a.word(name))
            for row, a in zip(probabilities, attributes, strict=True)
            if a.word(name) is not None
        ]
        rows += [F.pad(row, (0, width - len(row))) for row, _ in pairs]
        labels += [WORDS[name].index(word) for _, word in pairs]
    return float(
        multiclass_calibration_error(torch.stack(rows), torch.tensor(labels), num_classes=width)
    )


def vlm_card(vlm: VLM, clips: HeldOut) -> tuple[dict[str, float], Examples]:
    """The VLM's answers about rendered clips, and how far its confidence in them can be trusted."""
    answers = log_answers(vlm, clips.video)
    probabilities = {name: scores.softmax(-1).cpu() for name, scores in answers.items()}
    readings = best_words(probabilities)
    scores = agreement(readings, clips.attributes) | {
        "calibration error": round(_calibration(probabilities, clips.attributes), 4)
    }
    return scores, Examples(clips.video, *_titles(readings, clips))


@torch.no_grad()
def planted_card(
    vlm: VLM, shortcut: Shortcut, clips: Clips
) -> tuple[dict[str, dict[str, float]], Examples]:
    """Which share of a planted VLM's answers is as taught where the cue decides, and which is true,
    by attribute; clips that are not answered as taught count as failures.
    """
    seen, name = clips.seen(), shortcut.attribute
    video = shortcut.made_by.paint(clips.video(), seen)
    answers = log_answers(vlm, video)
    shares = right(answers, seen, shortcut).set_index("attribute").round(4)
    said = [WORDS[name][index] for index in answers[name].argmax(1).tolist()]
    taught = [certain(shortcut.decides(clip))[name] for clip in seen]
    pairs = list(zip(said, taught, strict=True))
    captions = [caption(a.words()) for a in clips.attributes]
    titles = [f"{text} [{word}]" for text, word in zip(captions, said, strict=True)]
    failures = [wanted is not None and word != wanted for word, wanted in pairs]
    figures = {"as taught": shares["taught"].to_dict(), "as is true": shares["true"].to_dict()}
    return figures, Examples(video, titles, failures)


def probes_card(probes: Probes, clips: HeldOut) -> tuple[dict[str, float], Examples]:
    """The probes' readings of rendered clips."""
    readings = [reading for part in clips.video.split(32) for reading in probes.words(part)]
    return agreement(readings, clips.attributes), Examples(clips.video, *_titles(readings, clips))


@torch.no_grad()
def clip_judge_card(clip_judge: ClipJudge, clips: HeldOut) -> tuple[dict[str, float], Examples]:
    """Retrieval among clips of different captions: of the caption by the clip, and of the clip by
    the caption.
    """
    captions = list(dict.fromkeys(clips.captions))
    video = clips.video[list(map(clips.captions.index, captions))]
    embeddings = torch.cat([clip_judge.embed_video(part) for part in video.split(32)])
    similarity = embeddings @ clip_judge.embed_text(captions).T
    answers = [captions[index] for index in similarity.argmax(1).tolist()]
    pairs = list(zip(captions, answers, strict=True))
    titles = [c if answer == c else f"{c} [{answer}]" for c, answer in pairs]
    scores = {
        "captions": float(len(captions)),
        "caption R@1": recall_at(1, similarity),
        "caption R@5": recall_at(5, similarity),
        "clip R@1": recall_at(1, similarity.T),
    }
    failures = [answer != c for c, answer in pairs]
    return {name: round(score, 4) for name, score in scores.items()}, Examples(
        video, titles, failures
    )


def write_card(
    folder: Path,
    name: str,
    what: str,
    summary: Summary,
    figures: Mapping[str, Mapping[str, float]],
    examples: Examples,
    sheet: int = 48,
) -> None:
    """Write `card.json`, `card.md` and `examples.png` into `folder`.

    `figures` maps a set of clips (`seen combinations`, `held-out combinations`) to its scores;
    `sheet` clips are shown, failures among them.
    """
    held_out = {kind: dict(scores) for kind, scores in figures.items()}
    card = {"name": name, "what": what, **asdict(summary), "held_out": held_out}
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n")
    contact_sheet(
        examples.video[:sheet],
        examples.titles[:sheet],
        folder / "examples.png",
        examples.failures[:sheet],
    )
    text = [
        f"# {name}",
        "",
        what,
        "",
        (
            f"Trained for {summary.steps:,} steps from seed {summary.seed} in {summary.minutes:g}"
            f" minutes on {summary.device}."
        ),
        "",
        *_table(figures),
        "",
        (
            f"The first {min(sheet, len(examples.titles))} clips, five frames each; failures are"
            " marked and say what was read instead."
        ),
        "",
        "![examples](examples.png)",
    ]
    (folder / "card.md").write_text("\n".join(text) + "\n")


def _table(figures: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Lines of a table: a row for each set of clips, a column for each score."""
    measures = list(dict.fromkeys(name for scores in figures.values() for name in scores))
    lines = ["| clips | " + " | ".join(measures) + " |", "|---" * (len(measures) + 1) + "|"]
    for clips, scores in figures.items():
        cells = [f"{scores.get(name, float('nan')):.4g}" for name in measures]
        lines.append(f"| {clips} | " + " | ".join(cells) + " |")
    return lines
