"""The one loop of all methods: from noise to a video that makes a network give an answer."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch

from transporter.baselines.methods import Method
from transporter.baselines.parametrisations import Parametrisation
from transporter.baselines.settings import InversionSettings
from transporter.baselines.targets import InversionTarget
from transporter.baselines.terms import Moment
from transporter.support.checkpoint import load_own_checkpoint, save_checkpoint
from transporter.support.files import write_table

CHECKPOINT, CURVE = "checkpoint.safetensors", "curve.tsv"


def learning_rate(step: int, settings: InversionSettings) -> float:
    """Linear warm-up, then a cosine down to the floor over the steps that are left."""
    if step < settings.warm_up:
        return settings.lr * (step + 1) / settings.warm_up
    share = (step - settings.warm_up) / max(1, settings.steps - settings.warm_up)
    return max(settings.lr_floor, settings.lr * 0.5 * (1 + math.cos(math.pi * share)))


def augmented(
    video: torch.Tensor, settings: InversionSettings, generator: torch.Generator
) -> torch.Tensor:
    """A clip `(..., H, W)`, all its frames shifted alike by up to `jitter` pixels and mirrored or
    not.
    """
    shifts = torch.randint(
        -settings.jitter, settings.jitter + 1, (2,), generator=generator
    ).tolist()
    mirrored = torch.rand((), generator=generator) < settings.flip
    video = video.roll(shifts, (-2, -1))
    return video.flip(-1) if mirrored else video


def step_losses(
    parameters: Parametrisation,
    target: InversionTarget,
    method: Method,
    settings: InversionSettings,
    seed: int,
    step: int,
) -> dict[str, torch.Tensor]:
    """`loss`, the target's `log_prob` and every active term's value at one step, from one pass of
    the attacked network.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    video = augmented(parameters().clamp(0, 1)[None], settings, generator)
    moment = Moment(video, target.respond(video))
    active = {
        name: term
        for name, term in method.terms.items()
        if term.weight and step >= term.begins * settings.steps
    }
    values = {name: term.value(moment) for name, term in active.items()}
    loss = sum(
        (active[name].weight * value for name, value in values.items()), -moment.response.score
    )
    return {"loss": loss, "log_prob": moment.response.log_prob.detach(), **values}


class _Progress:
    """A printed line and a row of the curve every `log_every` steps."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def write(self, step: int, losses: Mapping[str, torch.Tensor], rate: float) -> None:
        values = {name: value.item() for name, value in losses.items()}
        self.rows.append({"step": step, **values})
        write_table(pd.DataFrame(self.rows), self.path)
        shown = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
        print(f"step {step}: {shown}, {rate:.2f} steps/s", flush=True)


def invert(
    target: InversionTarget,
    method: Method,
    settings: InversionSettings,
    seed: int,
    folder: Path,
    until: int | None = None,
) -> torch.Tensor:
    """Invert `target` by `method`, or go on from the checkpoint in `folder` (an interrupted run
    ends with the same video).

    Args:
        target: the network and its target.
        method: from `transporter.baselines.methods`.
        settings: those that the method was made with.
        seed: of the start and of the augmentations.
        folder: gets `checkpoint.safetensors` and `curve.tsv`; a checkpoint of other settings, seed,
            target or clips is not resumed.
        until: stop after this many steps in all, with a checkpoint, as an interrupted run would.

    Returns:
        The video `(T, C, H, W)` in [0, 1], on the CPU.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parameters = method.start(torch.Generator().manual_seed(seed)).to(target.device)
    optimiser = torch.optim.Adam(
        parameters.parameters(), lr=settings.lr, betas=(settings.beta_1, settings.beta_2)
    )
    progress, identity = _Progress(folder / CURVE), _identity(target, method, settings, seed)
    first = _resume(folder / CHECKPOINT, identity, parameters, optimiser, progress)
    last, began = min(settings.steps, until or settings.steps), time.monotonic()
    for step in range(first, last):
        optimiser.param_groups[0]["lr"] = learning_rate(step, settings)
        losses = step_losses(parameters, target, method, settings, seed, step)
        optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()
        optimiser.step()
        parameters.project()
        done = step + 1
        if done % settings.log_every == 0 or done == settings.steps:
            progress.write(done, losses, (done - first) / (time.monotonic() - began))
        if done % settings.save_every == 0 or done == last:
            state = {
                "parameters": parameters.state_dict(),
                "optimiser": optimiser.state_dict(),
                "rows": progress.rows,
            }
            save_checkpoint(folder / CHECKPOINT, {"identity": identity, "step": done, **state})
    return parameters().detach().clamp(0, 1).cpu()


def _identity(
    target: InversionTarget, method: Method, settings: InversionSettings, seed: int
) -> str:
    """What a checkpoint must have been made from to be resumed."""
    chosen = {
        key: value
        for key, value in settings.as_dict().items()
        if key not in ("log_every", "save_every")
    }
    return json.dumps([target.identity, method.identity, chosen, seed], sort_keys=True)


def _resume(
    path: Path,
    identity: str,
    parameters: Parametrisation,
    optimiser: torch.optim.Optimizer,
    progress: _Progress,
) -> int:
    """Load a checkpoint of this very run, if there is one; returns the steps done."""
    state = load_own_checkpoint(path, identity, "settings, seed, target or clips")
    if state is None:
        return 0
    parameters.load_state_dict(state["parameters"])
    optimiser.load_state_dict(state["optimiser"])
    progress.rows = state["rows"]
    return state["step"]
