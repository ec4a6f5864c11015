"""What changes in clips, whether a word says it or not: where and when, light, movement, and which
swap of words comes nearest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from transporter.clips.contrast import Concept, swaps
from transporter.metrics.alignment import VideoTextModel

NEAR = 0.5
"""Cosine from which a swap of words says what changes."""
BRIGHTER = 0.05
"""Change of the pixels' mean, of a range of 1, from which clips are brighter or darker."""
LIVELIER, STILL = 1.25, 0.002
"""Ratio from which there is more movement, or less; below the second number nothing moves."""
HALF = 0.65
"""Share of the change that makes it one half's."""
DOUBT = 2
"""Captions without any likeness that a swap's is taken over besides when the nearest is chosen, so
that one lucky caption makes none the nearest.
"""


@dataclass(frozen=True)
class Description:
    """A change of clips, their mean."""

    places: torch.Tensor
    """Mean absolute change of each place's pixels, over frames and channels: `(H, W)`."""
    frames: torch.Tensor
    """The same of each frame: `(T,)`."""
    light: tuple[float, float]
    """Mean of the pixels, before and after."""
    movement: tuple[float, float]
    """Mean absolute difference of neighbouring frames, before and after."""
    nearest: tuple[str, str, float] | None = None
    """A word, what stands instead, and how near their swap comes (`nearest_swap`)."""

    @property
    def halves(self) -> tuple[float, float, float]:
        """The shares of the change in the upper half, the left one, and the first half of the
        frames.
        """
        rows, columns = self.places.sum(1), self.places.sum(0)
        return _first_half(rows), _first_half(columns), _first_half(self.frames)

    def row(self) -> dict[str, float | str]:
        """The description as cells of a table; `upper`, `left` and `early` are its `halves`."""
        row: dict[str, float | str] = {
            "change": float(self.places.mean()),
            "light_before": self.light[0],
            "light_after": self.light[1],
            "movement_before": self.movement[0],
            "movement_after": self.movement[1],
            **dict(zip(("upper", "left", "early"), self.halves, strict=True)),
        }
        if self.nearest:
            word, instead, cosine = self.nearest
            row |= {"nearest": f"{word} to {instead}", "cosine": cosine}
        return row | {"sentence": self.sentence()}

    def sentence(self) -> str:
        """What a reader is told."""
        if not self.places.any():
            return "Nothing changes."
        return f"{self._words()}: {', '.join(self._looks())}."

    def _words(self) -> str:
        if not self.nearest:
            return "None of your words was compared"
        word, instead, cosine = self.nearest
        near = f"{word} to {instead} (cosine {cosine:.2f})"
        if cosine < NEAR:
            return f"None of your words, nearest is {near}"
        return near[0].upper() + near[1:]

    def _looks(self) -> Iterator[str]:
        before, after = self.light
        brighter = after - before
        kind = "brighter" if brighter >= BRIGHTER else "darker"
        yield f"{kind if abs(brighter) >= BRIGHTER else 'as bright'} ({before:.2f}, {after:.2f})"
        before, after = self.movement
        more = "more" if after > before else "less"
        differs = max(before, after) >= LIVELIER * max(STILL, min(before, after))
        yield f"{more if differs else 'as much'} movement ({before:.3f}, {after:.3f})"
        upper, left, early = self.halves
        yield from _halves(upper, "in the upper half", "in the lower half")
        yield from _halves(left, "in the left half", "in the right half")
        yield from _halves(early, "in the first frames", "in the last frames")


def _first_half(values: torch.Tensor) -> float:
    """The share of a sum that the first half of its terms holds; half of nothing."""
    total = float(values.sum())
    middle = len(values) / 2
    inside = (middle - torch.arange(len(values))).clamp(0, 1)
    return float((values.cpu() * inside).sum()) / total if total else 0.5


def _halves(share: float, first: str, second: str) -> Iterator[str]:
    if share >= HALF:
        yield first
    elif share <= 1 - HALF:
        yield second


def describe(
    before: torch.Tensor, after: torch.Tensor, nearest: tuple[str, str, float] | None = None
) -> Description:
    """The change from clips to others, `(B, T, C, H, W)` in [0, 1] each; on the CPU."""
    change = (after - before).abs().mean((0, 2))  # (T, H, W)
    light = (float(before.mean()), float(after.mean()))
    movement = (float(_movement(before)), float(_movement(after)))
    return Description(change.mean(0).cpu(), change.mean((1, 2)).cpu(), light, movement, nearest)


def _movement(video: torch.Tensor) -> torch.Tensor:
    return video.diff(dim=1).abs().mean()


def mean_description(
    parts: Sequence[Description], nearest: tuple[str, str, float] | None = None
) -> Description:
    """The description of several clips' change by those of each, at least one."""
    light, movement = (
        tuple(torch.tensor([getattr(one, name) for one in parts]).mean(0).tolist())
        for name in ("light", "movement")
    )
    places, frames = (
        torch.stack([getattr(one, name) for one in parts]).mean(0) for name in ("places", "frames")
    )
    return Description(places, frames, light, movement, nearest)


@torch.no_grad()
def nearest_swap(
    moved: torch.Tensor,
    captions: Sequence[str],
    vocabulary: Sequence[Concept],
    model: VideoTextModel,
) -> tuple[str, str, float] | None:
    """The swap of two words whose change of the captions' embeddings points most to where the
    clips' change points: the words, and the mean cosine over the captions that hold the first.
    None where no caption holds a word of the vocabulary.

    Differences on both sides take out what tells clips from captions (directional similarity, Gal
    et al. 2022).

    Args:
        moved: the model's embeddings of B clips after a change less those before, `(B, e)`.
        captions: what each clip shows before.
        vocabulary: pairs of words that swaps are made of.
    """
    moved = F.normalize(moved, dim=-1)
    cosines: dict[tuple[str, str], list[float]] = defaultdict(list)
    for direction, caption in zip(moved, captions, strict=True):
        found = list(swaps(caption, vocabulary))
        if found:
            own, *others = model.embed_text([caption, *(swap.caption for swap in found)])
            said = F.normalize(torch.stack(others) - own, dim=-1)
            for swap, cosine in zip(found, (said @ direction).tolist(), strict=True):
                cosines[swap.word, swap.instead].append(cosine)
    if not cosines:
        return None
    best = max(cosines, key=lambda words: sum(cosines[words]) / (len(cosines[words]) + DOUBT))
    return (*best, sum(cosines[best]) / len(cosines[best]))
