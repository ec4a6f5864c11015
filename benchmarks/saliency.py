"""What maps cost while a clip is generated, and the scores of motion heads, all at once, beside
scikit-learn's, a head at a time on the CPU, as released.

Run: `uv pip install --target others scikit-learn && PYTHONPATH=others python
benchmarks/saliency.py`. On a GPU the second part moves every head to the CPU, as the released code
does.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.pipeline.devices import pick_device
from transporter.pipeline.loading import load_generator
from transporter.pipeline.project import Project
from transporter.saliency.locating import located
from transporter.saliency.separation import calinski_harabasz
from transporter.saliency.settings import MapSettings, preset
from transporter.saliency.words import Words

CAPTION = "a large red circle moves slowly left on grass during the day"
ROUNDS = 5
FRAMES, TOKENS, HEADS, WIDTH = 13, 1350, 30, 64
"""Of CogVideoX-2B at its own size."""


def seconds(call: Callable[[], object]) -> float:
    """Of the processor where it does the work, so that others on the machine do not count."""
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    start = clock()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - start


def overhead(generator: DiffusersGenerator, clips: int, settings: MapSettings) -> float:
    """The median over paired rounds of the time with maps to that without."""
    pi = generator.encode_text([CAPTION] * clips)
    words = Words.of(generator, [CAPTION] * clips, [["circle"]] * clips)
    seeds = list(range(clips))

    def plain() -> None:
        generator.sample(pi, seeds, 12, 3.0)

    def watched() -> None:
        with located(generator, words, [settings], 12):
            plain()

    seconds(watched)
    return statistics.median(seconds(watched) / seconds(plain) for _ in range(ROUNDS))


def motion_heads(device: torch.device) -> None:
    from sklearn.metrics import calinski_harabasz_score

    h = torch.randn(1, HEADS, FRAMES * TOKENS, WIDTH, device=device)
    frames = np.arange(FRAMES).repeat(TOKENS)

    def ours() -> torch.Tensor:
        return calinski_harabasz(h, FRAMES)[0]

    def theirs() -> torch.Tensor:
        scores = [calinski_harabasz_score(head.cpu().numpy(), frames) for head in h[0]]
        return torch.tensor(scores, device=device)

    apart = (ours() / theirs() - 1).abs().max()
    ratio = statistics.median(seconds(theirs) / seconds(ours) for _ in range(3))
    print(f"motion heads: {ratio:.3g} times as fast on {device}, {float(apart):.1e} apart")


if __name__ == "__main__":
    project = Project.open()
    chosen = project.model("generators", project.chosen("generators"))
    model = load_generator(chosen)
    for number in (1, 4):
        for name, choices in (("default", MapSettings()), ("gramcol", preset("gramcol"))):
            print(f"{number} clips, {name}: {overhead(model, number, choices):.3f} of the time")
    motion_heads(pick_device())
