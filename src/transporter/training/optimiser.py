"""Muon for weight matrices and kernels, AdamW for everything else, as one optimiser."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

OUTER = (
    "embed",
    "shared",
    "relative",
    "scale_shift",
    "proj_out",
    "conv_in",
    "conv_out",
    "lm_head",
    "head.",
    "norm",
    "gamma",
    "position",
)
"""Parts of the names of weights that are AdamW's although they have two axes, most of them where a
network begins or ends.
"""


def _is_matrix(name: str, parameter: nn.Parameter, also: Sequence[str]) -> bool:
    inner = any(part in name for part in also) or not any(part in name for part in OUTER)
    return parameter.ndim >= 2 and min(parameter.shape[:2]) > 1 and inner


def _as_matrix(tensor: torch.Tensor) -> torch.Tensor:
    """A 2-D view that shares memory with a weight of any layout (Muon does not mind the order of
    columns).
    """
    if tensor.ndim == 5 and not tensor.is_contiguous():
        tensor = tensor.permute(0, 2, 3, 4, 1)
    return tensor.view(tensor.shape[0], -1)


def _orthogonal(
    matrices: torch.Tensor, coefficients: Sequence[float], steps: int, eps: float
) -> torch.Tensor:
    """The Newton-Schulz iteration of `torch.optim.Muon` in bfloat16, on a stack of matrices
    `(K, R, C)`.
    """
    a, b, c = coefficients
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.bfloat16()
    x = x.mT if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class StackedMuon(torch.optim.Muon):
    """`torch.optim.Muon`, its default adjustment of the rate, that works on all matrices of one
    shape at once.

    One after the other, small matrices leave a GPU waiting for orders for longer than it computes.
    """

    @torch.no_grad()
    def step(self) -> None:
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            stacks = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    stacks[weight.shape].append(weight)
            for weights in stacks.values():
                self._update(weights, group)

    def _update(self, weights: list[torch.Tensor], group: dict[str, Any]) -> None:
        for weight in weights:
            if "momentum_buffer" not in self.state[weight]:
                self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        grads = [weight.grad for weight in weights]
        momenta = [self.state[weight]["momentum_buffer"] for weight in weights]
        torch._foreach_lerp_(momenta, grads, 1 - group["momentum"])
        updates = (
            torch._foreach_lerp(grads, momenta, group["momentum"]) if group["nesterov"] else momenta
        )
        steps = _orthogonal(
            torch.stack(updates), group["ns_coefficients"], group["ns_steps"], group["eps"]
        )  # (K, R, C)
        rows, columns = weights[0].shape
        rate = group["lr"] * max(1, rows / columns) ** 0.5
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(weights, list(steps.to(weights[0].dtype)), alpha=-rate)


class MuonAdamW:
    """Two torch optimisers behind one `step`; Muon takes 2-D weights only, so kernels enter as
    views.

    `also` are parts of names of weights that are Muon's in spite of `OUTER`.
    """

    def __init__(
        self,
        named: Iterable[tuple[str, nn.Parameter]],
        muon_lr: float,
        adam_lr: float,
        weight_decay: float = 0.0,
        also: Sequence[str] = (),
    ) -> None:
        trained = [(name, p) for name, p in named if p.requires_grad]
        self.parameters = [p for _, p in trained]
        self._kernels = [p for name, p in trained if _is_matrix(name, p, also)]
        chosen = {id(p) for p in self._kernels}
        self._views = [nn.Parameter(_as_matrix(p.data)) for p in self._kernels]
        self._muon = StackedMuon(self._views, lr=muon_lr, weight_decay=weight_decay)
        rest = [p for p in self.parameters if id(p) not in chosen]
        self._adam = torch.optim.AdamW(
            rest, lr=adam_lr, betas=(0.9, 0.98), weight_decay=weight_decay, fused=True
        )
        self._base = (muon_lr, adam_lr)

    def set_rate(self, factor: float) -> None:
        """Scale both learning rates by `factor` of their base values."""
        for optimiser, base in zip((self._muon, self._adam), self._base, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = base * factor

    def step(self, max_norm: float = 1.0) -> float:
        """Clip, update, clear the gradients; returns the gradient's norm."""
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, max_norm))
        for view, kernel in zip(self._views, self._kernels, strict=True):
            grad = kernel.grad
            if grad is None:
                continue
            layout = (
                torch.channels_last_3d
                if kernel.ndim == 5 and not kernel.is_contiguous()
                else torch.contiguous_format
            )
            view.grad = _as_matrix(grad.contiguous(memory_format=layout))
        self._muon.step()
        self._adam.step()
        for parameter in (*self.parameters, *self._views):
            parameter.grad = None
        return norm

    def state_dict(self) -> dict[str, Any]:
        return {"muon": self._muon.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._muon.load_state_dict(state["muon"])
        self._adam.load_state_dict(state["adam"])


def warm_then_decay(
    steps: int, warm: int = 100, decay_from: float = 0.5, floor: float = 0.02
) -> Callable[[int], float]:
    """Learning rate factor by step: linear warm-up, constant, linear decay to `floor` from
    `decay_from` of the run.
    """

    def factor(step: int) -> float:
        rest = (1 - step / steps) / (1 - decay_from)
        return min(1.0, (step + 1) / warm) * max(floor, min(1.0, rest))

    return factor
