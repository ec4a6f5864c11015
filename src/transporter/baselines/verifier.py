"""A second network that knows what real videos look like: the statistics of its channels are a
prior of videos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from transporter.baselines.terms import multipliers
from transporter.networks.hooks import Features, Layer, batch_norms, recorded
from transporter.support.errors import UserError


@dataclass(frozen=True)
class Running:
    """What a layer's channels are like on real videos: `mean` and `variance` `(C,)`."""

    mean: torch.Tensor
    variance: torch.Tensor

    def distance(self, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        """How far the moments `(C,)` of other videos are, a scalar: root mean squares over channels
        of both differences, added up.

        **Ours:** in units of the layer's mean running variance, and a mean over channels. The
        published norms of plain differences mean little, since a batch normalisation makes the
        scale of its input arbitrary: on I3D their sum over layers began at 30,000, where the
        cross-entropy was 11.
        """
        scale = self.variance.mean().clamp_min(1e-12)
        apart = ((mean - self.mean) / scale.sqrt(), (variance - self.variance) / scale)
        return sum(difference.norm() / len(difference) ** 0.5 for difference in apart)


@dataclass(frozen=True)
class Verifier:
    """A network on clips `(1, T, C, H, W)` in [0, 1], some of its layers, and their statistics."""

    network: Callable[[torch.Tensor], Any]
    layers: tuple[Layer, ...]
    running: Mapping[str, Running]

    @classmethod
    def of_batch_norms(cls, network: nn.Module) -> Verifier:
        """All batch normalisations with the statistics that they keep (DeepInversion, GradViT,
        LEAPS).

        Raises:
            UserError: the network has none; `measured` serves it.
        """
        layers = batch_norms(network)
        if not layers:
            raise UserError(
                f"verifier: expected batch normalisations, {type(network).__name__} has none;"
                " measure its statistics"
            )
        running = {
            layer.name: Running(layer.module.running_mean, layer.module.running_var)
            for layer in layers
        }
        return cls(network, layers, running)

    @classmethod
    @torch.no_grad()
    def measured(
        cls,
        network: Callable[[torch.Tensor], Any],
        layers: Sequence[Layer],
        clips: Iterable[torch.Tensor],
    ) -> Verifier:
        """Any network, its statistics measured on real clips `(T, C, H, W)`: mean and variance over
        all clips and positions.

        **Ours**, for networks without batch normalisation.

        Raises:
            UserError: no clip or no layer.
        """
        sums: dict[str, list[torch.Tensor]] = {}
        for clip in clips:
            with recorded(layers) as features:
                network(clip[None])
            for name, feature in features.items():
                values = feature.positions().double()
                new = [torch.tensor(float(len(values))), values.sum(0), values.square().sum(0)]
                sums[name] = (
                    [a + b for a, b in zip(sums[name], new, strict=True)] if name in sums else new
                )
        if not sums:
            raise UserError(
                "verifier: expected at least one clip and one layer to measure statistics with, got"
                " none"
            )
        return cls(network, tuple(layers), {name: _running(*parts) for name, parts in sums.items()})

    def read(self, video: torch.Tensor) -> dict[str, Features]:
        """The layers' features of a clip `(1, T, C, H, W)` in [0, 1]."""
        with recorded(self.layers) as features:
            self.network(video)
        return features

    def distance(self, features: Mapping[str, Features], first: float = 0.0) -> torch.Tensor:
        """Sum over layers of lambda_l times `Running.distance`, a scalar.

        `first` sets the layers' multipliers (`terms.multipliers`); 0 weighs all alike.
        """
        weights = multipliers(len(features), first) if first else [1.0] * len(features)
        return sum(
            weight * self.running[name].distance(*feature.moments())
            for weight, (name, feature) in zip(weights, features.items(), strict=True)
        )


def _running(count: torch.Tensor, total: torch.Tensor, squares: torch.Tensor) -> Running:
    mean = total / count
    variance = squares / count - mean.square()
    return Running(mean.float(), variance.float())
