"""Every choice about the inversion of a network, with the published values as defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from transporter.support.settings import read_settings


@dataclass(frozen=True)
class InversionSettings:
    """The loop (`steps` to `flip`), the weights of the terms (`l2` to `patch_prior`), and what the
    terms need.

    Optimiser, augmentation, `l2` and the layers' multipliers are those of LEAPS (paper and
    published code); so is r = .05, though the terms that it weighs are means over channels here.
    **Ours:** the other weights, `noise` and `margin`.
    """

    steps: int = 3000
    lr: float = 0.6
    """Adam's, for pixels in [-1, 1] or phases in radians."""
    warm_up: int = 100
    """Steps of linear warm-up; a cosine decay follows."""
    lr_floor: float = 5e-3
    """The decay ends here."""
    beta_1: float = 0.5
    beta_2: float = 0.9
    noise: float = 0.45
    """Standard deviation of the pixels in [-1, 1] to start from."""
    jitter: int = 30
    """Largest random shift in pixels, along both axes."""
    flip: float = 0.5
    """Probability of a mirrored clip; 0 for classes that a mirror changes, as left and right."""
    l2: float = 0.005
    priming: float = 1.0
    coherence: float = 0.05
    """LEAPS's r, for temporal coherence."""
    statistics: float = 0.05
    """LEAPS's r, for the distance to a verifier's statistics; GradViT's weight of the same."""
    patch_prior: float = 1.0
    first_layer: float = 10.0
    """Multiplier of the first layer; layer l after it has 1 + first_layer / l."""
    margin: float = 1.0
    """delta: mean absolute distance per channel that embeddings of frames that are not consecutive
    should have.
    """
    patch: tuple[int, int, int] = (2, 16, 16)
    """Frames, rows and columns of a patch of the attacked network."""
    prior_from: float = 0.5
    """GradViT's schedule: share of the steps with the target alone, before the priors join."""
    log_every: int = 50
    save_every: int = 250

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
