"""One call of a pipeline of `diffusers`: its condition changes and its batch grows."""

from __future__ import annotations

from typing import Any

import torch

from transporter.generators.condition import Condition
from transporter.generators.modulation import Modulation


class Run:
    """What a pipeline works on at each step of one call.

    Until the modulation begins, the rows that share a condition and a noise run as one; then the
    batch grows to one row per delta. With partial frames, base and modulated condition stand
    beside each other (2 L tokens).
    """

    def __init__(
        self, condition: Condition, modulation: Modulation | None, steps: int, scheduler: Any
    ) -> None:
        self.modulation, self.steps, self.scheduler = modulation, steps, scheduler
        self.doubled = modulation is not None and modulation.partial
        self.copies = 1 if modulation is None else len(modulation.delta) // len(condition)
        self.rows, self.condition = len(condition), condition.repeat_interleave(self.copies)
        self.current = condition
        """The condition of the step that comes next."""

    def at(self, step: int, latents: torch.Tensor) -> tuple[torch.Tensor, Condition]:
        """Latents and condition of `step`, the batch grown once the modulation is active (or the
        last step is over).
        """
        active = self.modulation is not None and self.modulation.active(step, self.steps)
        if (active or step == self.steps) and len(latents) == self.rows:
            latents = latents.repeat_interleave(self.copies, dim=0)
            self._grow_scheduler()
        grown = len(latents) == len(self.condition)
        self.current = self.condition if grown else self.condition[:: self.copies]
        if active:
            modulated = self.current + self.modulation.delta
            self.current = self.current.beside(modulated) if self.doubled else modulated
        return latents, self.current

    def _grow_scheduler(self) -> None:
        """Multistep schedulers remember earlier outputs, one row per row of the batch."""

        def grown(value: object) -> object:
            if isinstance(value, list):
                return [grown(item) for item in value]
            batch = isinstance(value, torch.Tensor) and value.ndim > 1 and len(value) == self.rows
            return value.repeat_interleave(self.copies, dim=0) if batch else value

        for name, value in list(vars(self.scheduler).items()):
            setattr(self.scheduler, name, grown(value))
