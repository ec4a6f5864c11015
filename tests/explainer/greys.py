"""Stand-ins of known behaviour: clips are plain grey, the generator's condition is a caption's
brightness, and the VLM says "bright" above a threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.clips.split import FROM_THE_START, Reading
from transporter.explainer.clip_edits import ClipEdits
from transporter.explainer.location import Location
from transporter.explainer.video_questions import VideoQuestions
from transporter.generation.editing import Editing
from transporter.generators.base import Generator, Sampling
from transporter.generators.condition import Condition
from transporter.support.errors import UserError

LIGHT = Concept("light", "scene", "dark", "bright", "how light is it ?")
LEVELS = {"dark": 0.2, "bright": 0.8, "lamp": 1.6, "candle": 0.3}
"""How bright a caption's words are, together."""
PLAIN = Editing(steps=4, source_guidance=1.0, target_guidance=1.0)
T, SIDE = 5, 16


class _Greys:
    """Latents are the clips' greys, `(B, 1, 1, 1, 1)`."""

    fps = 8.0
    device = torch.device("cpu")
    video_shape = (T, 3, SIDE, SIDE)

    def sigmas(self, steps: int) -> list[float]:
        return [1 - step / steps for step in range(steps + 1)]

    unconditional = Generator.unconditional

    def encode_text(self, captions: Sequence[str]) -> Condition:
        levels = [[level for word, level in LEVELS.items() if word in text] for text in captions]
        values = torch.tensor([[[sum(found)]] for found in levels])
        return Condition(values.repeat(1, 1, 2))

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video.mean((1, 2, 3, 4)).view(-1, 1, 1, 1, 1)

    def decode(self, z_xi: torch.Tensor) -> torch.Tensor:
        return z_xi.view(-1, 1, 1, 1, 1).expand(-1, T, 3, SIDE, SIDE)

    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        grey = condition.embeddings.mean((1, 2)).view(-1, 1, 1, 1, 1)
        return (z_t - grey) / sigma.view(-1, 1, 1, 1, 1)


class _Eye:
    """A VLM that is sure by how far the grey lies above the threshold."""

    device = torch.device("cpu")

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video.mean((1, 2, 3, 4))

    def caption(self, tokens: torch.Tensor) -> list[str]:
        return ["a dark room" for _ in tokens]


def reader(threshold: float = 0.5, power: int = 1) -> SimpleNamespace:
    """`power` 3 makes the answer nearly still about the threshold, and steep far from it."""

    def log_odds(tokens: torch.Tensor, concept: Concept) -> torch.Tensor:
        odds = 10 * (tokens - threshold) ** power
        return odds if concept.target == "bright" else -odds

    return SimpleNamespace(generator=_Greys(), vlm=_Eye(threshold), log_odds=log_odds)


def grey(level: float) -> torch.Tensor:
    return torch.full((T, 3, SIDE, SIDE), level)


class GreysExplainer(VideoQuestions):
    """An explainer of the stand-ins, whose `made` lists the strengths that were asked for, and
    `located` the words.
    """

    sampling = Sampling(4, 1.0)
    coupling = lpips = None
    concepts = {"light": LIGHT}  # noqa: RUF012
    words = {}  # noqa: RUF012

    def __init__(self, threshold: float = 0.5, reading: Reading = FROM_THE_START) -> None:
        self._reader = reader(threshold)
        self.generator, self.vlm = self._reader.generator, self._reader.vlm
        self.reading, self.made, self.located = reading, [], []

    @property
    def reader(self) -> SimpleNamespace:
        return self._reader

    def _editing(self, editing: Editing | None) -> Editing:
        return PLAIN

    def edits(self, *arguments: object, **options: object) -> ClipEdits:
        edits = super().edits(*arguments, **options)
        made = self.made

        class Listed(ClipEdits):
            def at(self, phis: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
                made.extend(phis)
                return super().at(phis)

        return Listed(**vars(edits))

    def locate(self, video: torch.Tensor, word: str, caption: str | None = None) -> Location:
        """Every word is on the left, and most of it in the last frame but one."""
        self.located.append((word, caption))
        left = torch.tensor([[1.0, -1.0]] * 2).repeat(T, 1, 1)
        time = torch.zeros(T, 2, 2)
        time[-2] = 1
        return Location(word, caption or "a dark room", video, self.generator.fps, left, time)

    def discover(self, video: torch.Tensor, question: str, caption: str) -> tuple[str, object]:
        raise UserError("no word of the table")

    def discover_pairs(self, *asked: object) -> pd.DataFrame:
        return pd.DataFrame(columns=["word", "instead", "moves"])
