"""The way of a bank's vectors downhill: all that changes on it, how far it has led, and its
checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from transporter.concepts.objectives import Batch, Score
from transporter.concepts.vectors import Vectors
from transporter.support.checkpoint import Pace, load_own_checkpoint, save_checkpoint

PARTS = 4
"""Checkpoints of a descent, at least."""


@dataclass
class Progress:
    """Smoothed error of each vector and of no vector at all, whose ratio tells the separation
    reached, of rounding alone, and the loss.
    """

    error: dict[str, float] = field(default_factory=dict)
    nothing: dict[str, float] = field(default_factory=dict)
    rounding: dict[str, float] = field(default_factory=dict)
    loss: dict[str, float] = field(default_factory=dict)

    def add(
        self, name: str, error: float, nothing: float, rounding: float = 0.0, loss: float = 0.0
    ) -> None:
        tables = (self.error, self.nothing, self.rounding, self.loss)
        for table, value in zip(tables, (error, nothing, rounding, loss), strict=True):
            table[name] = 0.9 * table.get(name, value) + 0.1 * value

    def chosen(self, names: Collection[str], other: Progress) -> Progress:
        """This of the vectors with these names, and another of the rest."""
        tables = {}
        for table, mine in vars(self).items():
            tables[table] = getattr(other, table) | {name: mine[name] for name in names}
        return Progress(**tables)

    def add_all(self, batch: Batch, score: Score) -> None:
        """Every clip of a batch."""
        rounding = torch.zeros_like(score.error) if score.rounding is None else score.rounding
        parts = (score.error, score.nothing, rounding, score.loss.detach())
        for concept, *values in zip(
            batch.concepts, *(part.tolist() for part in parts), strict=True
        ):
            self.add(concept.name, *values)

    def hidden(self, name: str) -> bool:
        """Whether the wanted change is smaller than what rounding does to a velocity."""
        return self.nothing[name] < self.rounding.get(name, 0.0)

    def separation(self, name: str) -> float:
        """Share of the change wanted by the objective that the vector brings about: 1 all of it, 0
        none, nan where rounding hides it.
        """
        if self.hidden(name):
            return math.nan
        return (self.nothing[name] - self.error[name]) / max(self.nothing[name], 1e-12)

    def __str__(self) -> str:
        return ", ".join(f"{name} {self._reached(name)}" for name in sorted(self.error))

    def _reached(self, name: str) -> str:
        return "lost in rounding" if self.hidden(name) else f"{self.separation(name):.2f}"


class Descent:
    """Vectors on their way down, in `steps` steps of Adam whose rate falls from `lr` to 0 along a
    cosine.
    """

    def __init__(self, vectors: Vectors, lr: float, steps: int) -> None:
        self.vectors, self.lr, self.steps = vectors, lr, steps
        self.optimiser = torch.optim.Adam([vectors.weights], lr=lr)
        self.progress, self.step = Progress(), 0
        self.pace = Pace(max(1, steps // PARTS))
        self.checkpoint: Path | None = None
        self.identity = ""

    def keep(self, checkpoint: Path, identity: str) -> None:
        """Write checkpoints from now on, and go on from the one that is there if it is of the same
        `identity`.

        Raises:
            UserError: the file is damaged, or no checkpoint.
        """
        self.checkpoint, self.identity = checkpoint, identity
        state = load_own_checkpoint(checkpoint, identity)
        if state is None:
            return
        with torch.no_grad():
            self.vectors.weights.copy_(state["weights"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.progress, self.step = Progress(**state["progress"]), state["step"]

    def update(self) -> None:
        """One step along the gradient that the weights hold."""
        share = math.pi * self.step / self.steps
        self.optimiser.param_groups[0]["lr"] = self.lr * 0.5 * (1 + math.cos(share))
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.step += 1
        if self.checkpoint and (self.pace.due(self.step) or self.step == self.steps):
            with self.pace.writing():
                self._save(self.checkpoint)

    def _save(self, checkpoint: Path) -> None:
        state = {
            "identity": self.identity,
            "step": self.step,
            "weights": self.vectors.weights,
            "optimiser": self.optimiser.state_dict(),
            "progress": asdict(self.progress),
        }
        save_checkpoint(checkpoint, state)
