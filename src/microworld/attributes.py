"""What a microworld clip is made of, and the words that name it.

Seven attributes. Three are categories (`shape`, `motion`, `ground`), four have degrees: `speed`,
`size` and `time` are numbers in [0, 1] whose two ends carry a word, `colour` is a hue in [0, 1)
with four named points on its circle. Degrees are drawn from a continuum; a clip in between is
captioned without the word, so that a concept slider has something to slide on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

WORDS: Mapping[str, tuple[str, ...]] = {
    "shape": ("circle", "square", "triangle"),
    "colour": ("red", "yellow", "green", "blue"),
    "size": ("small", "large"),
    "motion": ("left", "right", "up", "down", "bounces", "spins"),
    "speed": ("slowly", "quickly"),
    "ground": ("grass", "snow", "sand"),
    "time": ("night", "day"),
}
"""Attribute -> its words; for attributes with degrees, in the order of the degree."""

DEGREES = ("size", "speed", "time")
HUES = np.array([0.0, 55 / 360, 125 / 360, 225 / 360])
"""Hue of each colour word, on the unit circle."""

END = 0.2
"""A degree within END of 0 or 1 is named by its word."""
HUE_WIDTH = 9 / 360
"""A hue within HUE_WIDTH of a named one carries its word."""
NAMED_SHARE = 0.72
"""Share of draws in which an attribute with degrees lies near a named end."""
COMBINED = ("shape", "colour", "motion", "ground")
"""Attributes some of whose combinations no training clip has: a ninth, see `Attributes.held_out`.
"""


@dataclass(frozen=True)
class Attributes:
    """The true attributes of one clip. `size`, `speed`, `time` in [0, 1] (night is 0); `hue` in [0,
    1).
    """

    shape: str
    hue: float
    size: float
    motion: str
    speed: float
    ground: str
    time: float

    def probabilities(self, attribute: str) -> np.ndarray:
        """How well each word of `attribute` fits: `(len(WORDS[attribute]),)`, sums to 1, linear
        between named points.
        """
        words = WORDS[attribute]
        if attribute == "colour":
            return _hue_probabilities(self.hue)
        if attribute in DEGREES:
            high = float(np.clip((getattr(self, attribute) - END) / (1 - 2 * END), 0, 1))
            return np.array([1 - high, high])
        return np.array([float(word == getattr(self, attribute)) for word in words])

    def word(self, attribute: str) -> str | None:
        """The word of `attribute`, or None in between two words."""
        probabilities = self.probabilities(attribute)
        best = int(probabilities.argmax())
        return WORDS[attribute][best] if probabilities[best] >= 1 - 1e-9 else None

    def words(self) -> dict[str, str | None]:
        return {attribute: self.word(attribute) for attribute in WORDS}

    def nearest_words(self) -> dict[str, str]:
        """Like `words`, with the best fitting word where none is exact."""
        return {name: WORDS[name][int(self.probabilities(name).argmax())] for name in WORDS}

    @property
    def held_out(self) -> bool:
        """Whether this combination is kept away from all training: 24 of 216, by two parity checks.

        Among them each word is as frequent as its neighbours, and any two attributes' words meet,
        once to four times. What is held out is then about as hard as what is not, but for being
        new.
        """
        nearest = self.nearest_words()
        shape, colour, motion, ground = (WORDS[name].index(nearest[name]) for name in COMBINED)
        return (shape + colour + motion) % 3 == 2 and (ground + colour - motion) % 3 == 0


def _hue_probabilities(hue: float) -> np.ndarray:
    """Linear between neighbouring named hues, outside their widths: `(4,)`."""
    result = np.zeros(len(HUES))
    upper = int(np.searchsorted(HUES, hue, side="right")) % len(HUES)
    lower = (upper - 1) % len(HUES)
    gap = (HUES[upper] - HUES[lower]) % 1.0
    position = (hue - HUES[lower]) % 1.0
    share = float(np.clip((position - HUE_WIDTH) / (gap - 2 * HUE_WIDTH), 0, 1))
    result[lower] += 1 - share
    result[upper] += share
    return result


def _draw_degree(rng: np.random.Generator) -> float:
    if rng.random() < NAMED_SHARE:
        return float(rng.uniform(0, END) if rng.random() < 0.5 else rng.uniform(1 - END, 1))
    return float(rng.uniform(END, 1 - END))


def _draw_hue(rng: np.random.Generator) -> float:
    if rng.random() < NAMED_SHARE:
        return float((rng.choice(HUES) + rng.uniform(-HUE_WIDTH, HUE_WIDTH)) % 1.0)
    return float(rng.random())


def draw_attributes(rng: np.random.Generator, held_out: bool | None = None) -> Attributes:
    """Draw one clip's attributes; `held_out` restricts to held-out (True) or training (False)
    combinations.
    """
    while True:
        attributes = Attributes(
            shape=str(rng.choice(WORDS["shape"])),
            hue=_draw_hue(rng),
            size=_draw_degree(rng),
            motion=str(rng.choice(WORDS["motion"])),
            speed=_draw_degree(rng),
            ground=str(rng.choice(WORDS["ground"])),
            time=_draw_degree(rng),
        )
        if held_out is None or attributes.held_out == held_out:
            return attributes
