"""How a training goes: smoothed losses, and what is measured beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from transporter.support.files import write_table


class Curve:
    """A printed line and a row of the table at `path`, each time that `write` is called.

    Args:
        path: tab-separated, written whole with each row; columns `step`, the terms of the loss, and
            what is measured beside them.
        fresh: share of a new value in the smoothed one, in (0, 1]; 1 smooths nothing.
    """

    def __init__(self, path: Path, fresh: float) -> None:
        self.path, self.fresh = path, fresh
        self.smooth: dict[str, float] = {}
        self.rows: list[dict[str, float]] = []

    def add(self, losses: Mapping[str, torch.Tensor]) -> None:
        """Take in the scalar terms of one step."""
        for name, tensor in losses.items():
            value = float(tensor)
            before = self.smooth.get(name, value)
            self.smooth[name] = (1 - self.fresh) * before + self.fresh * value

    def write(self, step: int, measured: Mapping[str, float], speed: float) -> None:
        """Add a row; `speed`, in steps per second, is printed alone."""
        values = {**self.smooth, **measured}
        self.rows.append({"step": step, **values})
        self._write()
        words = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
        print(f"step {step}: {words}, {speed:.2f} steps/s", flush=True)

    def state_dict(self) -> dict[str, Any]:
        return {"smooth": self.smooth, "rows": self.rows}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint; rows that were written after it leave the table."""
        self.smooth, self.rows = state["smooth"], state["rows"]
        if self.rows:
            self._write()

    def _write(self) -> None:
        write_table(pd.DataFrame(self.rows), self.path)
