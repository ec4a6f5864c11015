"""Every choice about the coupling network and its training, with the microworld's values as
defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from transporter.support.settings import read_settings

Output = Literal["transport", "phi_1", "phi_2", "mean", "plain"]


@dataclass(frozen=True)
class Phi1Settings:
    """The MLP-Mixer on latent patches (paper: depth 24)."""

    depth: int = 3
    width: int = 128
    """Channels of a patch inside the Mixer."""
    token_width: int = 128
    """Hidden units of the MLP across patches."""
    patch: tuple[int, int, int] = (1, 2, 2)
    """Latent cells per patch: time, height, width; each must divide the latent's size."""
    condition_tokens: int = 8
    """Tokens that the condition pi is pooled into and that are mixed in beside the patches; 0
    leaves pi out.
    """
    dropout: float = 0.1


@dataclass(frozen=True)
class Phi2Settings:
    """The Transformer on re-encoded tokens (paper: 12 layers)."""

    layers: int = 2
    width: int = 128
    heads: int = 4
    dropout: float = 0.0


@dataclass(frozen=True)
class TransportSettings:
    """rho-OT, which merges the outputs of both parts."""

    aggregate: Literal["costs", "plans", "gromov"] = "costs"
    """`costs`: the mean cost of all projections makes one plan; `plans`: the mean of one plan per
    projection; `gromov`: the mean of one sliced Gromov-Wasserstein matching per projection.
    """
    values: Literal["residual", "z1"] = "residual"
    """`residual`: z2 plus a gated transport of z1 - z2; `z1`: the barycentre of z1, as in the
    paper.
    """
    solver: Literal["scaling", "exact", "entropic"] = "scaling"
    """What makes a plan of costs: `scaling`: a few scalings of rows and columns; `entropic`: POT's
    Sinkhorn to its end; `exact`: POT's optimal matching, without entropy.
    """
    scaling_steps: int = 1
    """Row-and-column scalings after the softmax over columns; 0 leaves the softmax alone."""
    epsilon: float = 0.1
    """Entropic regularisation to start from, in units of one projection's squared distance between
    standardised tokens.
    """
    rate: float = 10.0
    """Learning rate of eps, stay and the gate relative to `lr`: single numbers that have far to go.
    """
    stay: float = 5.0
    """With `values: residual`: log-weight to start from of a token's own place in the plan; 0
    leaves the choice to the cost.
    """
    at_once: int = 8
    """Plans held in memory at once with `aggregate: plans` or `gromov`."""


@dataclass(frozen=True)
class CouplingSettings:
    """The network (`output` to `phi_2`) and its training (the rest)."""

    output: Output = "transport"
    """What the network gives out: rho-OT, or one of the ablations (either part, the mean of both,
    or decode-and-encode alone).
    """
    projections: int = 100
    """P, pairs of unit projection vectors of rho-OT."""
    transport: TransportSettings = field(default_factory=TransportSettings)
    phi_1: Phi1Settings = field(default_factory=Phi1Settings)
    phi_2: Phi2Settings = field(default_factory=Phi2Settings)
    steps: int = 400
    """Optimiser steps (paper: 100,000)."""
    batch: int = 32
    """Clips per forward pass (paper: 8)."""
    accumulate: int = 1
    """Forward passes per optimiser step (paper: 8)."""
    lr: float = 1e-3
    warm_up: int = 50
    """Steps of linear warm-up; a cosine decay to zero follows."""
    weight_decay: float = 0.05
    max_norm: float = 1.0
    """Gradients are clipped to this norm."""
    latent_noise: float = 0.05
    """Largest deviation of the noise added to a standardised latent (drawn per clip between 0 and
    this).
    """
    condition_shuffle: float = 0.0
    """Share of clips that are trained with another clip's condition, so that Phi reads the video
    and not the prompt.
    """
    log_every: int = 100
    save_every: int = 500

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], where: str = "coupling") -> CouplingSettings:
        """Read nested settings; keys left out keep their defaults.

        Raises:
            UserError: an unknown key, or a value of another type or outside its choices; the
                message names the key.
        """
        return read_settings(cls, mapping, where)

    def as_dict(self) -> dict[str, Any]:
        """Plain nested values, fit for JSON."""
        return asdict(self)
