"""Means and deviations of embeddings, a portion at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from transporter.clips.stored import Rows, at_once, portions

MEASURED = 2048
"""Rows at most that statistics are taken from, evenly spaced among all."""


def spread_rows(values: Rows) -> Iterator[tuple[torch.Tensor, int]]:
    """Portions of the rows that statistics are taken from, as float32, and the number of all."""
    count = min(len(values), MEASURED)
    chosen = torch.arange(count) * len(values) // count
    for part in portions(count, at_once(values)):
        yield values[chosen[part]].float(), count


def channel_moments(
    values: Rows, channel: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Deviation and mean of each channel of `(n, ...)`, over all other axes.

    Several portions are merged in double precision, by the updates of Chan, Golub and LeVeque.
    """
    rest = [axis for axis in range(len(values.shape)) if axis != channel]
    merged: tuple[torch.Tensor, torch.Tensor] | None = None
    seen = 0
    for part, total in spread_rows(values):
        part = part.to(device)
        if len(part) == total:
            return torch.std_mean(part, rest, correction=0)
        variance, mean = torch.var_mean(part.double(), rest, correction=0)
        merged = _merged(merged, seen, (variance, mean), len(part))
        seen += len(part)
    variance, mean = merged
    return variance.sqrt().float(), mean.float()


def _merged(
    one: tuple[torch.Tensor, torch.Tensor] | None,
    rows: int,
    other: tuple[torch.Tensor, torch.Tensor],
    more: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Variance and mean of both parts together."""
    if one is None:
        return other
    share = more / (rows + more)
    shift = other[1] - one[1]
    variance = one[0].lerp(other[0], share) + shift.square() * share * (1 - share)
    return variance, one[1] + shift * share
