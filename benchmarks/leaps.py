"""One LEAPS iteration of ours against a loop that runs a pass for each loss, side by side in one
run.

Run: python benchmarks/leaps.py [rounds]
Prints the median seconds of each, the ratio, and how far loss and gradient differ.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from microworld.clip_judge import ClipJudge
from microworld.clips import Clips
from microworld.training.families import load_family
from microworld.verifier import microworld_verifier
from transporter.baselines.inversion import augmented, inversion_losses
from transporter.baselines.methods import leaps
from transporter.baselines.parametrisations import Parametrisation
from transporter.baselines.settings import InversionSettings
from transporter.baselines.targets import VLMTarget
from transporter.baselines.terms import coherence, l2, priming
from transporter.baselines.verifier import Verifier
from transporter.clips.contrast import read_concepts

SETTINGS = InversionSettings(steps=300, jitter=4, flip=0.0)


def plain_loss(
    parameters: Parametrisation, target: VLMTarget, stimulus: torch.Tensor, verifier: Verifier
) -> torch.Tensor:
    """The same loss, the stimulus read anew and the network run for target, priming and coherence
    apart.
    """
    video = augmented(parameters().clamp(0, 1)[None], SETTINGS, torch.Generator().manual_seed(0))
    with torch.no_grad():
        primed = {
            name: feature.mean()
            for name, feature in target.respond(stimulus[None]).features.items()
        }
    return (
        -target.respond(video).score
        + SETTINGS.priming * priming(target.respond(video), primed, SETTINGS.first_layer)
        + SETTINGS.coherence * coherence(target.respond(video).frames, SETTINGS.margin)
        + SETTINGS.statistics * verifier.distance(verifier.read(video), SETTINGS.first_layer)
        + SETTINGS.l2 * l2(video)
    )


def timed(
    loss: Callable[[], torch.Tensor], parameters: Parametrisation
) -> tuple[float, torch.Tensor, torch.Tensor]:
    """Seconds of forward and backward pass, the loss, and the gradient."""
    parameters.zero_grad()
    start = time.perf_counter()
    value = loss()
    value.backward()
    return time.perf_counter() - start, value.detach(), next(parameters.parameters()).grad.clone()


def main(rounds: int) -> None:
    torch.set_num_threads(1)
    clips = Clips.draw(3, np.random.default_rng(0)).video()
    target = VLMTarget(
        load_family("qwen2_vl", "models/vlms/qwen2_vl"), read_concepts("config/concepts.tsv")[0]
    )
    verifier = microworld_verifier(ClipJudge.from_pretrained("models/clip_judge"), clips[1:])
    method = leaps(target, clips[0], verifier, SETTINGS)
    parameters = method.start(torch.Generator().manual_seed(0))
    runs = {
        "ours": lambda: inversion_losses(
            parameters, target, method, SETTINGS, 0, torch.Generator().manual_seed(0)
        )["loss"],
        "plain": lambda: plain_loss(parameters, target, clips[0], verifier),
    }
    results = {
        name: timed(run, parameters) for name, run in runs.items()
    }  # the first round warms up
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(timed(run, parameters)[0])
    ratio = statistics.median(
        plain / ours for plain, ours in zip(times["plain"], times["ours"], strict=True)
    )
    loss, gradient = (float((results["plain"][i] - results["ours"][i]).abs().max()) for i in (1, 2))
    print(
        f"ours {statistics.median(times['ours']):.3f} s, plain"
        f" {statistics.median(times['plain']):.3f} s, ratio {ratio:.2f}, largest difference of the"
        f" loss {loss:.1e}, of the gradient {gradient:.1e}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
