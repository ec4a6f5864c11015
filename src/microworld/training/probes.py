"""The trained judge: a classifier of all attributes, on freshly rendered clips that are blurred,
noisy or seen through the VAE.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan

from microworld.attributes import WORDS, Attributes
from microworld.probes import SOURCES, STRIDE, Classifier, Probes
from microworld.training.precision import half_precision
from microworld.clips import Clips, random_state
from microworld.training.vae import through_vae
from transporter.training.loop import Schedule, Summary, fit
from transporter.training.optimiser import MuonAdamW

SHOWN = slice(None, None, STRIDE)
"""The frames that the classifier looks at."""
VAE_FROM = 0.75
"""Share of the training after which a quarter of the clips are reconstructions of the VAE."""


def augment(video: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Blur, colour cast, contrast and noise, each of its own strength per clip and often none;
    `(B, T, C, H, W)` in [0, 1].
    """

    def strength(share: float, *shape: int) -> torch.Tensor:
        drawn = torch.rand(len(video), *shape, 1, 1, generator=generator)
        return drawn * (torch.rand(len(video), 1, 1, 1, 1, generator=generator) < share)

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
    torch.manual_seed(schedule.seed)
    model = Classifier().to(schedule.device)
    load_vae = cache(
        lambda: AutoencoderKLWan.from_pretrained(vae_folder).to(schedule.device).eval()
    )
    optimiser = MuonAdamW(model.named_parameters(), muon_lr=0.02, adam_lr=2e-3)

    def loss(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        clips = Clips.draw(batch, random_state(generator))
        reconstructed = batch // 4 if step >= VAE_FROM * schedule.steps else 0
        frames = clips.video(SHOWN)
        if reconstructed:
            frames[:reconstructed] = through_vae(load_vae(), clips[:reconstructed].video())[
                :, SHOWN
            ]
        with half_precision(schedule.device):
            logits = model(augment(frames, generator).to(schedule.device))
        terms = {}
        for name in WORDS:
            target = clips.targets(name).to(schedule.device)
            # the entropy of the soft target is no error
            terms[name] = (
                F.cross_entropy(logits[name].float(), target)
                + torch.xlogy(target, target).sum(1).mean()
            )
        return {
            "loss": sum(terms.values()),
            **{name: term.detach() for name, term in terms.items()},
        }

    trained, summary = fit(model, optimiser, loss, schedule, folder)
    return trained.eval(), summary


def _score(
    read: dict[str, torch.Tensor], attributes: list[Attributes]
) -> dict[str, dict[str, float]]:
    """`accuracy`: share of the clips named exactly by a word whose likeliest word is that one;
    `error`: of the probabilities.
    """
    scores: dict[str, dict[str, float]] = {"accuracy": {}, "error": {}}
    for name, values in read.items():
        target = torch.from_numpy(np.stack([a.probabilities(name) for a in attributes]))
        named = target.amax(1) > 1 - 1e-9
        scores["accuracy"][name] = float(
            (values.argmax(1) == target.argmax(1))[named].float().mean()
        )
        scores["error"][name] = float((values - target).abs().amax(1).mean())
    return scores


@torch.no_grad()
def report_probes(
    classifier: Classifier, clips: int, seed: int, vae: AutoencoderKLWan | None = None
) -> pd.DataFrame:
    """How well each judge reads fresh clips: columns `clips`, `judge`, `score`, then one per
    attribute.

    Clips are those of seen combinations of attributes, of held-out ones, and seen ones `augmented`
    and, with `vae`, `reconstructed`. Scores are the `accuracy` on words and the mean `error`, the
    largest difference to `Attributes.probabilities`.
    """
    rng, rows = np.random.default_rng(seed), []
    drawn = {
        kind: Clips.draw(clips, rng, held_out=kind == "held_out") for kind in ("seen", "held_out")
    }
    shown = {kind: (part.attributes, part.video()) for kind, part in drawn.items()}
    attributes, video = shown["seen"]
    shown["augmented"] = attributes, augment(video, torch.Generator().manual_seed(seed))
    if vae is not None:
        shown["reconstructed"] = (
            attributes,
            torch.cat([through_vae(vae, part) for part in video.split(8)]),
        )
    judges = {
        judge: dict.fromkeys(WORDS, judge) for judge in ("analytic", "classifier", "mean")
    } | {"chosen": SOURCES}
    for kind, (attributes, video) in shown.items():
        for judge, sources in judges.items():
            read = Probes(classifier, sources).probabilities(video)
            rows += [
                {"clips": kind, "judge": judge, "score": k, **v}
                for k, v in _score(read, attributes).items()
            ]
    return pd.DataFrame(rows)
