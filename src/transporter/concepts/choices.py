"""Several edits of a caption, and which of them each caption gets: where a VLM's answer hangs on
different words in different captions, one change for all would follow the majority. Where it hangs
on two words together, a caption that has neither gets one after the other.
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
    questions: tuple[str, ...]
    """What each edit's word is about."""
    states: torch.Tensor
    """The mean states of all m captions, `features` of them: `(m, d + 1)`."""
    before: torch.Tensor
    """Log-odds about them, in nats: `(m,)`."""
    moves: torch.Tensor
    """How far each edit moves these, 0 where a caption has no word to change, NaN where nobody has
    tried: `(m, E)`.
    """
    least: float
    """How far a swap of words moves them at least if it tells."""


@dataclass(frozen=True)
class EditChoice:
    """E edits, each a `ConceptMap`, of which a caption gets the one that is foretold to move the
    VLM's answer most. Where that is foretold not to flip it, one more comes after it, of what
    another question asks about, if that tells.
    """

    chooser: torch.Tensor
    """How far each edit moves the answer about a caption that is answered by the source, linear in
    the mean of the tokens' states: `(d + 1, E)`, the last row a constant.
    """
    level: torch.Tensor
    """The log-odds about such a caption, linear alike: `(d + 1,)`."""
    questions: torch.Tensor
    """Which question each edit's word answers, by number, `(E,)`."""
    least: torch.Tensor
    """How far a second edit has to move the answer, in nats: `()`."""
    locator: torch.Tensor
    """`(E, d + 1)`"""
    down: torch.Tensor
    """`(E, F, r)`"""
    up: torch.Tensor
    """`(E, r, d)`"""

    def __call__(self, pi: Condition) -> torch.Tensor:
        """The change at strength 1 of B conditions, `(B, L, d)`; zero at padding."""
        states = features(pi)
        moves, first = (states @ self.chooser).max(-1)
        change = self._edited(pi, first)
        enough = states @ self.level + moves > 0
        second, tells = self._second(pi + change, first)
        needed = tells & ~enough
        if not needed.any():
            return change
        return change + self._edited(pi + change, second) * needed.view(-1, 1, 1)

    def _second(self, pi: Condition, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Which edit comes after the `first` ones, and whether it tells, `(B,)` each."""
        foretold = features(pi) @ self.chooser
        same = self.questions[first][:, None] == self.questions
        best = foretold.masked_fill(same, -torch.inf).max(-1)
        return best.indices, best.values >= self.least

    def _edited(self, pi: Condition, chosen: torch.Tensor) -> torch.Tensor:
        whole = torch.stack([one(pi) for one in self.maps])  # (E, B, L, d)
        return whole[chosen, torch.arange(len(pi), device=chosen.device)]

    @property
    def maps(self) -> list[ConceptMap]:
        parts = zip(self.locator, self.down, self.up, strict=True)
        return [ConceptMap(*part) for part in parts]

    @property
    def width(self) -> int:
        """d"""
        return self.up.shape[-1]

    def to(self, target: torch.device | str | torch.dtype | torch.Tensor) -> EditChoice:
        return EditChoice(**{name: part.to(target) for name, part in vars(self).items()})

    @classmethod
    def fit(cls, pairs: AnsweredPairs, ridge: float, rank: int, device: torch.device) -> EditChoice:
        """Each edit's map by all pairs of captions that it changes, and the choice between them by
        how far they move the VLM's answer; both in closed form.
        """
        maps = fit_maps(pairs.edits, ridge, rank, device).values()
        stacked = (torch.stack(part) for part in zip(*map(_parts, maps), strict=True))
        source = pairs.before < 0
        numbers = [sorted({*pairs.questions}).index(question) for question in pairs.questions]
        dtype = pairs.pi_minus.embeddings.dtype
        wanted = torch.cat([pairs.moves, pairs.before[:, None]], 1)
        chooser = _regressed(pairs.states[source], wanted[source]).to(device, dtype)
        return cls(
            chooser[:, :-1].contiguous(),
            chooser[:, -1].contiguous(),
            torch.tensor(numbers, device=device, dtype=dtype),
            torch.tensor(pairs.least, device=device, dtype=dtype),
            *stacked,
        )


def _regressed(states: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Weights `(d + 1, n)` of ridge regressions of n columns, each on the captions where it is
    known.
    """
    weights = []
    for column in wanted.double().T:
        known = ~column.isnan()
        rows = states[known].double()
        penalty = RIDGE * torch.eye(rows.shape[1]).to(rows)
        weights.append(torch.linalg.solve(rows.T @ rows + penalty, rows.T @ column[known]))
    return torch.stack(weights, 1)


def _parts(one: ConceptMap) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return one.locator, one.down, one.up


def features(pi: Condition) -> torch.Tensor:
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
