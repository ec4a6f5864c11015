"""A sweep of six concept strengths against six plain calls of the diffusers pipeline, side by side
in one run.

Run: python benchmarks/phi_sweep.py [rounds]
Prints the median seconds of each, their ratio, and how far the frames differ.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch

from transporter.generators.modulation import Modulation
from transporter.generators.wan import WanGenerator
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator

PHIS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
PAIR = (
    "a large red circle moves slowly left on grass during the day",
    "a large red circle moves quickly left on grass during the day",
)
SEED, INJECT_FROM = 7, 0.5


def sweep(generator: WanGenerator, steps: int, guidance: float, first: float) -> torch.Tensor:
    """Six strengths in one batched call, text encoded once, shared steps run once:
    `(6, T, C, H, W)`.
    """
    pi = generator.encode_text(PAIR)
    minus, plus = pi[:1], pi[1:]
    delta = torch.tensor(PHIS) * (plus - minus).repeat_interleave(len(PHIS))
    return generator.decode(
        generator.sample(minus, [SEED], steps, guidance, Modulation(delta, steps=(first, 1.0)))
    )


def plain_calls(generator: WanGenerator, steps: int, guidance: float, first: float) -> torch.Tensor:
    """The same with the pipeline alone: one call per strength, each encoding its texts, stepping
    and decoding by itself.
    """
    frames = []
    for phi in PHIS:
        minus, plus = (generator.encode_text([caption]).embeddings for caption in PAIR)
        changed = minus + phi * (plus - minus)
        result = generator.pipeline(
            prompt_embeds=minus if first else changed,
            negative_prompt="",
            latents=generator.noise([SEED]),
            height=generator.video_shape[2],
            width=generator.video_shape[3],
            num_frames=generator.video_shape[0],
            num_inference_steps=steps,
            guidance_scale=guidance,
            max_sequence_length=generator.condition_shape[0],
            callback_on_step_end=lambda _pipeline, step, *_, changed=changed, minus=minus: {
                "prompt_embeds": changed if (step + 1) / steps >= first else minus
            },
            callback_on_step_end_tensor_inputs=["prompt_embeds"],
            output_type="pt",
        )
        frames.append(result.frames)
    return torch.cat(frames)


def seconds(run: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


@torch.no_grad()
def main(rounds: int) -> None:
    settings = load_config("config/config.yaml")["generators"]["microworld"]
    generator = load_generator(settings)
    for name, first in (
        ("interpolation", 0.0),
        (f"step injection from {INJECT_FROM:.0%} of the steps", INJECT_FROM),
    ):
        arguments = (generator, settings["steps"], settings["guidance"], first)
        sweep(*arguments)
        times = {"sweep": [], "plain": []}
        for _ in range(rounds):
            took, ours = seconds(lambda: sweep(*arguments))  # noqa: B023 - called at once
            times["sweep"].append(took)
            took, theirs = seconds(lambda: plain_calls(*arguments))  # noqa: B023
            times["plain"].append(took)
        ratio = statistics.median(
            p / s for p, s in zip(times["plain"], times["sweep"], strict=True)
        )
        difference = float((ours - theirs).abs().max())
        print(
            f"{name}: sweep {statistics.median(times['sweep']):.2f} s, six calls"
            f" {statistics.median(times['plain']):.2f} s, ratio {ratio:.2f}, largest difference of"
            f" a pixel {difference:.1e}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
