"""The probes that evaluation uses: they read the seven attributes from pixels, and no method under
test ever sees them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from microworld.answers import best_words
from microworld.attributes import WORDS
from microworld.classifier import STRIDE, Classifier
from microworld.clips import checked
from microworld.rulers.analytic import AnalyticProbes
from microworld.sprite_faults import sprite_faults
from transporter.networks.frozen import frozen
from transporter.networks.pretrained import fill, read_json, refused_in_one_line
from transporter.support.errors import UserError
from transporter.support.files import written_whole
from transporter.support.tensors import read_tensors

CONFIG, WEIGHTS = "config.json", "model.safetensors"
CLIPS_AT_ONCE = 32
READERS = ("analytic", "classifier", "mean")
SOURCES: Mapping[str, str] = {**dict.fromkeys(WORDS, "analytic"), "shape": "mean", "size": "mean"}
"""What reads which attribute, by what each got wrong on 200 rendered clips and on their
reconstructions by the VAE.

The rulers err least on all but two: corners and edges are what a reconstruction blurs. Shapes named
right by rulers, classifier and their mean: rendered clips 100, 99, 100 %, of combinations held out
from training 100, 92, 100 %; reconstructed clips 94, 97, 98 %, of held-out combinations 87, 85, 91
%. For the size the mean takes a third off the rulers' error on reconstructions.
"""


class Probes:
    """For each attribute the ruler, the classifier, or the mean of both.

    Args:
        classifier: is frozen.
        sources: one of `READERS` for each attribute.
        device: where the probes compute, by default the CPU.
    """

    def __init__(
        self,
        classifier: Classifier,
        sources: Mapping[str, str] = SOURCES,
        device: torch.device | None = None,
    ) -> None:
        self.device = device or torch.device("cpu")
        self.classifier = frozen(classifier, self.device)
        self.analytic, self.sources = AnalyticProbes(), dict(sources)

    @property
    def vocabulary(self) -> dict[str, tuple[str, ...]]:
        """Attribute to its words, in the order of the probabilities."""
        return dict(WORDS)

    @torch.no_grad()
    def probabilities(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        """Clips `(B, T, 3, H, W)` in [0, 1] to attribute -> `(B, n)`, in the order of
        `attributes.WORDS`; rows sum to 1.

        Raises:
            UserError: clips of another size than the microworld's.
        """
        clips = checked(video, "probes").split(CLIPS_AT_ONCE)
        parts = [self._part(part.to(self.device)) for part in clips]
        return {name: _join(parts, name) for name in WORDS}

    @torch.no_grad()
    def features(self, video: torch.Tensor) -> torch.Tensor:
        """The classifier's features of clips `(B, T, 3, H, W)` in [0, 1], for a Fréchet distance:
        `(B, 128)`.

        Raises:
            UserError: clips of another size than the microworld's.
        """
        parts = checked(video, "probes").split(CLIPS_AT_ONCE)
        return torch.cat(
            [self.classifier.features(part[:, ::STRIDE].float().to(self.device)) for part in parts]
        )

    def words(self, video: torch.Tensor) -> list[dict[str, str]]:
        """The best fitting word of every attribute, for each clip of `(B, T, 3, H, W)`."""
        return best_words(self.probabilities(video))

    def faults(self, video: torch.Tensor) -> list[list[str]]:
        """What is wrong with the sprite, for each clip of `(B, T, 3, H, W)` in [0, 1]: some of
        `sprite_faults.FAULTS`.
        """
        return sprite_faults(video)

    def _part(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        analytic = self.analytic.probabilities(video)
        logits = self.classifier(video[:, ::STRIDE].float())
        classifier = {name: values.softmax(1) for name, values in logits.items()}
        mean = {name: (analytic[name] + classifier[name]) / 2 for name in WORDS}
        readings = {"analytic": analytic, "classifier": classifier, "mean": mean}
        return {name: readings[self.sources[name]][name] for name in WORDS}

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write `config.json` and `model.safetensors` (half precision) into `folder`; it appears
        whole or not at all.
        """
        with written_whole(folder) as partial:
            partial.mkdir()
            config = {"classifier": self.classifier.settings, "sources": self.sources}
            (partial / CONFIG).write_text(json.dumps(config, indent=1) + "\n")
            weights = {
                name: value.half().contiguous().cpu()
                for name, value in self.classifier.state_dict().items()
            }
            save_file(weights, partial / WEIGHTS)

    @classmethod
    def from_pretrained(
        cls, folder: str | os.PathLike[str], device: torch.device | None = None
    ) -> Probes:
        """Read what `save_pretrained` wrote.

        Raises:
            UserError: `folder` lacks a file, has a damaged one or weights of something else, or
                names a source that does not exist.
        """
        folder = Path(folder)
        config = _config(folder)
        with refused_in_one_line(folder / CONFIG, "the settings of a classifier"):
            classifier = Classifier(**config["classifier"])
        weights, _ = read_tensors(folder / WEIGHTS, "weights of trained probes")
        weights = {name: value.float() for name, value in weights.items()}
        fill(classifier, weights, folder / WEIGHTS)
        return cls(classifier, config["sources"], device)


def _join(parts: Sequence[Mapping[str, torch.Tensor]], name: str) -> torch.Tensor:
    """One attribute's probabilities of all clips, `(B, n)`."""
    return torch.cat([part[name] for part in parts])


def _config(folder: Path) -> dict[str, Any]:
    """The settings of saved probes, checked."""
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder}: expected trained probes, found no {name}; train some or point `probes`"
                " elsewhere"
            )
    config = read_json(folder / CONFIG)
    sources = config.get("sources")
    named = isinstance(sources, dict) and set(sources) == set(WORDS)
    if not named or not all(source in READERS for source in sources.values()):
        raise UserError(
            f"{folder / CONFIG}: expected analytic, classifier or mean for {', '.join(WORDS)}, got"
            f" {sources}"
        )
    return config
