"""What each method's clips change, described without asking the explained VLM."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from transporter.clips.contrast import Concept
from transporter.generators.base import Generator
from transporter.metrics.alignment import VideoTextModel
from transporter.metrics.description import Description, describe, nearest_swap
from transporter.truth.controls import CLIPS_AT_ONCE, ORIGIN, Controls


@torch.no_grad()
def describe_methods(
    clips: Controls,
    generator: Generator,
    vocabulary: Sequence[Concept],
    model: VideoTextModel | None,
) -> dict[str, Description]:
    """The change from the clips at phi = 0 to each method's, the first seed of every caption.

    Args:
        vocabulary: pairs of words whose swaps are compared with the change.
        model: what embeds clips and captions; None compares no words.
    """
    captions = [pair[0] for pair in clips.pairs]
    before = _decoded(clips, ORIGIN, generator)
    found = {}
    for method in clips.z_xi:
        if method == ORIGIN:
            continue
        after, nearest = _decoded(clips, method, generator), None
        if model is not None:
            nearest = nearest_swap(before, after, captions, vocabulary, model)
        found[method] = describe(before, after, nearest)
    return found


def _decoded(clips: Controls, method: str, generator: Generator) -> torch.Tensor:
    """`(P, T, C, H, W)` in [0, 1], on the generator's device."""
    parts = clips.z_xi[method][:, 0].split(CLIPS_AT_ONCE)
    return torch.cat([generator.decode(z.to(generator.device)).clamp(0, 1) for z in parts])
