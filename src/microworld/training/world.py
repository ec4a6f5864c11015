"""Batches of fresh clips as a VLM looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from microworld.attributes import WORDS, Attributes
from microworld.clips import Clips
from microworld.renderer import FRAMES, SIZE
from microworld.training.families import sampled_frames
from microworld.training.vae import TrainedVAE
from transporter.vlms.transformers_vlm import TransformersVLM

COVERED = 0.05
"""A token shows a shape when the sprite covers this share of its cell."""


def augment(video: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Noise and blur, so that what a VAE does to a clip does not surprise the VLM;
    `(B, T, C, H, W)` in [0, 1].
    """

    def draw() -> float:
        return float(torch.rand((), generator=generator))

    if draw() < 0.5:
        video = video + draw() * 0.06 * torch.randn(video.shape, generator=generator)
    if draw() < 0.3:
        blurred = F.avg_pool2d(video.flatten(0, 1), 3, 1, 1, count_include_pad=False).view_as(video)
        video = video.lerp(blurred, draw())
    return video.clamp(0, 1)


@dataclass(frozen=True)
class Batch:
    """Clips, their video `(B, T, 3, H, W)` where the VLM looks at it, and the shape that each
    visual token shows `(B, N)`.
    """

    clips: Clips
    video: torch.Tensor
    shapes: torch.Tensor

    @property
    def targets(self) -> dict[str, torch.Tensor]:
        """Probabilities of each attribute's words: `(B, words)`."""
        return {name: self.clips.targets(name) for name in WORDS}


class World:
    """Draws batches for a VLM: its visual tokens show `frames` `(S, F)`, each in `side` x `side`
    cells.

    `vae_folder` is needed by draws that reconstruct clips alone.
    """

    def __init__(self, vlm: TransformersVLM, vae_folder: Path | None = None) -> None:
        self.frames = sampled_frames(vlm)
        self.side = round((vlm.tokens_shape[0] / len(self.frames)) ** 0.5)
        self.vae = TrainedVAE(vae_folder, vlm.device) if vae_folder else None

    @property
    def identity(self) -> str | None:
        """Of the VAE that reconstructs clips, if there is one."""
        return self.vae and self.vae.identity

    def draw(
        self, size: int, reconstructed: int, rng: np.random.Generator, generator: torch.Generator
    ) -> Batch:
        """`size` clips, the first `reconstructed` of them as the VAE gives them back; frames that
        no token shows stay black.
        """
        clips, frames = Clips.draw(size, rng), self.frames.flatten()
        pixels, masks = clips.render(frames)
        if reconstructed:
            some = slice(reconstructed)
            pixels[some] = self.vae.reconstruct(clips[some])[:, frames]
        video = pixels.new_zeros(size, FRAMES, *pixels.shape[2:])
        video[:, frames] = augment(pixels, generator)
        return Batch(clips, video, self._shapes(masks, clips.attributes))

    def _shapes(self, masks: torch.Tensor, attributes: list[Attributes]) -> torch.Tensor:
        """Which shape each token shows, 0 for none: masks of the seen frames `(B, S F, H, W)` to
        `(B, N)`.
        """
        cell = SIZE // self.side
        cover = F.avg_pool3d(masks.float(), (self.frames.shape[1], cell, cell)).flatten(1)
        shapes = torch.tensor([[1 + WORDS["shape"].index(a.shape)] for a in attributes])
        return torch.where(cover > COVERED, shapes, 0)
