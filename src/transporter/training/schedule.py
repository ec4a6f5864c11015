"""How long a training goes on and how often it writes, and what a card says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from transporter.training.rates import Rate, WarmThenDecay


@dataclass(frozen=True)
class Schedule:
    """How long to train, at which rate, and how often to write.

    Batches and noise are drawn on the CPU whatever the `device`, so that each step sees the same
    ones everywhere.
    """

    steps: int
    seed: int = 0
    rate: Rate = field(default_factory=WarmThenDecay)
    """Times the learning rates of the optimisers."""
    accumulate: int = 1
    """Losses per step; their mean is minimised."""
    max_norm: float | None = 1.0
    """Gradients are clipped to this norm; None leaves them as they are."""
    ema: float = 0.0
    """Memory of the average of the weights, below 1; 0 keeps none."""
    fresh: float = 0.03
    """Share of a new value in the smoothed ones of the curve."""
    log_every: int = 50
    save_every: int = 250
    """Steps between two checkpoints, at most; a run has four at least, and more where steps are
    slow (`support.checkpoint.Pace`).
    """
    device: str = "cpu"

    @property
    def checkpoint_every(self) -> int:
        """Steps between two checkpoints; one more is written at the end."""
        return max(1, min(self.save_every, self.steps // 4))

    @property
    def identity(self) -> dict[str, Any]:
        """All that the weights depend on, fit for JSON."""
        of_no_weight = ("fresh", "log_every", "save_every", "device")
        chosen = {name: value for name, value in asdict(self).items() if name not in of_no_weight}
        return {**chosen, "rate": repr(self.rate)}


@dataclass(frozen=True)
class Summary:
    """What a model card says about a training run; `device` names all that it was trained on, in
    order.
    """

    steps: int
    seed: int
    minutes: float
    device: str

    def and_then(self, later: Summary) -> Summary:
        """This training and a later one of the same model, with this one's seed."""
        used = ", ".join((self.device, later.device)).split(", ")
        return Summary(
            self.steps + later.steps,
            self.seed,
            round(self.minutes + later.minutes, 1),
            listed(used),
        )


def listed(devices: Sequence[str]) -> str:
    """Names of devices in the order of their use, none twice."""
    return ", ".join(dict.fromkeys(filter(None, devices)))
