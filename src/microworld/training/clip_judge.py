"""Contrastive training of the clip judge, on clips that are blurred, noisy or seen through the
VAE.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from microworld.attributes import WORDS, Attributes
from microworld.clip_judge import EVERY_SECOND, ClipJudge
from microworld.clips import Clips, random_state
from microworld.language import caption
from microworld.training.precision import half_precision
from microworld.training.probes import augment
from microworld.training.vae import TrainedVAE
from transporter.training.loop import Losses, own_randomness, train
from transporter.training.optimiser import muon_adamw
from transporter.training.schedule import Schedule, Summary

VAE_FROM = 0.75
"""Share of the training after which a quarter of the clips are reconstructions of the VAE."""


def near_misses(attributes: Attributes, rng: np.random.Generator) -> list[str]:
    """The clip's caption with one word exchanged for another of its attribute: one caption per
    attribute.

    An attribute that no word names gets one nevertheless: it does not fit the clip either.
    """
    words, captions = attributes.words(), []
    for name, choices in WORDS.items():
        likely = attributes.probabilities(name)
        wrong = [word for word, share in zip(choices, likely, strict=True) if share <= likely.min()]
        captions.append(caption({**words, name: str(rng.choice(wrong))}))
    return captions


def contrastive_loss(
    video: torch.Tensor, text: torch.Tensor, misses: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """CLIP's symmetric cross-entropy, with each clip's own near misses as further captions to tell
    apart.

    Unit vectors: `video`, `text` `(B, D)`, `misses` `(B, M, D)`.
    """
    across = scale * video @ text.T  # (B, B)
    own = scale * torch.einsum("bd,bmd->bm", video, misses)
    labels = torch.arange(len(video), device=video.device)
    return (
        F.cross_entropy(torch.cat([across, own], 1), labels) + F.cross_entropy(across.T, labels)
    ) / 2


def train_clip_judge(
    folder: Path, schedule: Schedule, vae_folder: Path, batch: int = 48
) -> tuple[ClipJudge, Summary]:
    """Train the clip judge, resumable in `folder`; in the last quarter of the steps a quarter of
    the clips come from the VAE.
    """
    with own_randomness(schedule.device):
        torch.manual_seed(schedule.seed)
        clip_judge = ClipJudge().to(schedule.device)
    vae = TrainedVAE(vae_folder, schedule.device)

    def loss(step: int, generator: torch.Generator) -> Losses:
        rng = random_state(generator)
        clips = Clips.draw(batch, rng)
        frames = clips.video(EVERY_SECOND)
        if step >= VAE_FROM * schedule.steps:
            some = slice(batch // 4)
            frames[some] = vae.reconstruct(clips[some])[:, EVERY_SECOND]
        captions = [caption(a.words()) for a in clips.attributes]
        misses = [miss for a in clips.attributes for miss in near_misses(a, rng)]
        with half_precision(schedule.device):
            video = clip_judge.embed_frames(augment(frames, generator).to(schedule.device))
            text, near = clip_judge.embed_text(captions + misses).split([batch, len(misses)])
        near = near.float().unflatten(0, (batch, -1))  # (B M, D) -> (B, M, D)
        return {"loss": contrastive_loss(video.float(), text.float(), near, clip_judge.scale)}

    optimisers = muon_adamw(clip_judge.named_parameters(), muon_lr=0.01, adam_lr=1e-3)
    _, summary = train(
        clip_judge, optimisers, loss, schedule, folder, identity=[batch, vae.identity]
    )
    return clip_judge.eval(), summary
