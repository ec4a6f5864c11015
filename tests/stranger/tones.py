"""A stranger's two models, in a module of their own: a generator and a VLM that know colours alone.

Nothing in transporter knows of them. The generator imagines a clip of one colour, the mean of its
caption's words; the VLM sees the mean colours of a clip and likes some words better than others.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import torch
import torch.nn.functional as F

from transporter.generators.base import Generator
from transporter.generators.condition import Condition
from transporter.generators.modulation import Modulation
from transporter.vlms.base import VLM

WORDS = 997


def table(width: int, seed: int) -> torch.Tensor:
    """A row for each word, `(WORDS, width)`."""
    return torch.randn(WORDS, width, generator=torch.Generator().manual_seed(seed))


def ids(text: str) -> list[int]:
    return [crc32(word.encode()) % WORDS for word in text.split()]


class Tones(Generator):
    """`z_0` of a caption is one colour; `cell` pixels of a side are one place of the latent."""

    def __init__(
        self,
        path: str,
        frames: int,
        height: int,
        width: int,
        fps: float,
        max_tokens: int,
        dtype: torch.dtype,
        device: torch.device,
        cell: int = 16,
    ) -> None:
        self.device, self.fps, self.cell = device, fps, cell
        self.video_shape = (frames, 3, height, width)
        self.latent_shape = (3, frames, height // cell, width // cell)
        self.condition_shape = (max_tokens, 8)
        self.words, self.colours = table(8, seed=0).to(device), table(3, seed=1)[:8].to(device)

    def encode_text(self, captions: Sequence[str]) -> Condition:
        embeddings = torch.zeros(len(captions), *self.condition_shape, device=self.device)
        for row, caption in enumerate(captions):
            known = self.words[ids(caption)[: self.condition_shape[0]]]
            embeddings[row, : len(known)] = known
        return Condition(embeddings)

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        # (B, T, 3, H, W) to (B, 3, T, h, w)
        cells = F.avg_pool2d(video.flatten(0, 1), self.cell).unflatten(0, video.shape[:2])
        return 4 * cells.transpose(1, 2) - 2

    def decode(self, z_xi: torch.Tensor) -> torch.Tensor:
        frames = ((z_xi + 2) / 4).transpose(1, 2)
        large = F.interpolate(frames.flatten(0, 1), scale_factor=self.cell)
        return large.unflatten(0, frames.shape[:2])

    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        z_0 = (condition.embeddings.mean(1) @ self.colours).view(-1, 3, 1, 1, 1)
        return (z_t - z_0) / sigma.view(-1, 1, 1, 1, 1)

    @torch.no_grad()
    def sample(
        self,
        condition: Condition,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        modulation: Modulation | None = None,
    ) -> torch.Tensor:
        draws = [torch.Generator().manual_seed(seed) for seed in seeds]
        z = torch.stack([torch.randn(self.latent_shape, generator=draw) for draw in draws])
        copies = 1 if modulation is None else len(modulation.delta) // len(condition)
        pi, z = condition.repeat_interleave(copies), z.to(self.device).repeat_interleave(copies, 0)
        empty = self.encode_text([""]).expand(len(pi))
        for step in range(steps):
            sigma = torch.full((len(z),), 1 - step / steps, device=self.device)
            v = self.velocity(z, sigma, pi)
            if modulation is not None and modulation.active(step, steps):
                mask = modulation.frame_mask(z.shape[2]).to(z).view(-1, 1, 1)
                v = v.lerp(self.velocity(z, sigma, pi + modulation.delta), mask)
            z = z - self.velocity(z, sigma, empty).lerp(v, guidance) / steps
        return z


class Ears(VLM):
    """Tokens are the colours of a quarter of the clip each, in time."""

    def __init__(
        self,
        path: str,
        video_shape: tuple[int, int, int, int],
        describe: str,
        dtype: torch.dtype,
        device: torch.device,
        loudness: float = 1.0,
    ) -> None:
        self.device, self.loudness, self.describe = device, loudness, describe
        self.tokens_shape, self.time_steps = (4, 8), 4
        self.eyes, self.words = table(8, seed=2)[:3].to(device), table(8, seed=3).to(device)

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        quarters = F.adaptive_avg_pool1d(video.mean((3, 4)).transpose(1, 2), 4)
        return quarters.transpose(1, 2) @ self.eyes

    def logits(self, tokens: torch.Tensor, prompt: str) -> torch.Tensor:
        asked = self.words[ids(prompt)].mean(0)
        return self.loudness * (tokens.mean(1) + asked) @ self.words.T

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        words = self.logits(tokens, prompt).log_softmax(-1)
        return torch.stack([words[:, ids(text)].sum(1) for text in continuations], 1)

    def caption(
        self, tokens: torch.Tensor, prompt: str | None = None, max_tokens: int = 32
    ) -> list[str]:
        loudest = self.logits(tokens, prompt or self.describe).argmax(-1)
        return [f"word {word}" for word in loudest.tolist()]
