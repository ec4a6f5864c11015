"""Every choice about the coupling network and its training, with the microworld's values as
defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from annotated_types import Le

from transporter.support.settings import (
    Cells,
    Count,
    Depth,
    Dropout,
    Positive,
    Share,
    Size,
    Times,
    Weight,
    Whole,
    read_settings,
    section,
)

Output = Literal["transport", "phi_1", "phi_2", "mean", "plain"]


@section
class Phi1Settings:
    """The MLP-Mixer on the generator's latents."""

    depth: Depth = 3
    """Layers (paper: 24)."""
    width: Size = 128
    """Channels of a patch."""
    token_width: Size = 128
    """Hidden units of the map across patches."""
    patch: Cells = (1, 2, 2)
    """Latent cells per patch in time, height and width; each must divide the latent's size."""
    condition_tokens: Annotated[Whole, Le(10_000)] = 8
    """Tokens that the text condition is pooled into; 0 leaves the text out."""
    dropout: Dropout = 0.1
    """Share of activations dropped in training."""


@section
class Phi2Settings:
    """The Transformer on tokens that were decoded and encoded again."""

    layers: Depth = 2
    """Layers (paper: 12)."""
    width: Size = 128
    """Channels of a token."""
    heads: Depth = 4
    """Attention heads."""
    dropout: Dropout = 0.0
    """Share of activations dropped in training."""


@section
class TransportSettings:
    """rho-OT, which merges the tokens of both parts."""

    aggregate: Literal["costs", "plans", "gromov"] = "costs"
    """`costs`: one plan of the mean cost of all projections; `plans`: the mean of one plan per
    projection, as in the paper; `gromov`: the mean of one sliced Gromov-Wasserstein matching per
    projection, an ablation.
    """
    values: Literal["residual", "z1"] = "residual"
    """`residual`: Phi_2's tokens and a gated transport of their difference from Phi_1's; `z1`:
    transported tokens of Phi_1, as in the paper.
    """
    solver: Literal["scaling", "exact", "entropic"] = "scaling"
    """What makes a plan of costs: `scaling`: a few scalings of rows and columns; `entropic`: POT's
    Sinkhorn to its end; `exact`: POT's optimal matching, without entropy. The last two are
    ablations.
    """
    scaling_steps: Annotated[Whole, Le(10_000)] = 1
    """Scalings of rows and columns after the softmax over columns; 0 is the softmax alone."""
    epsilon: Positive = 0.1
    """Entropic regularisation to start from, in units of one projection's squared distance between
    standardised tokens; it is learnt.
    """
    rate: Positive = 10.0
    """Learning rate of `epsilon`, `stay` and the gate relative to `lr`: single numbers that have
    far to go.
    """
    stay: Weight = 5.0
    """With `values` `residual`: log-weight to start from of a token's own place in the plan; 0
    leaves the choice to the cost.
    """
    at_once: Times = 8
    """Plans held in memory at once with `aggregate` `plans` or `gromov`."""


@section
class CouplingSettings:
    """The network Phi from the generator's latents to the VLM's tokens (`output` to `phi_2`), and
    its training (the rest).
    """

    output: Output = "transport"
    """What the network gives out: rho-OT (`transport`), or an ablation: either part, their mean, or
    decoding and encoding again (`plain`).
    """
    projections: Times = 100
    """Number P of learnable projections in rho-OT."""
    transport: TransportSettings = TransportSettings()
    phi_1: Phi1Settings = Phi1Settings()
    phi_2: Phi2Settings = Phi2Settings()
    steps: Count = 400
    """Optimiser steps (paper: 100,000)."""
    batch: Size = 32
    """Clips per forward pass (paper: 8)."""
    accumulate: Size = 1
    """Forward passes per optimiser step (paper: 8)."""
    lr: Positive = 0.001
    """Learning rate of AdamW."""
    warm_up: Whole = 50
    """Steps of linear warm-up; a cosine decay to zero follows."""
    weight_decay: Weight = 0.05
    """Weight decay of linear maps."""
    max_norm: Positive = 1.0
    """Norm that gradients are clipped to."""
    latent_noise: Weight = 0.05
    """Largest deviation of the noise that is added to standardised latents."""
    condition_shuffle: Share = 0.0
    """Share of clips that are trained with another clip's text, so that Phi reads the video and not
    the prompt.
    """
    log_every: Count = 100
    """Steps between two lines of the curve."""
    save_every: Count = 500
    """Steps between two checkpoints; never more than a quarter of all."""

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


def share_complaint(processes: int, accumulate: int) -> str | None:
    """Why so many processes cannot share the passes of a step equally; None where they can."""
    if accumulate % processes == 0:
        return None
    multiple = processes * -(-accumulate // processes)
    return (
        f"expected a multiple of coupling.processes ({processes}), which share the passes of a"
        f" step, got {accumulate}; set accumulate: {multiple} and a smaller batch, or fewer"
        " processes"
    )
