"""The most memory that the jobs of the target `paper` take about one VLM: inversions of it into
clips, what it says of these, and the scores of all methods.

Networks beside the VLM are those that are there without a world: I3D, and AlexNet of LPIPS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torchmetrics.functional.image.lpips import _LPIPS

from transporter.baselines.settings import InversionSettings
from transporter.baselines.targets import VLMTarget
from transporter.baselines.terms import coherence, l2, priming
from transporter.baselines.verifier import Verifier
from transporter.metrics.scoring import AT_ONCE
from transporter.networks.i3d import I3D
from transporter.networks.live_memory import META
from transporter.pipeline.peaks import ASKED, Pair
from transporter.pipeline.rule_memory import Rule, Stage, counted, weight_bytes

PAPER = ("inversion", "baseline_captions", "scores")
"""Rules that a plain run has no jobs of."""
TRAINED = 4
"""Of what is trained: its values, their gradient, and two moments of Adam."""


def paper_rules(
    pair: Pair, settings: InversionSettings, seeds: int, reading: int
) -> Iterator[Rule]:
    """Those of `PAPER`; of each concept `seeds` clips are inverted, and `reading` is the key of
    `memory`.
    """
    vlm = pair.parts["vlm"]
    with META:
        i3d, lpips = I3D(), _LPIPS(pretrained=False, net="alex", pnet_rand=True)
    verifier = Verifier.of_batch_norms(i3d)
    step = counted(lambda _: _invert(pair, verifier, settings), several=False)
    inverted = weight_bytes(i3d) + TRAINED * pair.video_bytes
    yield Rule("inversion", vlm + inverted, 1, (step,))

    embed = pair.stage("embed")
    yield Rule("baseline_captions", vlm, seeds, (embed, pair.stage("answer")))
    # clips, and what those of LPIPS are compared with
    acts = (lambda clips: i3d(_video(pair, clips)), lambda clips: _compared(pair, lpips, clips))
    stages = (embed, *map(_counted, acts))
    weights = vlm + weight_bytes(i3d, lpips)
    held = tuple(stage.beside(2 * pair.video_bytes) for stage in stages)
    yield Rule("scores", weights, min(AT_ONCE, reading), held)


def _video(pair: Pair, clips: int) -> torch.Tensor:
    return torch.empty(clips, *pair.generator.video_shape, device=META)


@torch.no_grad()
def _counted(act: Callable[[int], object]) -> Stage:
    return counted(act)


def _compared(pair: Pair, lpips: torch.nn.Module, clips: int) -> None:
    frames = _video(pair, clips).flatten(0, 1)
    lpips(frames, frames, normalize=True)


def _invert(pair: Pair, verifier: Verifier, settings: InversionSettings) -> None:
    """A step of the method that takes most, LEAPS."""
    target = VLMTarget(pair.vlm, ASKED, difference=True)
    video = _video(pair, 1).requires_grad_(True)
    response = target.respond(video.clamp(0, 1))
    widths = {name: feature.calls[0].shape[-1] for name, feature in response.features.items()}
    stimulus = {name: torch.empty(width, device=META) for name, width in widths.items()}
    loss = -response.score + l2(video) + priming(response, stimulus, settings.first_layer)
    loss = loss + coherence(response.frames, settings.margin)
    loss = loss + verifier.distance(verifier.read(video), settings.first_layer)
    loss.backward()
