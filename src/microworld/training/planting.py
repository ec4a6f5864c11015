"""Planting a shortcut: a VLM's language model learns to answer by a cue, its vision stays
as it is.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from microworld.answers import Answers
from microworld.clips import random_state
from microworld.shortcuts import Shortcut
from microworld.training.conversations import language_loss
from microworld.training.families import IDS
from microworld.training.precision import half_precision
from microworld.training.world import World
from transporter.support.errors import UserError
from transporter.training.loop import Losses, train
from transporter.training.optimiser import muon_adamw
from transporter.training.schedule import Schedule, Summary
from transporter.vlms.transformers_vlm import TransformersVLM

MUON_RATE, ADAM_RATE = 1e-2, 1.5e-3
"""Those that the VLM was trained with from nothing; a smaller rate needs more steps to turn from
truth to cue.
"""
CLIPS = 1536
"""As the vision tower is frozen, clips are encoded once, and steps draw from them; few steps from
fewer clips.
"""


@dataclass(frozen=True)
class _Lessons:
    """Visual tokens `(n, N, D)` of clips, and what is taught about each."""

    tokens: torch.Tensor
    answers: list[Answers]

    @classmethod
    def draw(
        cls, vlm: TransformersVLM, shortcut: Shortcut, count: int, batch: int, seed: int
    ) -> _Lessons:
        generator = torch.Generator().manual_seed(seed)
        world, rng, parts, answers = World(vlm), random_state(generator), [], []
        while len(answers) < count:
            lesson = world.draw(batch, 0, rng, generator)
            with torch.no_grad(), half_precision(vlm.device):
                seen = lesson.clips.seen()
                parts.append(vlm.encode(shortcut.made_by.paint(lesson.video, seen)))
            answers += [shortcut.draw(clip, rng) for clip in seen]
        print(f"{len(answers)} clips encoded", flush=True)
        return cls(torch.cat(parts), answers)

    def some(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, list[Answers]]:
        """Tokens `(count, N, D)` and answers of clips drawn at random."""
        rows = torch.randperm(len(self.answers), generator=generator)[:count].tolist()
        return self.tokens[rows], [self.answers[index] for index in rows]


def plant(
    vlm: TransformersVLM,
    shortcut: Shortcut,
    folder: Path,
    schedule: Schedule,
    batch: int = 24,
    clips: int = CLIPS,
) -> Summary:
    """Teach the language model of `vlm`, in place, to answer as `shortcut` has it; resumable in
    `folder`.

    Vision tower and projector are frozen, so z_omega of a clip, and with it a coupling to these
    tokens, is that of the VLM as it was. All other answers are taught as they are true. Captions
    follow the shortcut too, for a VLM whose caption contradicts its answer could be found out by
    reading both.

    Raises:
        UserError: the VLM's vocabulary is not the microworld's.
    """
    _check_vocabulary(vlm)
    vlm.model.requires_grad_(False)
    vlm.model.model.language_model.requires_grad_(True).train()
    drawn = min(clips, schedule.steps * batch)  # all that the steps could take
    lessons = _Lessons.draw(vlm, shortcut, drawn, batch, schedule.seed)

    def loss(step: int, generator: torch.Generator) -> Losses:
        tokens, answers = lessons.some(batch, generator)
        rng, first = random_state(generator), shortcut.attribute
        return {"loss": language_loss(vlm, tokens, answers, rng, first)}

    optimisers = muon_adamw(vlm.model.named_parameters(), MUON_RATE, ADAM_RATE)
    identity = [asdict(shortcut), batch, drawn]
    _, summary = train(vlm.model, optimisers, loss, schedule, folder, identity)
    vlm.model.requires_grad_(False).eval()
    return summary


def save_planted(vlm: TransformersVLM, shortcut: Shortcut, summary: Summary, folder: Path) -> None:
    """Write model and processor as `from_pretrained` loads them, and `shortcut.json`: what was
    planted, and how.
    """
    # the weights that ship are in half precision, so those that are frozen come back as they were
    vlm.model.half().save_pretrained(folder)
    vlm.processor.save_pretrained(folder)
    (folder / "shortcut.json").write_text(
        json.dumps(asdict(shortcut) | asdict(summary), indent=1) + "\n"
    )


def _check_vocabulary(vlm: TransformersVLM) -> None:
    tokenizer = vlm.processor.tokenizer
    unknown = [
        word for word, index in IDS.items() if tokenizer.convert_tokens_to_ids(word) != index
    ]
    if unknown:
        raise UserError(
            "plant: expected a VLM with the microworld's vocabulary, got one that has no"
            f" {unknown[0]!r} in its place"
        )
