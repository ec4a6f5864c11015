"""All rulers together: probes without weights."""

from __future__ import annotations

import torch

from microworld.clips import checked
from microworld.rulers.landscape import (
    daylight,
    ground_colour,
    ground_probabilities,
    row_colours,
)
from microworld.rulers.motion import measure_motion
from microworld.rulers.ramps import degree_probabilities, hue_probabilities
from microworld.rulers.shape import measure_shape
from microworld.rulers.sprite import find_sprite, sprite_hue


class AnalyticProbes:
    """Measures a clip with rulers instead of weights."""

    def measure(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        """Clips `(B, T, 3, H, W)` in [0, 1] to measurements, in pixels, unless said otherwise.

        `hue` (B,) in [0, 1); `x`, `y` (B, T) centroids; `dx`, `dy` (B,) displacement; `width`,
        `height` (B,) of the path's box; `path` (B,) vertical way there and back; `radius` (B,);
        `corners` (B, 2) strength of three and of four corners; `turns`, `bounces` (B,) best fitting
        numbers; `time` (B,) degree of daylight; `ground` (B, 3) colour of the ground by daylight;
        `shape` (B, 3), `motion` (B, 6) probabilities; `size`, `speed` (B,) degrees.

        Raises:
            UserError: clips of another size than the microworld's.
        """
        video = checked(video, "probes").float()
        rows = row_colours(video)
        time, sprite = daylight(rows), find_sprite(video, rows)
        shape = measure_shape(sprite)
        return {
            "time": time,
            "ground": ground_colour(rows, time),
            "hue": sprite_hue(video, sprite.mask),
            **shape,
            **measure_motion(video, sprite, shape["radius"]),
            "x": sprite.x,
            "y": sprite.y,
        }

    def probabilities(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        """How well each word of `attributes.WORDS` fits, per attribute `(B, n)`; rows sum to 1.

        Attributes with degrees follow the rule of `Attributes.probabilities`: linear between the
        named ends. So does the ground between its three named colours. Shape and motion are soft
        thresholds, 0 and 1 away from them.
        """
        measured = self.measure(video)
        return {
            "shape": measured["shape"],
            "colour": hue_probabilities(measured["hue"]),
            "size": degree_probabilities(measured["size"]),
            "motion": measured["motion"],
            "speed": degree_probabilities(measured["speed"]),
            "ground": ground_probabilities(measured["ground"]),
            "time": degree_probabilities(measured["time"]),
        }
