"""Which heads keep the frames of a clip apart: the motion heads of IMAP, all heads at once.

Every token is labelled with its latent frame; a head is scored by how well these labels cluster
its outputs `h` `(B, H, N, d)`, N = F P tokens frame by frame. Larger is better in every score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch


def scatter(h: torch.Tensor, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`B = P sum_f |mu_f - mu|^2` between frames and `W = sum |h|^2 - P sum_f |mu_f|^2` within,
    `(B, H)` each.
    """
    h = h.to(torch.promote_types(h.dtype, torch.float32))
    # W is a small difference of large sums unless the clip's mean is taken away first
    h = h - h.mean(2, keepdim=True)
    means = h.unflatten(2, (frames, -1)).mean(3)  # (B, H, F, d)
    between = h.shape[2] // frames * means.square().sum((2, 3))
    # token by token: one sum over all of them loses a digit in single precision
    return between, torch.linalg.vector_norm(h, dim=3).square().sum(2) - between


def calinski_harabasz(h: torch.Tensor, frames: int) -> torch.Tensor:
    """`(B / (F - 1)) / (W / (N - F))` (Calinski and Harabasz 1974), `(B, H)`."""
    between, within = scatter(h, frames)
    return between / within * (h.shape[2] - frames) / max(frames - 1, 1)


def fisher(h: torch.Tensor, frames: int) -> torch.Tensor:
    """The mean over channels of the ratio of both scatters, `(B, H)`."""
    h = h.to(torch.promote_types(h.dtype, torch.float32)).unflatten(2, (frames, -1))
    means = h.mean(3)
    between = means.var(2, correction=0)
    within = (h - means[:, :, :, None]).square().mean((2, 3))
    return (between / within).mean(-1)


def davies_bouldin(h: torch.Tensor, frames: int) -> torch.Tensor:
    """Minus the index of Davies and Bouldin (1979), of which less is better, `(B, H)`."""
    h = h.to(torch.promote_types(h.dtype, torch.float32)).unflatten(2, (frames, -1))
    means = h.mean(3)
    spread = (h - means[:, :, :, None]).norm(dim=-1).mean(3)  # (B, H, F)
    apart = torch.cdist(means, means)
    apart.diagonal(dim1=-2, dim2=-1).fill_(torch.inf)
    return -((spread[..., None] + spread[..., None, :]) / apart).amax(-1).mean(-1)


def silhouette(h: torch.Tensor, frames: int) -> torch.Tensor:
    """The mean silhouette (Rousseeuw 1987), `(B, H)`; its memory grows with the square of N."""
    h = h.to(torch.promote_types(h.dtype, torch.float32))
    tokens = h.shape[2] // frames
    mode = "donot_use_mm_for_euclid_dist"
    apart = torch.cdist(h, h, compute_mode=mode).unflatten(-1, (frames, tokens)).sum(-1)
    own = torch.arange(h.shape[2], device=h.device).div(tokens, rounding_mode="floor")
    index = own.view(1, 1, -1, 1).expand(*apart.shape[:3], 1)
    inside = apart.gather(-1, index)[..., 0] / max(tokens - 1, 1)
    outside = (apart / tokens).scatter(-1, index, torch.inf).amin(-1)
    return ((outside - inside) / torch.maximum(outside, inside)).mean(-1)


SCORES: Mapping[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "chi": calinski_harabasz,
    "fisher": fisher,
    "davies_bouldin": davies_bouldin,
    "silhouette": silhouette,
}


def head_weights(
    h: torch.Tensor, frames: int, by: str, top_k: int, generator: torch.Generator
) -> torch.Tensor:
    """How much each head counts, `(B, H)`; rows sum to 1. `generator` draws those at random."""
    rows, heads = h.shape[:2]
    if by == "all" or top_k >= heads:
        return torch.full((rows, heads), 1 / heads, device=h.device)
    if by == "random":
        found = torch.rand(rows, heads, generator=generator).to(h.device)
    else:
        found = SCORES[by](h, frames)
    best = found.topk(top_k, dim=1).indices
    return torch.zeros(rows, heads, device=h.device).scatter_(1, best, 1 / top_k)
