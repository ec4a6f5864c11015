"""Does the right one come first?"""

from __future__ import annotations

import torch


def recall_at(k: int, similarity: torch.Tensor) -> float:
    """Share of queries whose own item is among the `k` most similar; `similarity` `(n, n)`, query i
    belongs to item i.

    Ties count against the query.

    >>> recall_at(1, torch.tensor([[0.9, 0.1], [0.8, 0.7]]))
    0.5
    """
    own = similarity.diagonal()[:, None]
    others = ~torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
    return float((((similarity >= own) & others).sum(1) < k).float().mean())
