"""What each method's clips change, described without asking the explained VLM."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from transporter.clips.contrast import Concept
from transporter.generators.base import Generator
from transporter.metrics.alignment import VideoTextModel
from transporter.metrics.description import (
    Description,
    describe,
    mean_description,
    nearest_swap,
)
from transporter.truth.controls import ORIGIN, Controls


@torch.no_grad()
def describe_methods(
    clips: Controls,
    generator: Generator,
    vocabulary: Sequence[Concept],
    model: VideoTextModel | None,
) -> dict[str, Description]:
    """The change from the clips at phi = 0 to each method's, the first seed of every caption. Two
    clips at a time are decoded, for those of a large model fill a GPU.

    Args:
        vocabulary: pairs of words whose swaps are compared with the change.
        model: what embeds clips and captions; None compares no words.
    """
    methods = [method for method in clips.z_xi if method != ORIGIN]
    parts: dict[str, list[Description]] = {method: [] for method in methods}
    moved: dict[str, list[torch.Tensor]] = {method: [] for method in methods}
    for row in range(len(clips.pairs)):
        before = _decoded(clips, ORIGIN, row, generator)
        embedded = None if model is None else model.embed_video(before)
        for method in methods:
            after = _decoded(clips, method, row, generator)
            parts[method].append(describe(before, after))
            if model is not None:
                moved[method].append(model.embed_video(after) - embedded)
    captions = [pair[0] for pair in clips.pairs]
    found = {}
    for method in methods:
        nearest = None
        if model is not None:
            nearest = nearest_swap(torch.cat(moved[method]), captions, vocabulary, model)
        found[method] = mean_description(parts[method], nearest)
    return found


def _decoded(clips: Controls, method: str, row: int, generator: Generator) -> torch.Tensor:
    """One clip `(1, T, C, H, W)` in [0, 1], on the generator's device."""
    z_xi = clips.z_xi[method][row, :1].to(generator.device)
    return generator.decode(z_xi).clamp(0, 1)
