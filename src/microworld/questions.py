"""Asks a VLM the microworld's questions."""

from __future__ import annotations

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
    read = {
        name: [vlm.log_probs(tokens, QUESTIONS[name], words) for tokens in parts]
        for name, words in WORDS.items()
    }
    return {name: torch.cat(scores) for name, scores in read.items()}
