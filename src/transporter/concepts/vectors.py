"""What is learnt of a bank: its vectors, where they start, and the directions that they may move
along.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from transporter.concepts.contexts import Contexts


def mean_difference(contexts: Contexts, tokens: str) -> torch.Tensor:
    """Where a vector may start: the mean of `pi+ - pi-` over contexts, `(L, d)` for `each` token or
    `(1, d)` `shared` by all.
    """
    mean = (contexts.pi_plus - contexts.pi_minus).embeddings.mean(0)
    return mean if tokens == "each" else mean.mean(0, keepdim=True)


def principal_directions(
    contexts: Iterable[Contexts], tokens: str, count: int, limit: int = 1024
) -> torch.Tensor:
    """The orthonormal directions in which the captions' conditions vary most: `(count, L d)`, or
    `(count, d)` for `shared` tokens.

    Of at most `limit` captions of either word, equally many of each concept; fewer directions where
    captions have no more.
    """
    parts = list(contexts)
    share = max(1, limit // len(parts))
    sides = [side for part in parts for side in (part.pi_minus, part.pi_plus)]
    pi = torch.cat([side.embeddings[:share] for side in sides])
    pi = pi.to(torch.promote_types(pi.dtype, torch.float32))  # bfloat16 has no decomposition
    pi = pi.flatten(1) if tokens == "each" else pi.mean(1)
    _, deviations, directions = torch.linalg.svd(pi - pi.mean(0), full_matrices=False)
    return directions[:count][deviations[:count] > 1e-5 * deviations[0]]


class Vectors:
    """What is learnt: the vectors themselves, or how far they leave their start along fixed
    directions `(K, L d)`.
    """

    def __init__(self, start: torch.Tensor, directions: torch.Tensor | None = None) -> None:
        self.start, self.directions = start, directions
        self.weights = (
            start.clone() if directions is None else start.new_zeros(len(start), len(directions))
        )
        self.weights.requires_grad_()

    def __call__(self) -> torch.Tensor:
        """`(concepts, L, d)`"""
        if self.directions is None:
            return self.weights
        return self.start + (self.weights @ self.directions).view(self.start.shape)
