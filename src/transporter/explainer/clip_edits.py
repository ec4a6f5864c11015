"""One clip's edits: at any strength of one change, and what the VLM answers about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import random_like
from transporter.coupling.reader import Reader
from transporter.explainer.counterfactual import oriented
from transporter.explainer.location import places_of
from transporter.generation.editing import Editing, flow_edit
from transporter.generators.condition import Condition
from transporter.generators.wording import readable
from transporter.support.errors import UserError

Where = Literal["map"]


@dataclass(frozen=True, eq=False)
class ClipEdits:
    """A clip, the VLM's answer about it, and the change that its edits follow.

    Attributes:
        concept: `source` is what the VLM answers about the clip, `target` the other word.
        swap: the word of the caption that gives way, and the one that takes its place.
        caption: what the clip shows, with the former of both.
        log_odds: `log p(target) - log p(source)` of the answer about the clip; at most 0.
        z_0: the clip's latent `(1, c, t, h, w)`.
        minus: the caption's condition, one row.
        change: what is added to it at strength 1, one row.
        seed: of the noise.
        mask: weights of the latent's places that are edited, `(t, h, w)`; None edits all.
    """

    reader: Reader
    concept: Concept
    swap: tuple[str, str]
    caption: str
    log_odds: float
    z_0: torch.Tensor
    minus: Condition
    change: Condition
    editing: Editing | None
    seed: int
    mask: torch.Tensor | None = None

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        clip: torch.Tensor,
        concept: Concept,
        reader: Reader,
        caption: str | None = None,
        editing: Editing | None = None,
        seed: int = 0,
        swap: tuple[str, str] | None = None,
        where: Where | None = None,
    ) -> ClipEdits:
        """Ask the VLM about a clip; the arguments are those of `flip_search.explain`.

        Raises:
            UserError: the caption holds neither word, or words that the generator does not know.
        """
        generator = reader.generator
        tokens = reader.vlm.encode(clip[None].to(reader.vlm.device))
        odds = float(reader.log_odds(tokens, concept))
        concept = oriented(concept, odds)
        words = swap or (concept.source, concept.target)
        source, target = _pair(words, caption or reader.vlm.caption(tokens)[0], reader)
        minus, plus = (generator.encode_text([text]) for text in (source, target))
        z_0 = generator.encode(clip[None].to(generator.device))
        mask = places_of(generator, clip, words[0], source, seed) if where == "map" else None
        change = plus - minus
        return cls(
            reader, concept, words, source, -abs(odds), z_0, minus, change, editing, seed, mask
        )

    def at(self, phis: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
        """The edits at some strengths, `(P, T, C, H, W)` in [0, 1], and the log-odds of the other
        word about each, `(P,)`; at 0 the clip is encoded and decoded, and nothing else.
        """
        return self._along(self.change, phis)

    def control(self) -> float:
        """The log-odds after a random change as large as that at strength 1."""
        random = self.minus.along(random_like(self.change.embeddings[0], self.seed))
        return float(self._along(random, [1.0])[1])

    @torch.no_grad()
    def _along(self, change: Condition, phis: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
        generator, vlm = self.reader.generator, self.reader.vlm
        z = flow_edit(
            generator, self.z_0, self.minus, change, phis, self.editing, self.seed, self.mask
        )
        video = torch.cat([generator.decode(part) for part in z.split(1)]).clamp(0, 1)
        read = [self.reader.log_odds(vlm.encode(part), self.concept) for part in video.split(1)]
        return video.cpu(), torch.cat(read).cpu()


def _pair(words: tuple[str, str], caption: str, reader: Reader) -> tuple[str, str]:
    """The caption with either word."""
    caption = readable(reader.generator, caption)
    pair = Concept("swap", "object", *words, "").pair(caption)
    if pair is None:
        raise UserError(
            f"caption: expected one that holds {words[0]!r} or {words[1]!r}, got {caption!r}; give"
            " what the clip shows, in words, with one of these"
        )
    return pair
