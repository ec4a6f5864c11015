"""Clips that show composition, step injection and partial frames, and the VLM's log-odds
for them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.clips.writing import write_video
from transporter.concepts.bank import ConceptBank
from transporter.generation.sweeps import composed, sweep
from transporter.generation.trials import PARTIAL_FRAMES, SWAPPED, Demonstration, Trial
from transporter.generators.base import Generator, Sampling
from transporter.generators.modulation import WHOLE, covered
from transporter.support.files import write_table, written_whole
from transporter.vlms.base import VLM

INDEX = (
    "figure",
    "method",
    "concepts",
    "seed",
    "caption",
    "clip",
    "first",
    "last",
    "of",
    "concept",
    "phi",
    "log_odds",
)


def write_demonstrations(
    folder: str | os.PathLike[str],
    shown: Sequence[Demonstration],
    captions: Mapping[str, Sequence[str]],
    generator: Generator,
    vlm: VLM,
    bank: ConceptBank,
    sampling: Sampling,
    seed: int = 0,
) -> None:
    """Make every trial's clips, one per caption of its demonstration (`captions`, by name), each
    from its own noise.

    Writes `clips/*.mp4` and `index.tsv` (columns of `INDEX`: one row per clip and concept that the
    VLM is asked for; `first` and `last` of `of` steps or latent frames are modulated, counted from
    1) into `folder`, which appears whole or not at all.
    """
    rows: list[dict[str, object]] = []
    with written_whole(folder) as partial:
        (partial / "clips").mkdir(parents=True)
        for demonstration in shown:
            own = captions[demonstration.name]
            for number, trial in enumerate(demonstration.trials):
                video = _videos(demonstration, trial, own, generator, bank, sampling, seed)
                odds = _log_odds(video, demonstration.concepts, vlm)
                for place, clip in enumerate(video):
                    trial_name = f"{demonstration.figure}_{demonstration.name}_{number}"
                    name = f"clips/{trial_name}_seed{seed + place}.mp4"
                    write_video(partial / name, clip, generator.fps)
                    values = (
                        demonstration.figure,
                        trial.method,
                        demonstration.name,
                        seed + place,
                        own[place],
                        name,
                    )
                    for concept in demonstration.concepts:
                        read = (
                            concept.name,
                            trial.strengths[concept.name],
                            odds[concept.name][place],
                        )
                        span = _span(demonstration.figure, trial, generator, sampling)
                        rows.append(dict(zip(INDEX, (*values, *span, *read), strict=True)))
            print(
                f"{demonstration.figure}, {demonstration.name}: {len(demonstration.trials)} x"
                f" {len(own)} clips",
                flush=True,
            )
        write_table(pd.DataFrame(rows), partial / "index.tsv")


def _videos(
    demonstration: Demonstration,
    trial: Trial,
    captions: Sequence[str],
    generator: Generator,
    bank: ConceptBank,
    sampling: Sampling,
    seed: int,
) -> torch.Tensor:
    """The trial's clips `(B, T, C, H, W)` of B captions."""
    condition = generator.encode_text(captions)
    if trial.method == SWAPPED:
        words = [_with_targets(caption, demonstration.concepts, trial) for caption in captions]
        change = max(trial.strengths.values()) * (generator.encode_text(words) - condition)
    else:
        change = composed(bank, condition, trial.strengths)
    frames = trial.share if demonstration.figure == PARTIAL_FRAMES else WHOLE
    steps = WHOLE if demonstration.figure == PARTIAL_FRAMES else trial.share
    z = sweep(
        generator,
        condition,
        change,
        [1.0],
        range(seed, seed + len(condition)),
        sampling,
        steps,
        frames,
    )
    return torch.cat([generator.decode(part).clamp(0, 1) for part in z[:, 0].split(sampling.batch)])


def _with_targets(caption: str, concepts: Sequence[Concept], trial: Trial) -> str:
    """The caption with the words of all concepts that act swapped."""
    for concept in concepts:
        if trial.strengths[concept.name]:
            caption = concept.swap(caption) or caption
    return caption


@torch.no_grad()
def _log_odds(video: torch.Tensor, concepts: Sequence[Concept], vlm: VLM) -> dict[str, list[float]]:
    """Target against source word of every concept, in nats, as the VLM reads the clips
    `(B, T, C, H, W)`.
    """
    tokens = vlm.encode(video)
    odds = {}
    for concept in concepts:
        source, target = vlm.log_probs(
            tokens, concept.question, (concept.source, concept.target)
        ).unbind(-1)
        odds[concept.name] = (target - source).tolist()
    return odds


def _span(
    figure: str, trial: Trial, generator: Generator, sampling: Sampling
) -> tuple[int, int, int]:
    """First and last step or latent frame that is modulated, and how many there are; (0, 0) where
    none is.
    """
    count = generator.latent_shape[1] if figure == PARTIAL_FRAMES else sampling.steps
    places = covered(trial.share, count)
    return (places[0] + 1, places[-1] + 1, count) if places else (0, 0, count)
