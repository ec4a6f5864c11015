"""All methods alike: from noise to a video that makes a network give an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from transporter.baselines.methods import Method
from transporter.baselines.parametrisations import Parametrisation
from transporter.baselines.settings import InversionSettings
from transporter.baselines.targets import InversionTarget
from transporter.baselines.terms import Moment
from transporter.training.loop import Losses, train
from transporter.training.rates import CosineToFloor
from transporter.training.schedule import Schedule


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


def inversion_losses(
    parameters: Parametrisation,
    target: InversionTarget,
    method: Method,
    settings: InversionSettings,
    step: int,
    generator: torch.Generator,
) -> dict[str, torch.Tensor]:
    """`loss`, the target's `log_prob` and every active term's value at one step, scalars, from one
    pass of the attacked network.
    """
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
    parameters = method.start(torch.Generator().manual_seed(seed)).to(target.device)
    # at rate 1: the schedule's is in units of the parameters
    betas = settings.beta_1, settings.beta_2
    optimiser = torch.optim.Adam(parameters.parameters(), lr=1.0, betas=betas)
    optimiser.register_step_post_hook(lambda *_: parameters.project())

    def loss(step: int, generator: torch.Generator) -> Losses:
        return inversion_losses(parameters, target, method, settings, step, generator)

    schedule = _schedule(settings, seed, target.device)
    identity = _identity(target, method, settings)
    train(parameters, [optimiser], loss, schedule, folder, identity, until=until)
    return parameters().detach().clamp(0, 1).cpu()


def _schedule(settings: InversionSettings, seed: int, device: torch.device) -> Schedule:
    return Schedule(
        settings.steps,
        seed,
        rate=CosineToFloor(settings.lr, settings.warm_up, settings.lr_floor),
        max_norm=None,
        fresh=1.0,
        log_every=settings.log_every,
        save_every=settings.save_every,
        device=str(device),
    )


def _identity(target: InversionTarget, method: Method, settings: InversionSettings) -> list[Any]:
    """What the losses depend on: target, method with its clips, and settings."""
    writing = ("log_every", "save_every")
    chosen = {key: value for key, value in settings.as_dict().items() if key not in writing}
    return [target.identity, method.identity, chosen]
