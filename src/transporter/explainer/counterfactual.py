"""Why does the VLM answer so about this clip? The clip as it would be for another answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
import torch

from transporter.clips.contrast import Concept, edits_of

SEEN = 0.1
"""A pixel has changed where one of its colours differs by more than this share of their range."""


@dataclass(frozen=True)
class Flip:
    """The least change found that flips the answer."""

    phi: float
    video: torch.Tensor
    """`(T, C, H, W)` in [0, 1]."""
    log_odds: float


@dataclass(frozen=True, repr=False)
class Counterfactual:
    """One clip of a user's, the VLM's answer, and edits of the clip towards another answer."""

    concept: Concept
    """`source` is what the VLM answers about the clip, `target` the other word."""
    swap: tuple[str, str]
    """The word that gives way in the caption, and the one that takes its place; of two words all
    between them.
    """
    caption: str
    """What the clip shows, with the former of both."""
    clip: torch.Tensor
    """As the models see it, `(T, C, H, W)` in [0, 1]."""
    clip_log_odds: float
    """`log p(target) - log p(source)` of the answer about it, in nats; at most 0."""
    phi: tuple[float, ...]
    """Strengths, rising; at 0 the clip is encoded and decoded, and nothing else."""
    video: torch.Tensor
    """The edits, `(P, T, C, H, W)` in [0, 1]."""
    log_odds: torch.Tensor
    """`(P,)`"""
    flip: Flip | None
    """None where no strength up to the last flips the answer."""
    control_log_odds: float
    """After a random change as large as that at strength 1."""
    fps: float
    lpips: float | None = None
    """LPIPS^v between `edited` and `unedited`; None where it is not measured."""

    @property
    def changed(self) -> float:
        """The share of pixels that one sees `edited` change."""
        return float((self.difference > SEEN).float().mean())

    @property
    def edited(self) -> torch.Tensor:
        """The least edit that flips the answer; without one that of the largest strength:
        `(T, C, H, W)`.
        """
        return self.video[-1] if self.flip is None else self.flip.video

    @property
    def difference(self) -> torch.Tensor:
        """What the edit changes beyond what encoding alone does, `(T, H, W)` in [0, 1]: the largest
        change of a pixel's colours.
        """
        return (self.edited - self.unedited).abs().amax(1)

    @property
    def unedited(self) -> torch.Tensor:
        """At the smallest strength, 0 as a rule: the clip as the generator gives it back,
        `(T, C, H, W)`.
        """
        return self.video[min(range(len(self.phi)), key=lambda place: abs(self.phi[place]))]

    @property
    def readings(self) -> pd.DataFrame:
        """One row for each strength: `phi`, `log_odds`, `answer`, and how far the clip has changed:
        `visual`, root mean square of the pixels' differences, and `changed`, the share of pixels
        that one sees change.
        """
        change = self.video - self.unedited
        return pd.DataFrame(
            {
                "phi": self.phi,
                "log_odds": self.log_odds.tolist(),
                "answer": [self.answer(odds) for odds in self.log_odds.tolist()],
                "visual": change.square().mean((1, 2, 3, 4)).sqrt().tolist(),
                "changed": (change.abs().amax(2) > SEEN).float().mean((1, 2, 3)).tolist(),
            }
        )

    @property
    def edit(self) -> str:
        """Which words give way, in words."""
        return " and ".join(f"from {word} to {instead}" for word, instead in edits_of(*self.swap))

    def answer(self, log_odds: float) -> str:
        """The word that the VLM says, and how sure it is of it against the other."""
        return answer(self.concept, log_odds)

    @property
    def verdict(self) -> str:
        """In a sentence, whether the answer flips, and at what cost."""
        source, target = self.concept.source, self.concept.target
        if self.flip is None:
            return (
                f"No edit {self.edit} up to strength {self.phi[-1]:g} changes the"
                f" answer {source!r}: the VLM does not go by what the generator shows for these"
                " words, or the generator cannot show it in this clip."
            )
        edit = "" if self.swap == (source, target) else f" of the edit {self.edit}"
        return (
            f"From strength {self.flip.phi:.2f}{edit} on, the VLM answers {target!r} in place of"
            f" {source!r}; {self.changed:.0%} of the pixels have visibly changed there."
        )

    def __repr__(self) -> str:
        table = self.readings.to_string(index=False, float_format="{:.2f}".format)
        return f"{self.caption}: {self.concept.question}\n{table}\n{self.verdict}"


def oriented(concept: Concept, log_odds: float) -> Concept:
    """The concept with what the VLM answers as its source."""
    if log_odds <= 0:
        return concept
    return replace(concept, source=concept.target, target=concept.source)


def answer(concept: Concept, log_odds: float) -> str:
    """The word that the VLM says by the log-odds of the target, and how sure it is of it."""
    share = torch.tensor(log_odds).sigmoid().item()
    word = concept.target if log_odds > 0 else concept.source
    return f"{word} {max(share, 1 - share):.0%}"
