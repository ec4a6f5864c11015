"""Several edits of a caption, and which of them each caption gets: where a VLM's answer hangs on
different words in different captions, one change for all would follow the majority. Where it hangs
on two words together, a caption that has neither gets one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from transporter.concepts.contexts import Contexts
from transporter.concepts.insertions import Insertions
from transporter.concepts.maps import ConceptMap
from transporter.concepts.word_maps import WordMap, as_change, fit_map, fit_maps, mean_states
from transporter.generators.condition import Condition

RIDGE = 0.01


@dataclass(frozen=True)
class EditPairs:
    """n captions in which an edit takes the place of a word, before and after it, as conditions in
    the host's memory; and others that it comes into.
    """

    pi_minus: Condition
    pi_plus: Condition
    insertions: Insertions | None = None


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
    """`mean_states` of all m captions: `(m, d + 1)`."""
    before: torch.Tensor
    """Log-odds about them, in nats: `(m,)`."""
    moves: torch.Tensor
    """How far each edit moves these, 0 where a caption has no place for it, NaN where nobody has
    tried: `(m, E)`.
    """
    least: float
    """How far a swap of words moves them at least if it tells."""


@dataclass(frozen=True)
class EditChoice:
    """E edits, each a map, of which a caption gets the one that is foretold to move the VLM's
    answer most. Where that is foretold not to flip it, one more comes after it, of what another
    question asks about, if that tells.
    """

    chooser: torch.Tensor
    """How far each edit moves the answer about a caption that is answered by the source, linear in
    `mean_states`: `(d + 1, E)`, the last row a constant.
    """
    level: torch.Tensor
    """The log-odds about such a caption, linear alike: `(d + 1,)`."""
    questions: torch.Tensor
    """Which question each edit's word answers, by number, `(E,)`."""
    least: torch.Tensor
    """How far a second edit has to move the answer, in nats: `()`."""
    edits: tuple[ConceptMap | WordMap, ...]

    def __call__(self, pi: Condition) -> torch.Tensor:
        """The change at strength 1 of B conditions, `(B, L, d)`; zero at padding, but for the
        tokens that come in.
        """
        states = mean_states(pi)
        moves, first = (states @ self.chooser).max(-1)
        change = self._edited(pi, first)
        changed = pi + as_change(pi, change)
        enough = states @ self.level + moves > 0
        second, tells = self._second(changed, first)
        needed = tells & ~enough
        if not needed.any():
            return change
        return change + self._edited(changed, second) * needed.view(-1, 1, 1)

    def _second(self, pi: Condition, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Which edit comes after the `first` ones, and whether it tells, `(B,)` each."""
        foretold = mean_states(pi) @ self.chooser
        same = self.questions[first][:, None] == self.questions
        best = foretold.masked_fill(same, -torch.inf).max(-1)
        return best.indices, best.values >= self.least

    def _edited(self, pi: Condition, chosen: torch.Tensor) -> torch.Tensor:
        whole = torch.stack([one(pi) for one in self.edits])  # (E, B, L, d)
        return whole[chosen, torch.arange(len(pi), device=chosen.device)]

    @property
    def width(self) -> int:
        """d"""
        return self.edits[0].width

    def to(self, target: torch.device | str | torch.dtype | torch.Tensor) -> EditChoice:
        parts = (self.chooser, self.level, self.questions, self.least)
        edits = tuple(one.to(target) for one in self.edits)
        return EditChoice(*(part.to(target) for part in parts), edits)

    @classmethod
    def fit(cls, pairs: AnsweredPairs, ridge: float, rank: int, device: torch.device) -> EditChoice:
        """Each edit's map by all pairs of captions that it changes, and the choice between them by
        how far they move the VLM's answer; both in closed form.
        """
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
            tuple(fit_maps(pairs.edits, ridge, rank, device).values()),
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


def fit_edits(
    contexts: Mapping[str, Contexts], ridge: float, rank: int, device: torch.device
) -> dict[str, ConceptMap | WordMap | EditChoice]:
    """A map for each concept: one edit of all captions where the words are known, a choice of edits
    where the VLM has been asked.
    """
    found: dict[str, ConceptMap | WordMap | EditChoice] = {}
    for name, part in contexts.items():
        if isinstance(part, AnsweredPairs):
            found[name] = EditChoice.fit(part, ridge, rank, device)
        else:
            found[name] = fit_map(part, ridge, rank, device)
    return found
