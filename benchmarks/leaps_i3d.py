"""LEAPS on I3D with real clips as stimuli: seconds per iteration, and whether I3D sees the class.

Run: python benchmarks/leaps_i3d.py WEIGHTS STEPS FRAMES SIDE CLIP=LABEL [CLIP=LABEL ...] WEIGHTS is
where the network's weights are or go. Published are 3,000 steps. I3D verifies itself here, as the
network does in LEAPS's published code; there is no second network of the same classes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import torch

from transporter.baselines.inversion import invert
from transporter.baselines.methods import leaps
from transporter.baselines.settings import InversionSettings
from transporter.baselines.targets import ClassifierTarget
from transporter.baselines.verifier import Verifier
from transporter.clips.reading import read_video
from transporter.networks.hooks import batch_norms
from transporter.networks.i3d import I3D, LABELS
from transporter.networks.published import fetch


def main(weights: str, steps: int, frames: int, side: int, *pairs: str) -> None:
    torch.set_num_threads(1)
    network = I3D.load(fetch("i3d", weights))
    verifier = Verifier.of_batch_norms(network)
    # published: 100 steps of warm-up and a shift of up to 30 of 224 pixels
    settings = InversionSettings(
        steps=steps,
        warm_up=max(1, steps // 30),
        jitter=30 * side // 224,
        log_every=max(1, steps // 5),
    )
    for clip, label in (pair.split("=") for pair in pairs):
        target = ClassifierTarget(network, LABELS.index(label), batch_norms(network), "Mixed_5c")
        stimulus = read_video(clip, frames, side, side)
        method = leaps(target, stimulus, verifier, settings)
        noise = method.start(torch.Generator().manual_seed(0))().detach().clamp(0, 1)
        start = target.verdict(noise)
        with tempfile.TemporaryDirectory() as folder:
            began, processor = time.perf_counter(), time.process_time()
            made = target.verdict(invert(target, method, settings, 0, Path(folder)))
            took, processor = time.perf_counter() - began, time.process_time() - processor
        print(
            f"{label}: stimulus {target.verdict(stimulus)}, noise {start}, after {steps} steps"
            f" {made}, I3D says {LABELS[made['top']]}; {took / steps:.2f} s per step,"
            f" {processor / steps:.2f} s of processor time",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]), *sys.argv[5:])
