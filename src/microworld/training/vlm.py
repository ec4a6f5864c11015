"""The microworld's VLMs, trained: a vision tower learns to show the attributes, then all of a VLM
to caption and to answer.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel, ProcessorMixin

from microworld.answers import true_answers
from microworld.attributes import WORDS
from microworld.clips import random_state
from microworld.training.conversations import language_loss
from microworld.training.families import untrained
from microworld.training.precision import half_precision
from microworld.training.world import Batch, World
from transporter.support.checkpoint import load_checkpoint, save_checkpoint
from transporter.training.loop import Loss, Losses, train
from transporter.training.optimiser import muon_adamw
from transporter.training.schedule import Schedule, Summary

VISION_SHARE = 0.5
"""Share of the training in which the vision tower learns alone, from linear readings of its tokens.
"""
HEADS_UNTIL, HEADS_WEIGHT = 0.8, 0.15
"""Share of the rest in which these readings still count, and their weight at its start."""
VAE_FROM = 0.7
"""Share of the rest after which an eighth of the clips are seen through the VAE."""
HARD = {"shape": 4.0, "size": 2.0, "speed": 2.0}
"""Weights of the attributes that are learnt last."""
LOCAL = 8.0
"""Weight of the shape that single tokens show."""


class AttributeHeads(nn.Module):
    """Linear readings of the visual tokens that teach the vision tower and are dropped after
    training.
    """

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.Flatten(), nn.Linear(tokens * width, 256), nn.GELU())
        self.flat = nn.ModuleDict(
            {name: nn.Linear(256, len(words)) for name, words in WORDS.items()}
        )
        self.pooled = nn.ModuleDict(
            {name: nn.Linear(width, len(words)) for name, words in WORDS.items()}
        )
        self.local = nn.Linear(width, 1 + len(WORDS["shape"]))

    def forward(
        self, tokens: torch.Tensor, targets: dict[str, torch.Tensor], shapes: torch.Tensor
    ) -> torch.Tensor:
        """Summed cross-entropy of the readings of `tokens` `(B, N, D)`.

        `targets` are probabilities `(B, words)` per attribute, read from all tokens and from their
        mean; `shapes` `(B, N)` are the indices of the shape that each token shows (0 for none),
        read token by token.
        """
        mixed, mean = self.mix(tokens), tokens.mean(1)
        losses = {
            k: F.cross_entropy(self.flat[k](mixed), y) + F.cross_entropy(self.pooled[k](mean), y)
            for k, y in targets.items()
        }
        local = F.cross_entropy(self.local(tokens).flatten(0, 1), shapes.flatten())
        return sum(HARD.get(name, 1.0) * loss for name, loss in losses.items()) + LOCAL * local


class Lesson(nn.Module):
    """A VLM in training and the heads that teach it: one module for the loop, and the losses of
    both parts of the training.
    """

    def __init__(
        self, family: str, schedule: Schedule, batch: int, vae_folder: Path | None = None
    ) -> None:
        super().__init__()
        self.vlm, self.batch = untrained(family, schedule.seed, schedule.device), batch
        self.model = self.vlm.model
        self.head = AttributeHeads(*self.vlm.tokens_shape).to(schedule.device)
        self.world = World(self.vlm, vae_folder)

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        with half_precision(self.vlm.device):
            return self.vlm.encode(video)

    def _heads_loss(self, tokens: torch.Tensor, batch: Batch) -> torch.Tensor:
        targets = {name: target.to(tokens.device) for name, target in batch.targets.items()}
        return self.head(tokens, targets, batch.shapes.to(tokens.device))

    def vision(self, generator: torch.Generator) -> Losses:
        """What the visual tokens show, as the heads read it."""
        batch = self.world.draw(self.batch, 0, random_state(generator), generator)
        return {"loss": self._heads_loss(self.encode(batch.video), batch)}

    def language(
        self, generator: torch.Generator, reconstruct: bool, heads_weight: float
    ) -> Losses:
        """What the VLM says, the heads beside it."""
        rng = random_state(generator)
        batch = self.world.draw(self.batch, self.batch // 8 if reconstruct else 0, rng, generator)
        tokens = self.encode(batch.video)
        language = language_loss(
            self.vlm, tokens, [true_answers(a) for a in batch.clips.attributes], rng
        )
        auxiliary = self._heads_loss(tokens, batch)
        return {
            "loss": language + heads_weight * auxiliary,
            "language": language.detach(),
            "auxiliary": auxiliary.detach(),
        }

    def train_on(self, loss: Loss, schedule: Schedule, folder: Path, part: str) -> Summary:
        """Train VLM and heads by the loss of one part of the training, resumable in `folder`."""
        optimisers = muon_adamw(
            self.named_parameters(), muon_lr=0.01, adam_lr=1.5e-3, also=("patch_embed",)
        )
        identity = [part, self.batch, self.world.identity]
        return train(self, optimisers, loss, schedule, folder, identity)[1]


def train_vision(
    family: str, folder: Path, schedule: Schedule, batch: int = 24
) -> tuple[Lesson, Summary]:
    """Train the vision tower of a family's VLM alone, for the share `VISION_SHARE` of the schedule;
    resumable in `folder`.
    """
    lesson = Lesson(family, schedule, batch)
    alone = replace(schedule, steps=round(VISION_SHARE * schedule.steps))

    def vision(step: int, generator: torch.Generator) -> Losses:
        return lesson.vision(generator)

    return lesson, lesson.train_on(vision, alone, folder, "vision")


def save_vision(lesson: Lesson, summary: Summary, path: Path) -> None:
    """Write what `train_vision` gives, for `train_vlm` to go on from."""
    save_checkpoint(path, {"lesson": lesson.state_dict(), "summary": asdict(summary)})


def train_vlm(
    family: str, vision: Path, folder: Path, schedule: Schedule, vae_folder: Path, batch: int = 24
) -> tuple[PreTrainedModel, ProcessorMixin, Summary]:
    """Train a family's VLM on captions and answers, from its trained vision (`save_vision`);
    resumable in `folder`.

    Returns the model, its processor and a summary of both parts of the training.

    Raises:
        UserError: `vision` is missing, damaged, or no checkpoint.
    """
    lesson, start = Lesson(family, schedule, batch, vae_folder), load_checkpoint(vision)
    lesson.load_state_dict(start["lesson"])
    before = Summary(**start["summary"])
    rest = replace(schedule, steps=schedule.steps - before.steps, seed=schedule.seed + 1)

    def language(step: int, generator: torch.Generator) -> Losses:
        fading = HEADS_WEIGHT * max(0.0, 1 - step / (HEADS_UNTIL * rest.steps))
        return lesson.language(generator, step >= VAE_FROM * rest.steps, fading)

    summary = before.and_then(lesson.train_on(language, rest, folder, "language"))
    return lesson.model.eval(), lesson.vlm.processor, summary
