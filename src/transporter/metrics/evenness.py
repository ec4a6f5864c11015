"""How evenly a VLM's answer moves along a slider, clip by clip; no model is read."""

from __future__ import annotations

import numpy as np

STILL = 0.05
"""Share of a clip's moves below which a step moves the answer hardly at all."""
COLUMNS = ("largest_step", "variation", "middle", "saturated")


def evenness(log_odds: np.ndarray) -> dict[str, float]:
    """Of clips' log-odds along a slider, `(clips, stops)`, by the size of each step's move.

    Medians over clips: `largest_step`, the largest step's share of a clip's moves (with four steps
    an even slider has 0.25, a switch 1); `variation`, their coefficient of variation (0, and 1.73);
    `middle`, the share of them behind at half of the stops. `saturated` is the share of all steps
    that hold less than `STILL` of their clip's. Clips whose answers do not move at all are left
    out; NaN where none is left.
    """
    sizes = np.abs(np.diff(log_odds, axis=1))  # (clips, stops - 1)
    sizes = sizes[sizes.sum(1) > 0]
    if not len(sizes):
        return dict.fromkeys(COLUMNS, float("nan"))
    shares = sizes / sizes.sum(1, keepdims=True)
    values = {
        "largest_step": np.median(shares.max(1)),
        "variation": np.median(shares.std(1) / shares.mean(1)),
        "middle": np.median([_halfway(clip) for clip in shares]),
        "saturated": (shares < STILL).mean(),
    }
    return {name: float(value) for name, value in values.items()}


def _halfway(shares: np.ndarray) -> float:
    """The share of the moves behind at the middle of the stops, between two of them if need be."""
    behind = np.concatenate([[0.0], shares.cumsum()])
    return float(np.interp(len(shares) / 2, np.arange(len(behind)), behind))
