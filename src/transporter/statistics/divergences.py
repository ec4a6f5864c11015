"""How far two answers of a VLM are apart: divergences between distributions given as
log-probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch

Divergence = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def hellinger(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """`||sqrt(p) - sqrt(q)|| / sqrt(2)` in [0, 1]; `(..., V)` each to `(...)`.

    >>> p, q = torch.tensor([0.36, 0.64]), torch.tensor([0.64, 0.36])
    >>> round(hellinger(p.log(), q.log()).item(), 4)
    0.2
    """
    return ((0.5 * log_p).exp() - (0.5 * log_q).exp()).norm(dim=-1) / math.sqrt(2)


def kl(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of q from p in nats, unbounded; `(..., V)` each to `(...)`."""
    return (
        torch.nn.functional.kl_div(log_q, log_p, reduction="none", log_target=True)
        .sum(-1)
        .clamp(min=0)
    )


def js(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """Jensen-Shannon divergence to base 2, in [0, 1]; `(..., V)` each to `(...)`."""
    mean = torch.logaddexp(log_p, log_q) - math.log(2)
    return 0.5 * (kl(log_p, mean) + kl(log_q, mean)) / math.log(2)


DIVERGENCES: Mapping[str, Divergence] = {"hellinger": hellinger, "kl": kl, "js": js}
