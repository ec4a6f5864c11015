"""Noise that nobody sees and that flips an answer: what every measure of an explanation has to tell
from one.
"""

from __future__ import annotations

import torch

from transporter.clips.contrast import Concept
from transporter.coupling.reader import Reader

NOISE = "noise"
STEP, BOUND, STEPS = 1 / 255, 8 / 255, 20
"""Of a pixel: what a step changes it by, and all of them at most; and how many."""


@torch.enable_grad()
def noised(video: torch.Tensor, concept: Concept, reader: Reader) -> torch.Tensor:
    """Clips `(B, T, C, H, W)` in [0, 1] so changed that the VLM answers by the target, no pixel by
    more than `BOUND`: projected gradient ascent of the log-odds (Madry et al. 2018).

    A clip is left alone once its log-odds are as far above 0 as they were below, which is about
    what a true explanation moves them by; where the answer hangs on no pixel, from the start.
    """
    start, wanted = video, None
    for _ in range(STEPS):
        now = video.detach().requires_grad_()
        odds = reader.log_odds(reader.vlm.encode(now), concept)
        wanted = odds.detach().neg() if wanted is None else wanted
        climbing = odds.detach() < wanted
        if not odds.requires_grad or not climbing.any():
            break
        [gradient] = torch.autograd.grad(odds.sum(), now)
        step = STEP * gradient.sign() * climbing.view(-1, 1, 1, 1, 1)
        video = (now.detach() + step).clamp(start - BOUND, start + BOUND).clamp(0, 1)
    return video.detach()
