"""The network that knows what clips of the microworld look like, for the baselines that
want one.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from microworld.clip_judge import ClipJudge
from transporter.baselines.verifier import Verifier
from transporter.networks.hooks import named


def microworld_verifier(clip_judge: ClipJudge, clips: Iterable[torch.Tensor]) -> Verifier:
    """The convolutions of the clip judge's video tower, their statistics measured on real `clips`
    `(17, 3, 64, 64)`.

    No network of the microworld has batch normalisation. The probes must not be seen by any method,
    and the VAE's encoder costs ten times as much.
    """
    clip_judge = clip_judge.eval().requires_grad_(False)
    names = [
        name for name, module in clip_judge.video.named_modules() if isinstance(module, nn.Conv2d)
    ]
    return Verifier.measured(clip_judge.features, named(clip_judge.video, names), clips)
