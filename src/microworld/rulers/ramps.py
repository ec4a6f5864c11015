"""Soft thresholds, and from measurements to words."""

from __future__ import annotations

import torch

from microworld.attributes import END, HUE_WIDTH, HUES


def ramp(value: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """0 up to `low`, 1 from `high` on, linear between."""
    return ((value - low) / (high - low)).clamp(0, 1)


def at_share(values: torch.Tensor, share: float) -> torch.Tensor:
    """The quantile of the last axis without interpolation (`torch.quantile` refuses large
    batches).
    """
    return values.kthvalue(max(1, round(share * values.shape[-1])), dim=-1).values


def hue_probabilities(hue: torch.Tensor) -> torch.Tensor:
    """`Attributes.probabilities("colour")` for hues `(B,)`: `(B, 4)`."""
    hues = torch.as_tensor(HUES, dtype=hue.dtype, device=hue.device)
    upper = torch.searchsorted(hues, hue.contiguous(), right=True) % len(hues)
    lower = (upper - 1) % len(hues)
    gap = (hues[upper] - hues[lower]) % 1.0
    share = (((hue - hues[lower]) % 1.0 - HUE_WIDTH) / (gap - 2 * HUE_WIDTH)).clamp(0, 1)
    result = hue.new_zeros(len(hue), len(hues)).scatter_(1, lower[:, None], (1 - share)[:, None])
    return result.scatter_add_(1, upper[:, None], share[:, None])


def degree_probabilities(degree: torch.Tensor) -> torch.Tensor:
    """`Attributes.probabilities` of an attribute with two ends: `(B,)` to `(B, 2)`."""
    high = ((degree - END) / (1 - 2 * END)).clamp(0, 1)
    return torch.stack([1 - high, high], -1)
