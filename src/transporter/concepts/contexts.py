"""What a concept vector is fitted on: pairs of captions that differ in one word, or in the VLM's answer, and clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from transporter.contrast import Concept
from transporter.errors import UserError
from transporter.reading import Reader

CLIPS_AT_ONCE = 8


@dataclass(frozen=True)
class Contexts:
    """What one concept is fitted on: condition pairs `(n, L, d)` and latents of the clips that gave them `(n, c, t, h, w)`."""

    pi_minus: torch.Tensor
    pi_plus: torch.Tensor
    z_xi: torch.Tensor
    holds_target: torch.Tensor
    """Whether the clip's own caption has the target word, so that it is `pi_plus`: bool, `(n,)`."""

    @property
    def pi(self) -> torch.Tensor:
        """Conditions of the clips' own captions, `(n, L, d)`."""
        return torch.where(self.holds_target[:, None, None], self.pi_plus, self.pi_minus)

    def __len__(self) -> int:
        return len(self.pi_minus)


def gather_contexts(concept: Concept, captions: Sequence[str], z_xi: torch.Tensor, reader: Reader, limit: int = 512) -> Contexts:
    """Every clip whose caption holds one of the words gives a context (at most `limit`).

    Raises:
        UserError: no caption holds either word.
    """
    rows = [(row, pair) for row, caption in enumerate(captions) if (pair := concept.pair(caption))][:limit]
    if not rows:
        raise UserError(
            f"concept {concept.name}: expected captions with {concept.source!r} or {concept.target!r}, found none in "
            f"{len(captions)}; add clips or drop the concept"
        )
    minus, plus = (reader.generator.encode_text([pair[side] for _, pair in rows]) for side in (0, 1))
    holds_target = torch.tensor([captions[row] == pair[1] for row, pair in rows], device=minus.device)
    return Contexts(minus, plus, z_xi[[row for row, _ in rows]].to(reader.generator.device), holds_target)


def draw(contexts: Contexts, count: int, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """pi-, pi+ and z_0 of `count` contexts."""
    rows = torch.randint(len(contexts), (count,), generator=random)
    return contexts.pi_minus[rows], contexts.pi_plus[rows], contexts.z_xi[rows]


@torch.no_grad()
def answered_pairs(concept: Concept, contexts: Contexts, reader: Reader) -> Contexts:
    """The captions of clips that the VLM answers by the source, each with the nearest of those it answers by the target.

    What two such captions differ in is what the answer goes with, be it the concept's words or not. The VLM is asked about the
    clips themselves, decoded and encoded again; captions are compared by the distance of their conditions. `pi_minus` is a clip's
    own caption here, `pi_plus` that of another clip. Where all clips get one answer, the median of the log-odds divides them.

    Raises:
        UserError: the VLM's log-odds do not tell the clips apart.
    """
    log_odds = torch.cat([reader.log_odds(reader.again(z), concept) for z in contexts.z_xi.split(CLIPS_AT_ONCE)])
    is_target = log_odds > 0
    if is_target.all() or not is_target.any():
        print(f"concept {concept.name}: the VLM gives all {len(contexts)} clips one answer; divided at the median", flush=True)
        is_target = log_odds > log_odds.median()
    if not is_target.any():
        raise UserError(
            f"concept {concept.name}: expected clips whose log-odds differ, got none above the median of {len(contexts)}, "
            f"{float(log_odds.median()):.3g}; add clips, drop the concept, or set bank.objective to velocity"
        )
    source, target = contexts.pi[~is_target], contexts.pi[is_target]
    nearest = torch.cdist(source.flatten(1), target.flatten(1)).argmin(1)
    return Contexts(source, target[nearest], contexts.z_xi[~is_target], is_target.new_zeros(len(source)))
