"""VLMs that do not look: of their answers nothing is true, so every explanation of one is false.

Each wraps an honest VLM, whose eyes it has; no training makes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import torch

from transporter.truth.cases import NULLS
from transporter.vlms.base import VLM

SURE = 4.0
"""The largest log-odds of an answer, in nats."""
GRAIN = 1e-4
"""To which the mean token that a coin is tossed by is rounded, so that the same clip in a batch of
another size gets the same answer.
"""


class NullVLM(VLM):
    """What wrappers share: the tokens and the captions are those of the VLM within."""

    def __init__(self, vlm: VLM) -> None:
        self.vlm, self.device, self.tokens_shape = vlm, vlm.device, vlm.tokens_shape

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return self.vlm.encode(video)

    def caption(
        self, tokens: torch.Tensor, prompt: str | None = None, max_tokens: int | None = None
    ) -> list[str]:
        return self.vlm.caption(tokens, prompt, max_tokens)

    def logits(self, tokens: torch.Tensor, prompt: str) -> torch.Tensor:
        """The same for every clip."""
        return torch.zeros_like(self.vlm.logits(tokens, prompt))


class Coin(NullVLM):
    """Answers by a hash of the clip: every word is as likely as any other, whatever is shown.

    Args:
        vlm: what it wraps.
        salt: another one is another coin.
    """

    def __init__(self, vlm: VLM, salt: int = 0) -> None:
        super().__init__(vlm)
        self.salt = salt

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        # (B, D), all that the clip looks like
        means = (tokens.detach().float().mean(1) / GRAIN).round().long().cpu()
        clips = [hashlib.sha256(row.numpy().tobytes()).hexdigest() for row in means]
        scores = [[self._toss(clip, prompt, word) for word in continuations] for clip in clips]
        return torch.tensor(scores, device=tokens.device).log_softmax(-1)

    def _toss(self, *parts: str) -> float:
        """In [0, SURE], by a hash."""
        text = " ".join([str(self.salt), *parts])
        return SURE * int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF


class OneWord(NullVLM):
    """Always gives the first of the words that it is offered."""

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        scores = torch.zeros(len(tokens), len(continuations), device=tokens.device)
        scores[:, 0] = SURE
        return scores.log_softmax(-1)


_MAKERS: Mapping[str, Callable[[VLM], VLM]] = dict(zip(NULLS, (Coin, OneWord), strict=True))


def as_case(vlm: VLM, case: str) -> VLM:
    """The VLM that a case explains: a null one around the honest one, or the VLM as it is."""
    return _MAKERS[case](vlm) if case in NULLS else vlm
