"""Muon for weight matrices and kernels, AdamW for everything else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from transporter.networks.precision import has_bfloat16

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
    """The Newton-Schulz iteration of `torch.optim.Muon`, on a stack of matrices `(K, R, C)`.

    In bfloat16 as there, but in single precision on a processor that has no units for it.
    """
    a, b, c = coefficients
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.bfloat16() if has_bfloat16(matrices.device) else matrices.float()
    x = x.mT if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class StackedMuon(torch.optim.Muon):
    """`torch.optim.Muon`, its default adjustment of the rate, on weights of any layout, all of one
    shape at once.

    One after the other, small matrices leave a GPU waiting for orders for longer than it computes.
    torch's takes 2-D weights only, so kernels enter as views of their memory.

    Args:
        weights: of two or more axes; the first of a kernel are a matrix's rows, all others its
            columns.
        lr: learning rate.
        weight_decay: per step and unit of the rate.
    """

    def __init__(
        self, weights: Iterable[nn.Parameter], lr: float, weight_decay: float = 0.0
    ) -> None:
        self._weights = list(weights)
        views = [nn.Parameter(_as_matrix(weight.data)) for weight in self._weights]
        super().__init__(views, lr=lr, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self) -> None:
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            stacks = defaultdict(list)
            for view, weight in zip(group["params"], self._weights, strict=True):
                view.grad = _gradient(weight)
                if view.grad is not None:
                    stacks[view.shape].append(view)
            for views in stacks.values():
                self._update(views, group)
            for view in group["params"]:
                view.grad = None

    def _update(self, views: list[torch.Tensor], group: dict[str, Any]) -> None:
        for view in views:
            if "momentum_buffer" not in self.state[view]:
                self.state[view]["momentum_buffer"] = torch.zeros_like(view)
        grads = [view.grad for view in views]
        momenta = [self.state[view]["momentum_buffer"] for view in views]
        torch._foreach_lerp_(momenta, grads, 1 - group["momentum"])
        updates = (
            torch._foreach_lerp(grads, momenta, group["momentum"]) if group["nesterov"] else momenta
        )
        steps = _orthogonal(
            torch.stack(updates), group["ns_coefficients"], group["ns_steps"], group["eps"]
        )  # (K, R, C)
        rows, columns = views[0].shape
        rate = group["lr"] * max(1, rows / columns) ** 0.5
        torch._foreach_mul_(views, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(views, list(steps.to(views[0].dtype)), alpha=-rate)


def _gradient(weight: nn.Parameter) -> torch.Tensor | None:
    """A weight's gradient as `_as_matrix` lays out the weight, or None."""
    if weight.grad is None:
        return None
    last = weight.ndim == 5 and not weight.is_contiguous()
    layout = torch.channels_last_3d if last else torch.contiguous_format
    return _as_matrix(weight.grad.contiguous(memory_format=layout))


def muon_adamw(
    named: Iterable[tuple[str, nn.Parameter]],
    muon_lr: float,
    adam_lr: float,
    weight_decay: float = 0.0,
    also: Sequence[str] = (),
) -> tuple[StackedMuon, torch.optim.AdamW]:
    """Two optimisers that share the trained ones of the `named` weights.

    `also` are parts of names of weights that are Muon's in spite of `OUTER`.
    """
    trained = [(name, weight) for name, weight in named if weight.requires_grad]
    matrices = [weight for name, weight in trained if _is_matrix(name, weight, also)]
    chosen = {id(weight) for weight in matrices}
    rest = [weight for _, weight in trained if id(weight) not in chosen]
    return (
        StackedMuon(matrices, muon_lr, weight_decay),
        torch.optim.AdamW(
            rest, lr=adam_lr, betas=(0.9, 0.98), weight_decay=weight_decay, fused=True
        ),
    )
