"""How near generated clips come to real ones inside the VLM: its mean encodings compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from transporter.metrics.base import HIGHER, LOWER, SetMetric
from transporter.support.errors import UserError


def compare(real: torch.Tensor, generated: torch.Tensor) -> dict[str, float]:
    """Cosine, l1 and l2 of two vectors `(D,)`, and the Kullback-Leibler divergence of their
    softmax, real from generated, in nats.

    >>> measured = compare(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0]))
    >>> {name: round(value, 3) for name, value in measured.items()}
    {'cos': 0.707, 'l1': 1.0, 'l2': 1.0, 'kl': 0.111}
    """
    real, generated = real.double(), generated.double()
    log_real, log_generated = real.log_softmax(0), generated.log_softmax(0)
    return {
        "cos": float(F.cosine_similarity(real, generated, dim=0)),
        "l1": float((real - generated).abs().sum()),
        "l2": float((real - generated).norm()),
        "kl": float(F.kl_div(log_generated, log_real, log_target=True, reduction="sum")),
    }


class EmbeddingSimilarity(SetMetric):
    """The mean encoding of real clips against that of generated ones, each the mean of `z_omega`
    over tokens and clips.

    **Ours:** the paper gives the four numbers and no formula. l1 and l2 are sums over the D
    channels, KL compares softmax distributions over them.

    Args:
        vlm: the name of the VLM whose tokens they are, for the protocol.
    """

    numbers: ClassVar[Mapping[str, str]] = {"cos": HIGHER, "l1": LOWER, "l2": LOWER, "kl": LOWER}

    def __init__(self, vlm: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vlm = vlm

    def update(self, tokens: torch.Tensor, real: bool) -> None:
        """Take in the tokens `(B, N, D)` of clips, real or generated.

        Raises:
            UserError: another shape, or another D than before.
        """
        known = [mean.shape[-1] for mean in (*self.real, *self.generated)][:1]
        if tokens.ndim != 3 or 0 in tokens.shape or (known and tokens.shape[-1] != known[0]):
            width = known[0] if known else "D"
            raise UserError(
                f"embedding similarity: expected tokens (B, N, {width}), got {tuple(tokens.shape)}"
            )
        self.keep(tokens.detach().double().mean(1), real)

    def compute(self) -> dict[str, float]:
        """`cos`, `l1`, `l2`, `kl`.

        Raises:
            UserError: no real or no generated clips.
        """
        if not self.real or not self.generated:
            raise UserError(
                "embedding similarity: expected real and generated clips, got {} real + {}"
                " generated".format(*self.counts())
            )
        return compare(*(means.mean(0) for means in self.vectors().values()))

    def protocol(self) -> dict[str, str | int]:
        """VLM and what is compared."""
        return {"vlm": self.vlm, "encoding": "mean over tokens and clips"}
