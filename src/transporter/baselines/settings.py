"""Every choice about the inversion of a network, with the published values as defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from annotated_types import Le

from transporter.support.settings import (
    Cells,
    Count,
    Positive,
    Share,
    Weight,
    Whole,
    read_settings,
    section,
)


@section
class InversionSettings:
    """The loop (`steps` to `flip`), the weights of the terms (`l2` to `patch_prior`), and what the
    terms need.

    Optimiser, augmentation, `l2` and the layers' multipliers are those of LEAPS (paper and
    published code); so is r = .05, though the terms that it weighs are means over channels here.
    **Ours:** the other weights, `noise` and `margin`.
    """

    steps: Count = 3000
    """Optimiser steps; published are 3000."""
    lr: Positive = 0.6
    """Learning rate of Adam, for pixels in [-1, 1] or phases in radians; published is 0.6."""
    warm_up: Whole = 100
    """Steps of linear warm-up; a cosine decay follows."""
    lr_floor: Weight = 5e-3
    """Learning rate that the decay ends at."""
    beta_1: Share = 0.5
    """Of Adam."""
    beta_2: Share = 0.9
    """Of Adam."""
    noise: Weight = 0.45
    """Standard deviation of the pixels in [-1, 1] to start from."""
    jitter: Annotated[Whole, Le(8192)] = 30
    """Largest random shift in pixels, along both axes."""
    flip: Share = 0.5
    """Probability of a mirrored clip; always 0 for concepts of left and right."""
    l2: Weight = 0.005
    """Weight of the L2 penalty."""
    priming: Weight = 1.0
    """Weight of LEAPS's priming by a real clip."""
    coherence: Weight = 0.05
    """Weight of LEAPS's temporal coherence, its r."""
    statistics: Weight = 0.05
    """Weight of the distance to a second network's channel statistics: LEAPS's r, and GradViT's
    weight of the same.
    """
    patch_prior: Weight = 1.0
    """Weight of GradViT's patch prior."""
    first_layer: Weight = 10.0
    """Multiplier of the first layer; layer l after it has 1 + first_layer / l."""
    margin: Weight = 1.0
    """delta: mean absolute distance per channel that embeddings of frames that are not consecutive
    should have.
    """
    patch: Cells = (2, 16, 16)
    """Frames, rows and columns of a patch of the VLM."""
    prior_from: Share = 0.5
    """GradViT's schedule: share of the steps with the target alone, before the priors join."""
    log_every: Count = 50
    """Steps between two lines of the curve."""
    save_every: Count = 250
    """Steps between two checkpoints; never more than a quarter of all."""

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], where: str = "baselines"
    ) -> InversionSettings:
        """Read settings; keys left out keep their defaults.

        Raises:
            UserError: an unknown key, or a value of another type; the message names the key.
        """
        return read_settings(cls, mapping, where)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return asdict(self)
