"""What a video vision-language model (the space Omega) must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch


class VLM(ABC):
    """A frozen video vision-language model.

    Shapes: video `(B, T, C, H, W)` RGB in [0, 1]; tokens `z_omega` `(B, N, D)` float32, what the
    language model takes in (after the projector). All methods but `caption` let gradients through
    to video or tokens; no weight of the model requires one.
    """

    tokens_shape: tuple[int, int]
    """(N, D) for videos of the shape that the model was loaded for."""
    device: torch.device

    def recomputing(self) -> AbstractContextManager[None]:
        """While open, backward passes compute layers again instead of keeping what they gave; where
        a model cannot, nothing changes. Captions are for other times.
        """
        return nullcontext()

    @abstractmethod
    def encode(self, video: torch.Tensor) -> torch.Tensor:
        """E_Omega: video `(B, T, C, H, W)` to tokens `(B, N, D)`."""

    @abstractmethod
    def logits(self, tokens: torch.Tensor, prompt: str) -> torch.Tensor:
        """Next-token logits `(B, V)` float32 after `prompt` about the tokens `(B, N, D)`."""

    @abstractmethod
    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        """Log-probability of each whole continuation after `prompt`: `(B, K)`; words of several
        tokens are summed over them.
        """

    @abstractmethod
    def caption(
        self, tokens: torch.Tensor, prompt: str | None = None, max_tokens: int | None = None
    ) -> list[str]:
        """Greedy answer to `prompt` (by default the model's request for a description) for each of
        B clips, of `max_tokens` tokens (by default the adapter's own number).
        """
