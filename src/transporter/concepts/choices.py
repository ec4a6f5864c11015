"""Several edits of a caption, and which of them each caption gets: where a VLM's answer hangs on
different words in different captions, one change for all would follow the majority.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from transporter.concepts.contexts import Contexts
from transporter.concepts.maps import ConceptMap, fit_maps, tokens_of
from transporter.generators.condition import Condition

RIDGE = 0.01


@dataclass(frozen=True)
class EditPairs:
    """n captions that an edit changes, before and after it, as conditions in the host's memory."""

    pi_minus: Condition
    pi_plus: Condition


@dataclass(frozen=True)
class AnsweredPairs(Contexts):
    """Pairs of captions that a VLM answers differently, and what a choice between their edits is
    learnt from.
    """

    edits: dict[str, EditPairs]
    """E edits that tell, each in all captions that it changes, whatever the VLM answers."""
    pi: Condition
    """Captions that the VLM answers by the source, m rows."""
    moves: torch.Tensor
    """How far each edit moves the log-odds about each caption, in nats, 0 where it has no word to
    change, NaN where nobody has tried: `(m, E)`.
    """


@dataclass(frozen=True)
class EditChoice:
    """E edits, each a `ConceptMap`, of which a caption gets the one that is foretold to move the
    VLM's answer most.
    """

    chooser: torch.Tensor
    """How far each edit moves the answer, linear in the mean of the tokens' states: `(d + 1, E)`,
    the last row a constant.
    """
    locator: torch.Tensor
    """`(E, d + 1)`"""
    down: torch.Tensor
    """`(E, F, r)`"""
    up: torch.Tensor
    """`(E, r, d)`"""

    def __call__(self, pi: Condition) -> torch.Tensor:
        """The change at strength 1 of B conditions, `(B, L, d)`; zero at padding."""
        chosen = self.chosen(pi)
        whole = torch.stack([one(pi) for one in self.maps])  # (E, B, L, d)
        return whole[chosen, torch.arange(len(pi), device=chosen.device)]

    def chosen(self, pi: Condition) -> torch.Tensor:
        """Which edit each of B conditions gets, `(B,)`."""
        return (_features(pi) @ self.chooser).argmax(-1)

    @property
    def maps(self) -> list[ConceptMap]:
        parts = zip(self.locator, self.down, self.up, strict=True)
        return [ConceptMap(*part) for part in parts]

    @property
    def width(self) -> int:
        """d"""
        return self.up.shape[-1]

    def to(self, target: torch.device | str | torch.dtype | torch.Tensor) -> EditChoice:
        parts = (self.chooser, self.locator, self.down, self.up)
        return EditChoice(*(part.to(target) for part in parts))

    @classmethod
    def fit(cls, pairs: AnsweredPairs, ridge: float, rank: int, device: torch.device) -> EditChoice:
        """Each edit's map by all pairs of captions that it changes, and the choice between them by
        how far they move the VLM's answer; both in closed form.
        """
        maps = fit_maps(pairs.edits, ridge, rank, device).values()
        features = _features(pairs.pi.to(device)).double()
        wanted = pairs.moves.to(features)
        columns = [_regressed(features, moves) for moves in wanted.T]
        chooser = torch.stack(columns, 1)
        stacked = (torch.stack(part) for part in zip(*map(_parts, maps), strict=True))
        return cls(chooser.to(pairs.pi.embeddings.dtype), *stacked)


def _regressed(features: torch.Tensor, moves: torch.Tensor) -> torch.Tensor:
    """Weights `(d + 1,)` of a ridge regression on the captions whose moves are known."""
    known = ~moves.isnan()
    rows = features[known]
    penalty = RIDGE * torch.eye(rows.shape[1]).to(rows)
    return torch.linalg.solve(rows.T @ rows + penalty, rows.T @ moves[known])


def _parts(one: ConceptMap) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return one.locator, one.down, one.up


def _features(pi: Condition) -> torch.Tensor:
    """The mean state of the tokens, and a constant: `(B, d + 1)`."""
    tokens = tokens_of(pi)[..., None]
    mean = (pi.embeddings * tokens).sum(1) / tokens.sum(1).clamp(min=1)
    return pad(mean, (0, 1), value=1.0)


def fit_edits(
    contexts: Mapping[str, Contexts], ridge: float, rank: int, device: torch.device
) -> dict[str, ConceptMap | EditChoice]:
    """A map for each concept: one edit of all captions where the words are known, a choice of edits
    where the VLM has been asked.
    """
    found: dict[str, ConceptMap | EditChoice] = {}
    for name, part in contexts.items():
        if isinstance(part, AnsweredPairs):
            found[name] = EditChoice.fit(part, ridge, rank, device)
        else:
            found |= fit_maps({name: part}, ridge, rank, device)
    return found
