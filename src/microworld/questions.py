"""Asks a VLM the microworld's questions."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from microworld.attributes import WORDS
from microworld.language import QUESTIONS
from transporter.vlms.base import VLM


@torch.no_grad()
def log_answers(vlm: VLM, video: torch.Tensor) -> dict[str, torch.Tensor]:
    """The VLM's answer to every attribute's question: log-probabilities `(B, words)` of the
    attribute's words among all tokens.
    """
    parts = [vlm.encode(part) for part in video.split(32)]
    return {name: _log_answers(vlm, parts, name) for name in WORDS}


def _log_answers(vlm: VLM, parts: Sequence[torch.Tensor], name: str) -> torch.Tensor:
    """About one attribute `(B, words)`, from parts `(b, N, D)` of the clips' visual tokens."""
    question, words = QUESTIONS[name], WORDS[name]
    return torch.cat([vlm.log_probs(tokens, question, words) for tokens in parts])
