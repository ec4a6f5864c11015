"""What a generator is conditioned on, and changes of it: pi, pi+ - pi-, phi q."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True, eq=False)
class Condition:
    """The condition `pi` of B clips, or a change of it; rows are clips.

    A change is a condition too: what it lacks (None) stays as it is, and what it masks in is
    attended to beside what already is. Concept vectors change the embeddings alone.

    >>> pi = Condition(torch.zeros(2, 3, 4), pooled=torch.ones(2, 5))
    >>> changed = pi + 0.5 * pi.along(torch.ones(3, 4))
    >>> float(changed.embeddings.mean()), float(changed.pooled.mean()), len(changed[:1])
    (0.5, 1.0, 1)
    """

    embeddings: torch.Tensor
    """States of the text encoder, `(B, L, d)`."""
    mask: torch.Tensor | None = None
    """1 where there is a token and 0 at padding, `(B, L)`; None where the model sees all L."""
    pooled: torch.Tensor | None = None
    """One vector for the whole caption, `(B, p)`, of models that want it besides."""

    def __len__(self) -> int:
        return len(self.embeddings)

    def __getitem__(self, rows: slice | Sequence[int] | torch.Tensor) -> Condition:
        return self._map(lambda tensor: tensor[rows])

    def __add__(self, change: Condition | torch.Tensor) -> Condition:
        """With a change; a tensor, `(B, L, d)` or what broadcasts to it, changes the embeddings."""
        if isinstance(change, torch.Tensor):
            return replace(self, embeddings=self.embeddings + change)
        return Condition(
            self.embeddings + change.embeddings,
            _union(self.mask, change.mask),
            self.pooled if change.pooled is None else self.pooled + change.pooled,
        )

    def __sub__(self, other: Condition) -> Condition:
        """The change that leads from `other` to this condition."""
        return Condition(
            self.embeddings - other.embeddings,
            _union(self.mask, other.mask),
            None if self.pooled is None else self.pooled - other.pooled,
        )

    def __mul__(self, phi: float | torch.Tensor) -> Condition:
        """A change at strength `phi`, one number or one for each row, `(B,)`."""

        def scaled(tensor: torch.Tensor) -> torch.Tensor:
            if not isinstance(phi, torch.Tensor) or phi.ndim == 0:
                return phi * tensor
            return phi.view(-1, *(1,) * (tensor.ndim - 1)) * tensor

        pooled = None if self.pooled is None else scaled(self.pooled)
        return Condition(scaled(self.embeddings), self.mask, pooled)

    __rmul__ = __mul__

    def along(self, vector: torch.Tensor) -> Condition:
        """The change by one vector `(L, d)` or `(1, d)`, the same for every row."""
        return Condition(vector.to(self.embeddings).expand_as(self.embeddings))

    def to(self, target: torch.device | str | torch.dtype | torch.Tensor) -> Condition:
        """On another device, in another precision, or as another tensor is; the mask keeps its
        type.
        """
        embeddings = self.embeddings.to(target)
        mask = None if self.mask is None else self.mask.to(embeddings.device)
        return Condition(embeddings, mask, None if self.pooled is None else self.pooled.to(target))

    def expand(self, rows: int) -> Condition:
        """A single row as `rows` equal ones, without a copy."""
        return self._map(lambda tensor: tensor.expand(rows, *tensor.shape[1:]))

    def repeat_interleave(self, copies: int) -> Condition:
        """Every row `copies` times, side by side."""
        return self._map(lambda tensor: tensor.repeat_interleave(copies, dim=0))

    def beside(self, other: Condition) -> Condition:
        """Both in one row, `(B, 2 L, d)`: what `modulation.frame_mixing` takes apart."""
        return _joined([self, other], dim=1)

    @staticmethod
    def cat(parts: Sequence[Condition]) -> Condition:
        """The rows of several conditions of one generator, one after the other."""
        return _joined(parts, dim=0)

    def _map(self, act: Callable[[torch.Tensor], torch.Tensor]) -> Condition:
        parts = (self.embeddings, self.mask, self.pooled)
        return Condition(*(None if part is None else act(part) for part in parts))


def _union(one: torch.Tensor | None, other: torch.Tensor | None) -> torch.Tensor | None:
    if one is None or other is None:
        return other if one is None else one
    return torch.maximum(one, other)


def _joined(parts: Sequence[Condition], dim: int) -> Condition:
    columns = zip(*((part.embeddings, part.mask, part.pooled) for part in parts), strict=True)
    return Condition(*(None if some[0] is None else torch.cat(some, dim) for some in columns))
