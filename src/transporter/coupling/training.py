"""Training of the coupling network: all three losses of the paper jointly, generator and VLM
frozen.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from transporter.coupling.network import Coupling, Pairs, Parts
from transporter.coupling.relations import gram
from transporter.coupling.settings import CouplingSettings
from transporter.support.checkpoint import load_own_checkpoint, save_checkpoint
from transporter.support.files import write_table

Losses = Mapping[str, torch.Tensor]


def coupling_losses(parts: Parts, target: torch.Tensor) -> dict[str, torch.Tensor]:
    """The paper's losses against standardised true tokens `(B, N, D)`, as means over tokens and
    channels; `loss` is their sum.
    """
    relations = gram(target)
    terms = {
        "phi_1": F.mse_loss(parts.z_1, target),
        "phi_2_gram": F.mse_loss(gram(parts.z_2), relations),
        "tokens": F.mse_loss(parts.transport, target),
        "gram": F.mse_loss(gram(parts.transport), relations),
    }
    return {"loss": sum(terms.values()), **terms}


def learning_rate(step: int, settings: CouplingSettings) -> float:
    """Linear warm-up, then a cosine to zero."""
    decay = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    return settings.lr * min(1.0, (step + 1) / max(1, settings.warm_up)) * decay


def _optimiser(model: Coupling, settings: CouplingSettings) -> torch.optim.AdamW:
    """AdamW in which only the weights of linear maps decay; `rate` of a group multiplies the
    learning rate.
    """
    linear = {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear)}
    scalars = {
        id(p) for p in (model.transport.log_epsilon, model.transport.stay, model.transport.gate)
    }
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {
            "params": [p for p in trained if id(p) in linear],
            "weight_decay": settings.weight_decay,
            "rate": 1.0,
        },
        {
            "params": [p for p in trained if id(p) not in linear | scalars],
            "weight_decay": 0.0,
            "rate": 1.0,
        },
        {
            "params": [p for p in trained if id(p) in scalars],
            "weight_decay": 0.0,
            "rate": settings.transport.rate,
        },
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=settings.lr,
        betas=(0.9, 0.98),
        fused=True,
    )


def _batch(
    pairs: Pairs, coupling: Coupling, settings: CouplingSettings, generator: torch.Generator
) -> Pairs:
    """Draw clips, add latent noise and swap some conditions; all randomness is drawn on the CPU, so
    that devices agree.
    """
    rows = torch.randperm(len(pairs), generator=generator)[: settings.batch]
    size = len(rows)
    level = settings.latent_noise * torch.rand(size, 1, 1, 1, 1, generator=generator)
    noise = level * torch.randn(size, *pairs.z_xi.shape[1:], generator=generator)
    others = torch.randint(len(pairs), (size,), generator=generator)
    swapped = torch.rand(size, generator=generator) < settings.condition_shuffle
    device = pairs.z_xi.device
    chosen = pairs[rows.to(device)]
    z_xi = chosen.z_xi + noise.to(device) * coupling.xi_std
    return Pairs(
        z_xi,
        pairs.pi[torch.where(swapped, others, rows).to(device)],
        chosen.z_omega,
        chosen.z_reencoded,
    )


def _step(
    coupling: Coupling,
    pairs: Pairs,
    optimiser: torch.optim.Optimizer,
    settings: CouplingSettings,
    seed: int,
    step: int,
) -> Losses:
    """One optimiser step on `accumulate` batches; returns the mean of every term."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    torch.manual_seed(seed * 1_000_003 + step)  # dropout draws from the global generator
    for group in optimiser.param_groups:
        group["lr"] = group["rate"] * learning_rate(step, settings)
    sums: dict[str, torch.Tensor] = {}
    for _ in range(settings.accumulate):
        batch = _batch(pairs, coupling, settings, generator)
        losses = coupling_losses(
            coupling.parts(batch.z_xi, batch.pi, batch.z_reencoded),
            coupling.standardise(batch.z_omega),
        )
        (losses["loss"] / settings.accumulate).backward()
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + value.detach() / settings.accumulate
    nn.utils.clip_grad_norm_(
        (p for p in coupling.parameters() if p.grad is not None), settings.max_norm
    )
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return sums


@torch.no_grad()
def relative_errors(coupling: Coupling, pairs: Pairs, batch: int = 64) -> dict[str, float]:
    """`sum |z - z_omega|^2 / sum |z_omega - mean|^2` in standardised units, the mean per token
    position; of every output.
    """
    was_training = coupling.training
    coupling.eval()
    errors: dict[str, float] = dict.fromkeys(("transport", "phi_1", "phi_2", "mean", "plain"), 0.0)
    spread = 0.0
    for part in batches(pairs, batch):
        target = coupling.standardise(part.z_omega)
        parts = coupling.parts(part.z_xi, part.pi, part.z_reencoded)
        for name in errors:
            errors[name] += float((parts.output(name) - target).square().sum())
        spread += float((target - coupling.omega_positions).square().sum())
    coupling.train(was_training)
    return {name: error / spread for name, error in errors.items()}


def batches(pairs: Pairs, size: int) -> Iterable[Pairs]:
    """Consecutive parts of at most `size` clips."""
    return (pairs[first : first + size] for first in range(0, len(pairs), size))


class _Progress:
    """Smoothed losses and held-out errors: a printed line and a row of `curve.tsv` every
    `log_every` steps.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.smooth: dict[str, float] = {}
        self.rows: list[dict[str, float]] = []

    def add(self, losses: Losses) -> None:
        for name, value in losses.items():
            self.smooth[name] = 0.95 * self.smooth.get(name, float(value)) + 0.05 * float(value)

    def write(self, step: int, held_out: Mapping[str, float], rate: float) -> None:
        shown = {**self.smooth, **{f"held_out_{name}": value for name, value in held_out.items()}}
        self.rows.append({"step": step, **shown})
        write_table(pd.DataFrame(self.rows), self.path)
        print(
            f"step {step}: "
            + ", ".join(f"{k} {v:.3f}" for k, v in shown.items())
            + f", {rate:.1f} steps/s",
            flush=True,
        )


def _identity(pairs: Pairs, settings: CouplingSettings, seed: int, only: str | None) -> str:
    """What a checkpoint must have been made from to be resumed: settings, seed and data."""
    unimportant = ("output", "log_every", "save_every")
    chosen = {key: value for key, value in settings.as_dict().items() if key not in unimportant}
    sums = [float(tensor.double().sum()) for tensor in pairs.tensors()]
    return json.dumps([chosen, seed, only, len(pairs), sums], sort_keys=True)


@torch.random.fork_rng()
def train_coupling(
    train: Pairs,
    held_out: Pairs,
    settings: CouplingSettings,
    folder: Path,
    seed: int = 0,
    device: torch.device | str = "cpu",
    start: Coupling | None = None,
    only: str | None = None,
    until: int | None = None,
) -> Coupling:
    """Train a coupling network, or go on from the checkpoint in `folder` (an interrupted run ends
    with the same weights).

    Args:
        train: pairs to learn from; the statistics of both spaces come from them.
        held_out: pairs whose error is logged.
        settings: network and training.
        folder: gets `checkpoint.safetensors` and `curve.tsv`; a checkpoint of other settings, seed
            or data is not resumed.
        start: weights and statistics to start from instead of fresh ones; with other `projections`
            rho-OT starts afresh.
        only: name of the one part to train (`phi_1`, `phi_2`, `transport`); the others stay as in
            `start`.
        until: stop after this many steps in all, with a checkpoint, as an interrupted run would.

    Returns:
        The network in evaluation mode, frozen.
    """
    train, held_out = train.to(device), held_out.to(device)
    torch.manual_seed(seed)
    coupling = Coupling(
        train.z_xi.shape[1:], train.pi.shape[1:], train.z_omega.shape[1:], settings
    ).to(device)
    if start is None:
        coupling.measure(train)
    else:
        coupling.take_over(start)
    for name, part in coupling.named_children():
        part.requires_grad_(only in (None, name)).train(only in (None, name))
    optimiser, progress = _optimiser(coupling, settings), _Progress(folder / "curve.tsv")
    checkpoint, identity = folder / "checkpoint.safetensors", _identity(train, settings, seed, only)
    first = _resume(checkpoint, identity, coupling, optimiser, progress)
    last, began = min(settings.steps, until or settings.steps), time.monotonic()
    for step in range(first, last):
        progress.add(_step(coupling, train, optimiser, settings, seed, step))
        done = step + 1
        if done % settings.log_every == 0 or done == settings.steps:
            progress.write(
                done,
                relative_errors(coupling, held_out),
                (done - first) / (time.monotonic() - began),
            )
        if done % settings.save_every == 0 or done == last:
            save_checkpoint(checkpoint, _state(identity, done, coupling, optimiser, progress))
    return coupling.eval().requires_grad_(False)


def _state(
    identity: str,
    step: int,
    coupling: Coupling,
    optimiser: torch.optim.Optimizer,
    progress: _Progress,
) -> dict[str, Any]:
    return {
        "identity": identity,
        "step": step,
        "coupling": coupling.state_dict(),
        "optimiser": optimiser.state_dict(),
        "smooth": progress.smooth,
        "rows": progress.rows,
    }


def _resume(
    path: Path,
    identity: str,
    coupling: Coupling,
    optimiser: torch.optim.Optimizer,
    progress: _Progress,
) -> int:
    """Load a checkpoint of this very run, if there is one; returns the steps done."""
    state = load_own_checkpoint(path, identity, "settings, seed or data")
    if state is None:
        return 0
    coupling.load_state_dict(state["coupling"])
    optimiser.load_state_dict(state["optimiser"])
    progress.smooth, progress.rows = state["smooth"], state["rows"]
    return state["step"]
