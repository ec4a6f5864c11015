"""Training of the classifier of all attributes, on freshly rendered clips that are blurred, noisy
or seen through the VAE, and how well all probes read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan

from microworld.attributes import WORDS, Attributes
from microworld.classifier import STRIDE, Classifier
from microworld.clips import Clips, random_state
from microworld.probes import READERS, SOURCES, Probes
from microworld.training.precision import half_precision
from microworld.training.vae import TrainedVAE, through_vae
from transporter.training.loop import Losses, own_randomness, train
from transporter.training.optimiser import muon_adamw
from transporter.training.schedule import Schedule, Summary

EVERY_SECOND = slice(None, None, STRIDE)
"""The frames that the classifier looks at."""
VAE_FROM = 0.75
"""Share of the training after which a quarter of the clips are reconstructions of the VAE."""


def augment(video: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Blur, colour cast, contrast and noise, each of its own strength per clip and often none;
    `(B, T, C, H, W)` in [0, 1].
    """

    def strength(share: float, *shape: int) -> torch.Tensor:
        strengths = torch.rand(len(video), *shape, 1, 1, generator=generator)
        return strengths * (torch.rand(len(video), 1, 1, 1, 1, generator=generator) < share)

    flat = video.flatten(0, 1)
    fine = F.avg_pool2d(flat, 3, 1, 1, count_include_pad=False).view_as(video)
    coarse = F.interpolate(F.avg_pool2d(flat, 2), scale_factor=2.0, mode="bilinear").view_as(video)
    video = video.lerp(fine, strength(0.4, 1, 1)).lerp(coarse, strength(0.25, 1, 1))
    gain = 1 + 0.06 * (2 * torch.rand(len(video), 1, 3, 1, 1, generator=generator) - 1)
    shift = 0.02 * (2 * torch.rand(len(video), 1, 3, 1, 1, generator=generator) - 1)
    noise = 0.05 * strength(0.5, 1, 1) * torch.randn(video.shape, generator=generator)
    return (video * gain + shift + noise).clamp(0, 1)


def train_probes(
    folder: Path, schedule: Schedule, vae_folder: Path, batch: int = 32
) -> tuple[Classifier, Summary]:
    """Train the classifier, resumable in `folder`; in the last quarter of the steps a quarter of
    the clips come from the VAE.
    """
    with own_randomness(schedule.device):
        torch.manual_seed(schedule.seed)
        model = Classifier().to(schedule.device)
    vae = TrainedVAE(vae_folder, schedule.device)

    def loss(step: int, generator: torch.Generator) -> Losses:
        clips = Clips.draw(batch, random_state(generator))
        frames = clips.video(EVERY_SECOND)
        if step >= VAE_FROM * schedule.steps:
            some = slice(batch // 4)
            frames[some] = vae.reconstruct(clips[some])[:, EVERY_SECOND]
        with half_precision(schedule.device):
            logits = model(augment(frames, generator).to(schedule.device))
        return _loss_terms(logits, clips)

    optimisers = muon_adamw(model.named_parameters(), muon_lr=0.02, adam_lr=2e-3)
    trained, summary = train(
        model, optimisers, loss, schedule, folder, identity=[batch, vae.identity]
    )
    return trained.eval(), summary


def _loss_terms(logits: Mapping[str, torch.Tensor], clips: Clips) -> Losses:
    """Cross-entropy of each attribute's logits `(B, words)`, and their sum."""
    terms = {}
    for name in WORDS:
        target = clips.targets(name).to(logits[name].device)
        # the entropy of the soft target is no error
        terms[name] = (
            F.cross_entropy(logits[name].float(), target)
            + torch.xlogy(target, target).sum(1).mean()
        )
    return {"loss": sum(terms.values()), **{name: term.detach() for name, term in terms.items()}}


def _score(
    readings: Mapping[str, torch.Tensor], attributes: Sequence[Attributes]
) -> dict[str, dict[str, float]]:
    """`accuracy`: share of the clips named exactly by a word whose likeliest word is that one;
    `error`: of the probabilities.
    """
    scores: dict[str, dict[str, float]] = {"accuracy": {}, "error": {}}
    for name, values in readings.items():
        target = torch.from_numpy(np.stack([a.probabilities(name) for a in attributes]))
        exact = target.amax(1) > 1 - 1e-9
        right = (values.argmax(1) == target.argmax(1))[exact]
        scores["accuracy"][name] = float(right.float().mean())
        scores["error"][name] = float((values - target).abs().amax(1).mean())
    return scores


@torch.no_grad()
def report_probes(
    classifier: Classifier, clips: int, seed: int, vae: AutoencoderKLWan | None = None
) -> pd.DataFrame:
    """How well each reader reads fresh clips: columns `clips`, `source`, `score`, then one per
    attribute.

    Clips are those of seen combinations of attributes, of held-out ones, and seen ones `augmented`
    and, with `vae`, `reconstructed`. Scores are the `accuracy` on words and the mean `error`, the
    largest difference to `Attributes.probabilities`.
    """
    readers = {source: Probes(classifier, dict.fromkeys(WORDS, source)) for source in READERS}
    readers["chosen"] = Probes(classifier, SOURCES)
    rows = []
    for kind, (attributes, video) in _samples(clips, seed, vae).items():
        for source, reader in readers.items():
            scores = _score(reader.probabilities(video), attributes)
            rows += [
                {"clips": kind, "source": source, "score": score, **by_attribute}
                for score, by_attribute in scores.items()
            ]
    return pd.DataFrame(rows)


def _samples(
    count: int, seed: int, vae: AutoencoderKLWan | None
) -> dict[str, tuple[list[Attributes], torch.Tensor]]:
    """Attributes and video `(n, T, 3, H, W)` of every kind of clips."""
    rng = np.random.default_rng(seed)
    seen, held_out = Clips.draw(count, rng), Clips.draw(count, rng, held_out=True)
    video = seen.video()
    kinds = {
        "seen": (seen.attributes, video),
        "held_out": (held_out.attributes, held_out.video()),
        "augmented": (seen.attributes, augment(video, torch.Generator().manual_seed(seed))),
    }
    if vae is not None:
        parts = [through_vae(vae, part) for part in video.split(8)]
        kinds["reconstructed"] = seen.attributes, torch.cat(parts)
    return kinds
