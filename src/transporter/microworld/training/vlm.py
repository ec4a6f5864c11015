"""The microworld's VLMs, trained: a vision tower learns to show the attributes, then all of a VLM to caption and to answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from torch import nn
from transformers import PreTrainedModel, ProcessorMixin

from transporter.microworld.attributes import WORDS, Attributes
from transporter.microworld.language import DESCRIBE, EOS, PAD, QUESTIONS, caption, sampled_words
from transporter.microworld.renderer import FRAMES, SIZE
from transporter.microworld.training.clips import Clips, random_state
from transporter.microworld.training.families import IDS, shown_frames, untrained
from transporter.microworld.training.loop import Losses, Schedule, Summary, fit
from transporter.microworld.training.optimiser import MuonAdamW
from transporter.microworld.training.precision import half_precision
from transporter.microworld.training.vae import through_vae
from transporter.vlms.transformers_vlm import TransformersVLM

IGNORE = -100
VISION_SHARE = 0.4
"""Share of the training in which the vision tower learns alone, from linear readings of its tokens."""
HEADS_UNTIL, HEADS_WEIGHT = 0.8, 0.15
"""Share of the rest in which these readings still count, and their weight at its start."""
VAE_FROM = 0.7
"""Share of the rest after which an eighth of the clips are seen through the VAE."""
HARD = {"shape": 4.0, "size": 2.0, "speed": 2.0}
"""Weights of the attributes that are learnt last."""
LOCAL = 8.0
"""Weight of the shape that single tokens show."""
COVERED = 0.05
"""A token shows a shape when the sprite covers this share of its cell."""


class AttributeHeads(nn.Module):
    """Linear readings of the visual tokens that teach the vision tower and are dropped after training."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.Flatten(), nn.Linear(tokens * width, 256), nn.GELU())
        self.flat = nn.ModuleDict({name: nn.Linear(256, len(words)) for name, words in WORDS.items()})
        self.pooled = nn.ModuleDict({name: nn.Linear(width, len(words)) for name, words in WORDS.items()})
        self.local = nn.Linear(width, 1 + len(WORDS["shape"]))

    def forward(self, tokens: torch.Tensor, targets: dict[str, torch.Tensor], shapes: torch.Tensor) -> torch.Tensor:
        """Summed cross-entropy of the readings of `tokens` `(B, N, D)`.

        `targets` are probabilities `(B, words)` per attribute, read from all tokens and from their mean; `shapes` `(B, N)` are the
        indices of the shape that each token shows (0 for none), read token by token.
        """
        mixed, mean = self.mix(tokens), tokens.mean(1)
        losses = {k: F.cross_entropy(self.flat[k](mixed), y) + F.cross_entropy(self.pooled[k](mean), y) for k, y in targets.items()}
        local = F.cross_entropy(self.local(tokens).flatten(0, 1), shapes.flatten())
        return sum(HARD.get(name, 1.0) * loss for name, loss in losses.items()) + LOCAL * local


def augment(video: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Noise and blur, so that what a VAE does to a clip does not surprise the VLM; `(B, T, C, H, W)` in [0, 1]."""

    def draw() -> float:
        return float(torch.rand((), generator=generator))

    if draw() < 0.5:
        video = video + draw() * 0.06 * torch.randn(video.shape, generator=generator)
    if draw() < 0.3:
        blurred = F.avg_pool2d(video.flatten(0, 1), 3, 1, 1, count_include_pad=False).view_as(video)
        video = video.lerp(blurred, draw())
    return video.clamp(0, 1)


def conversation(attributes: Attributes, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Token ids and labels of a caption request or of all questions in random order."""
    words = sampled_words({name: attributes.probabilities(name) for name in WORDS}, rng)
    if rng.random() < 0.35:
        prompt, answer = DESCRIBE.split(), [*caption(attributes.words()).split(), EOS]
        ids = [IDS[token] for token in prompt + answer]
        return ids, [IGNORE] * len(prompt) + ids[len(prompt) :]
    ids, labels = [], []
    for name in rng.permutation(list(WORDS)):
        question = [IDS[token] for token in QUESTIONS[name].split()]
        ids += [*question, IDS[words[name]]]
        labels += [*[IGNORE] * len(question), ids[-1]]
    return ids, labels


def _padded(rows: Sequence[list[int]], value: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])


@dataclass(frozen=True)
class _Batch:
    """Clips, their video `(B, T, 3, H, W)` where the VLM looks at it, and the shape that each visual token shows `(B, N)`."""

    clips: Clips
    video: torch.Tensor
    shapes: torch.Tensor

    @property
    def targets(self) -> dict[str, torch.Tensor]:
        """Probabilities of each attribute's words: `(B, words)`."""
        return {name: self.clips.targets(name) for name in WORDS}


class _World:
    """Draws batches for a VLM whose visual tokens show `frames` `(S, F)`, each in `side` x `side` cells."""

    def __init__(self, frames: np.ndarray, side: int, vae_folder: Path, device: torch.device) -> None:
        self.frames, self.side = frames, side
        self.load_vae = cache(lambda: AutoencoderKLWan.from_pretrained(vae_folder).to(device).eval())

    def draw(self, size: int, reconstructed: int, rng: np.random.Generator, generator: torch.Generator) -> _Batch:
        """`size` clips, the first `reconstructed` of them as the VAE gives them back; frames that no token shows stay black."""
        clips, shown = Clips.draw(size, rng), self.frames.flatten()
        seen, masks = clips.render(shown)
        if reconstructed:
            seen[:reconstructed] = through_vae(self.load_vae(), clips[:reconstructed].video())[:, shown]
        video = seen.new_zeros(size, FRAMES, *seen.shape[2:])
        video[:, shown] = augment(seen, generator)
        return _Batch(clips, video, self._shapes(masks, clips.attributes))

    def _shapes(self, masks: torch.Tensor, attributes: list[Attributes]) -> torch.Tensor:
        """Which shape each token shows, 0 for none: masks of the shown frames `(B, S F, H, W)` to `(B, N)`."""
        cell = SIZE // self.side
        cover = F.avg_pool3d(masks.float(), (self.frames.shape[1], cell, cell)).flatten(1)
        shapes = torch.tensor([[1 + WORDS["shape"].index(a.shape)] for a in attributes])
        return torch.where(cover > COVERED, shapes, 0)


def _language_loss(vlm: TransformersVLM, tokens: torch.Tensor, clips: Clips, rng: np.random.Generator) -> torch.Tensor:
    """Cross-entropy of captions and answers about the clips with visual tokens `(B, N, D)`."""
    rows, labels = zip(*(conversation(a, rng) for a in clips.attributes), strict=True)
    words = _padded(rows, IDS[PAD])
    ids = torch.cat([torch.tensor(vlm.prompt_ids("")).expand(len(words), -1), words], 1).to(vlm.device)
    # what is predicted at the prompt's last position is the first word
    with half_precision(vlm.device):
        logits = vlm.token_logits(tokens, ids, words.shape[1] + 1)[:, :-1]
    wanted = _padded(labels, IGNORE).to(vlm.device)
    return F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORE)


class _Lesson(nn.Module):
    """A VLM in training and the heads that teach it: one module for the loop, and the losses of both parts of the training."""

    def __init__(self, vlm: TransformersVLM, vae_folder: Path, batch: int) -> None:
        super().__init__()
        self.vlm, self.model, self.batch = vlm, vlm.model, batch
        self.head = AttributeHeads(*vlm.tokens_shape).to(vlm.device)
        frames = shown_frames(vlm)
        self.world = _World(frames, round((vlm.tokens_shape[0] / len(frames)) ** 0.5), vae_folder, vlm.device)

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        with half_precision(self.vlm.device):
            return self.vlm.encode(video)

    def _heads_loss(self, tokens: torch.Tensor, batch: _Batch) -> torch.Tensor:
        targets = {name: target.to(tokens.device) for name, target in batch.targets.items()}
        return self.head(tokens, targets, batch.shapes.to(tokens.device))

    def vision(self, generator: torch.Generator) -> Losses:
        """What the visual tokens show, as the heads read it."""
        batch = self.world.draw(self.batch, 0, random_state(generator), generator)
        return {"loss": self._heads_loss(self.encode(batch.video), batch)}

    def language(self, generator: torch.Generator, reconstruct: bool, heads_weight: float) -> Losses:
        """What the VLM says, the heads beside it."""
        rng = random_state(generator)
        batch = self.world.draw(self.batch, self.batch // 8 if reconstruct else 0, rng, generator)
        tokens = self.encode(batch.video)
        language = _language_loss(self.vlm, tokens, batch.clips, rng)
        auxiliary = self._heads_loss(tokens, batch)
        return {"loss": language + heads_weight * auxiliary, "language": language.detach(), "auxiliary": auxiliary.detach()}

    def fit(self, loss: Callable[[int, torch.Generator], Losses], schedule: Schedule, folder: Path) -> Summary:
        optimiser = MuonAdamW(self.named_parameters(), muon_lr=0.01, adam_lr=1.5e-3, also=("patch_embed",))
        return fit(self, optimiser, loss, schedule, folder)[1]


def train_vlm(
    family: str, folder: Path, schedule: Schedule, vae_folder: Path, batch: int = 24
) -> tuple[PreTrainedModel, ProcessorMixin, Summary]:
    """Train a VLM of a family, resumable in `folder`: its vision alone (`folder/vision`), then all of it on captions and answers.

    Returns the model, its processor and a summary.
    """
    lesson = _Lesson(untrained(family, schedule.seed, schedule.device), vae_folder, batch)
    alone = replace(schedule, steps=round(VISION_SHARE * schedule.steps))
    rest = replace(schedule, steps=schedule.steps - alone.steps, seed=schedule.seed + 1)

    def language(step: int, generator: torch.Generator) -> Losses:
        fading = HEADS_WEIGHT * max(0.0, 1 - step / (HEADS_UNTIL * rest.steps))
        return lesson.language(generator, step >= VAE_FROM * rest.steps, fading)

    seen = lesson.fit(lambda step, generator: lesson.vision(generator), alone, folder / "vision")
    said = lesson.fit(language, rest, folder)
    summary = replace(said, steps=schedule.steps, seed=schedule.seed, minutes=round(seen.minutes + said.minutes, 1))
    return lesson.model.eval(), lesson.vlm.processor, summary
