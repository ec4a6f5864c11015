"""One concept's inverted clips in a folder: each clip, the noise that it began as, and the caption
that it stands for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch

from transporter.baselines.inversion import invert
from transporter.baselines.methods import Method, activation_maximisation, gradvit, leaps, maco
from transporter.baselines.settings import InversionSettings
from transporter.baselines.targets import InversionTarget
from transporter.baselines.verifier import Verifier
from transporter.clips.contrast import Concept, words_of
from transporter.clips.writing import write_video
from transporter.support.errors import UserError
from transporter.support.files import read_table, write_table, written_whole
from transporter.training.loop import CHECKPOINT, CURVE

METHODS = ("activation_maximisation", "gradvit", "maco", "leaps")
TARGETS = {"w": False, "w_dw": True}
"""Names of what is maximised, "w+" and "w+ + dw", to `VLMTarget`'s `difference`."""
INDEX = ("seed", "caption", "target_caption", "origin", "clip", "seconds_per_step")
SIDES = {"left", "right"}


@dataclass(frozen=True)
class Inverter:
    """What every inversion of one network into clips shares.

    `clips`: real clips `(T, C, H, W)`, for MACO's spectrum; `verifier` is called where a method
    needs one.
    """

    target: InversionTarget
    clips: Sequence[torch.Tensor]
    verifier: Callable[[], Verifier]
    settings: InversionSettings

    def method(self, name: str, stimulus: torch.Tensor) -> Method:
        """One of `METHODS`, for clips of the shape of the `stimulus` `(T, C, H, W)`, a real clip of
        the target.

        Raises:
            UserError: no such method.
        """
        shape, settings = tuple(stimulus.shape), self.settings
        makers: dict[str, Callable[[], Method]] = {
            "activation_maximisation": lambda: activation_maximisation(shape, settings),
            "gradvit": lambda: gradvit(self.target, shape, self.verifier(), settings),
            "maco": lambda: maco(self.clips, shape[-1]),
            "leaps": lambda: leaps(self.target, stimulus, self.verifier(), settings),
        }
        if name not in makers:
            raise UserError(f"baselines: expected one of {', '.join(makers)}, got {name!r}")
        return makers[name]()


def unmirrored(settings: InversionSettings, concept: Concept) -> InversionSettings:
    """The settings without mirrored clips where the concept is about sides, which a mirror
    changes.
    """
    return (
        replace(settings, flip=0.0)
        if SIDES & {*words_of(concept.source), *words_of(concept.target)}
        else settings
    )


def nearest(caption: str, captions: Sequence[str], concept: Concept | None = None) -> int:
    """Which of `captions` shares most words with `caption` (Jaccard index), the first of equals;
    with a concept, of those that hold its target word.

    Raises:
        UserError: none holds it.
    """
    words = set(words_of(caption))
    shared = {
        index: _jaccard(words, set(words_of(other)))
        for index, other in enumerate(captions)
        if concept is None or ((pair := concept.pair(other)) and pair[1] == other)
    }
    if not shared:
        word = concept.target if concept else "words"
        raise UserError(
            f"baselines: expected a clip whose caption holds {word!r}, found none among"
            f" {len(captions)}; add clips"
        )
    return max(shared, key=lambda index: shared[index])


def _jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def write_inversions(
    folder: str | os.PathLike[str],
    name: str,
    inverter: Inverter,
    contexts: Sequence[tuple[str, str]],
    stimuli: Sequence[torch.Tensor],
    fps: float,
    seed: int,
    checkpoints: Path,
) -> None:
    """Invert by the method `name` once per caption pair and stimulus, each from a noise of its own.

    Writes `clips/*.mp4`, `index.tsv` (columns of `INDEX`; `origin` is the noise that a clip began
    as; the seconds are the processor's, and missing for an inversion that was resumed) and
    `curve.tsv` into `folder`, which appears whole or not at all; `checkpoints` is kept until then.

    Raises:
        UserError: no such method.
    """
    rows, curves = [], []
    with written_whole(folder) as partial:
        (partial / "clips").mkdir(parents=True)
        for number, ((caption, target_caption), stimulus) in enumerate(
            zip(contexts, stimuli, strict=True), start=seed
        ):
            method, place = inverter.method(name, stimulus), checkpoints / str(number)
            videos = {
                "origin": method.start(torch.Generator().manual_seed(number))().detach().clamp(0, 1)
            }
            videos["clip"], seconds = _timed_inversion(inverter, method, number, place)
            files = {kind: f"clips/{kind}_seed{number}.mp4" for kind in videos}
            for kind, video in videos.items():
                write_video(partial / files[kind], video, fps)
            values = (number, caption, target_caption, files["origin"], files["clip"], seconds)
            rows.append(dict(zip(INDEX, values, strict=True)))
            curves.append(read_table(place / CURVE, ("step", "loss")).assign(seed=number))
        write_table(pd.DataFrame(rows), partial / "index.tsv")
        write_table(pd.concat(curves, ignore_index=True), partial / CURVE)


def _timed_inversion(
    inverter: Inverter, method: Method, seed: int, folder: Path
) -> tuple[torch.Tensor, float]:
    whole, start = not (folder / CHECKPOINT).exists(), time.process_time()
    video = invert(inverter.target, method, inverter.settings, seed, folder)
    return video, (time.process_time() - start) / inverter.settings.steps if whole else float("nan")
