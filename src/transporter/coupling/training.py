"""Training of the coupling network: all three losses of the paper jointly, generator and VLM
frozen.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from transporter.clips.stored import Rows, StoredRows
from transporter.coupling.network import Coupling, Pairs, Parts
from transporter.coupling.relations import gram
from transporter.coupling.settings import CouplingSettings
from transporter.support.checkpoint import fingerprint
from transporter.training.loop import Losses, own_randomness, train
from transporter.training.processes import ALONE, Processes
from transporter.training.rates import WarmCosine
from transporter.training.schedule import Schedule


def coupling_losses(parts: Parts, target: torch.Tensor) -> dict[str, torch.Tensor]:
    """The paper's losses against standardised true tokens `(B, N, D)`, as means over tokens and
    channels; `loss` is their sum.

    Nothing in them joins two clips: a Gram matrix, and a plan of transport, are of one clip's
    tokens. So those of a batch are the means of those of its parts, with the same gradients, and
    processes that share the passes of a step need not gather their clips. With `solver: entropic`
    that holds to POT's tolerance, since the plans of one pass stop together.
    """
    relations = gram(target)
    terms = {
        "phi_1": F.mse_loss(parts.z_1, target),
        "phi_2_gram": F.mse_loss(gram(parts.z_2), relations),
        "tokens": F.mse_loss(parts.transport, target),
        "gram": F.mse_loss(gram(parts.transport), relations),
    }
    return {"loss": sum(terms.values()), **terms}


def _optimiser(model: Coupling, settings: CouplingSettings) -> torch.optim.AdamW:
    """AdamW in which only the weights of linear maps decay; its learning rates multiply the
    schedule's.
    """
    transport = model.transport
    linear = {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear)}
    scalars = set(map(id, (transport.log_epsilon, transport.stay, transport.gate)))
    weights, others, single = [], [], []
    for parameter in filter(lambda p: p.requires_grad, model.parameters()):
        of_kind = id(parameter) in linear, id(parameter) in scalars
        (weights if of_kind[0] else single if of_kind[1] else others).append(parameter)
    groups = [
        {"params": weights, "weight_decay": settings.weight_decay, "lr": 1.0},
        {"params": others, "weight_decay": 0.0, "lr": 1.0},
        {"params": single, "weight_decay": 0.0, "lr": settings.transport.rate},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], betas=(0.9, 0.98), fused=True
    )


class _Drawn(NamedTuple):
    """All that is random about a batch."""

    rows: torch.Tensor
    """Clips."""
    noise: torch.Tensor
    """On standardised latents `(B, c, t, h, w)`."""
    texts: torch.Tensor
    """Clips whose conditions are taken: their own, or another's."""


def _drawn(pairs: Pairs, settings: CouplingSettings, generator: torch.Generator) -> _Drawn:
    """Draw clips, latent noise and clips whose condition is swapped; all of it on the CPU, so that
    devices agree.
    """
    rows = torch.randperm(len(pairs), generator=generator)[: settings.batch]
    size = len(rows)
    level = settings.latent_noise * torch.rand(size, 1, 1, 1, 1, generator=generator)
    noise = level * torch.randn(size, *pairs.z_xi.shape[1:], generator=generator)
    others = torch.randint(len(pairs), (size,), generator=generator)
    swapped = torch.rand(size, generator=generator) < settings.condition_shuffle
    return _Drawn(rows, noise, torch.where(swapped, others, rows))


def _batch(pairs: Pairs, coupling: Coupling, drawn: _Drawn) -> Pairs:
    """The clips that were drawn, with their noise, on the network's device."""
    device = coupling.xi_std.device
    chosen = Pairs(
        pairs.z_xi[drawn.rows],
        pairs.pi[drawn.texts],
        pairs.z_omega[drawn.rows],
        pairs.z_reencoded[drawn.rows],
    ).to(device)
    return replace(chosen, z_xi=chosen.z_xi + drawn.noise.to(device) * coupling.xi_std)


@torch.no_grad()
def relative_errors(coupling: Coupling, pairs: Pairs, batch: int = 64) -> dict[str, float]:
    """`sum |z - z_omega|^2 / sum |z_omega - mean|^2` in standardised units, the mean per token
    position; of every output.
    """
    was_training = coupling.training
    coupling.eval()
    errors: dict[str, float] = dict.fromkeys(("transport", "phi_1", "phi_2", "mean", "plain"), 0.0)
    spread = 0.0
    for part in pairs.batches(batch):
        part = part.to(coupling.omega_mean.device)
        target = coupling.standardise(part.z_omega)
        parts = coupling.parts(part.z_xi, part.pi, part.z_reencoded)
        for name in errors:
            errors[name] += float((parts.output(name) - target).square().sum())
        spread += float((target - coupling.omega_positions).square().sum())
    coupling.train(was_training)
    return {name: error / spread for name, error in errors.items()}


def _schedule(settings: CouplingSettings, seed: int, device: torch.device | str) -> Schedule:
    return Schedule(
        settings.steps,
        seed,
        rate=WarmCosine(settings.lr, settings.warm_up),
        accumulate=settings.accumulate,
        max_norm=settings.max_norm,
        fresh=0.05,
        log_every=settings.log_every,
        save_every=settings.save_every,
        device=str(device),
    )


def _identity(pairs: Pairs, settings: CouplingSettings) -> list[Any]:
    """What the losses depend on: settings and data."""
    later = ("output", "log_every", "save_every")
    chosen = {key: value for key, value in settings.as_dict().items() if key not in later}
    return [chosen, *map(_origin, pairs.tensors())]


def _origin(rows: Rows) -> str:
    return rows.origin() if isinstance(rows, StoredRows) else fingerprint(rows)


def train_coupling(
    pairs: Pairs,
    held_out: Pairs,
    settings: CouplingSettings,
    folder: Path,
    seed: int = 0,
    device: torch.device | str = "cpu",
    start: Coupling | None = None,
    only: str | None = None,
    until: int | None = None,
    processes: Processes = ALONE,
) -> Coupling:
    """Train a coupling network, or go on from the checkpoint in `folder` (an interrupted run ends
    with the same weights). Pairs stay where they are; only batches come to `device`.

    Args:
        pairs: clips to learn from; the statistics of both spaces come from them.
        held_out: clips whose error is logged.
        settings: network and training.
        folder: gets `checkpoint.safetensors` and `curve.tsv`; a checkpoint of other settings, seed,
            data or `start` is not resumed.
        start: weights and statistics to start from instead of fresh ones; with other `projections`
            rho-OT starts afresh.
        only: name of the one part to train (`phi_1`, `phi_2`, `transport`); the others stay as in
            `start`.
        until: stop after this many steps in all, with a checkpoint, as an interrupted run would.
        processes: this one among several, each called with the same arguments, that share the
            passes of each step (`settings.accumulate`, which their number divides).

    Returns:
        The network in evaluation mode, frozen.
    """
    identity = _identity(pairs, settings)
    coupling = _untrained(pairs, settings, seed, start, device)
    for name, part in coupling.named_children():
        part.requires_grad_(only in (None, name)).train(only in (None, name))

    draw = partial(_drawn, pairs, settings)

    def loss(step: int, generator: torch.Generator) -> Losses:
        batch = _batch(pairs, coupling, draw(generator))
        parts = coupling.parts(batch.z_xi, batch.pi, batch.z_reencoded)
        return coupling_losses(parts, coupling.standardise(batch.z_omega))

    def measure() -> dict[str, float]:
        errors = relative_errors(coupling, held_out)
        return {f"held_out_{name}": error for name, error in errors.items()}

    optimisers, schedule = [_optimiser(coupling, settings)], _schedule(settings, seed, device)
    train(coupling, optimisers, loss, schedule, folder, identity, measure, until, processes, draw)
    return coupling.eval().requires_grad_(False)


def _untrained(
    pairs: Pairs,
    settings: CouplingSettings,
    seed: int,
    start: Coupling | None,
    device: torch.device | str,
) -> Coupling:
    """A network for such pairs: fresh, or as `start` is."""
    shapes = pairs.z_xi.shape[1:], pairs.pi.shape[1:], pairs.z_omega.shape[1:]
    with own_randomness(device):
        torch.manual_seed(seed)
        coupling = Coupling(*shapes, settings).to(device)
    if start is None:
        coupling.measure(pairs)
    else:
        coupling.take_over(start)
    return coupling
