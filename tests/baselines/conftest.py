"""Tiny stand-ins for networks under inversion."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from transporter.baselines.settings import InversionSettings
from transporter.baselines.targets import ClassifierTarget, VLMTarget
from transporter.clips.contrast import Concept
from transporter.networks.hooks import batch_norms

SHAPE = (4, 3, 8, 8)
WORDS = ("red", "blue", "green")


class TinyClassifier(nn.Module):
    """Clips `(B, T, C, H, W)` in [0, 1] to logits of five classes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv3d(3, 6, 3, padding=1), nn.BatchNorm3d(6)
        self.second, self.last = nn.Conv3d(6, 8, 3, stride=(1, 2, 2), padding=1), nn.BatchNorm3d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        hidden = self.norm(self.first(video.transpose(1, 2) * 2 - 1)).relu()
        return 10 * self.head(self.last(self.second(hidden)).relu().mean((2, 3, 4)))


class TinyVLM:
    """One token per frame; answers are words, by a linear language model about the mean token."""

    def __init__(self) -> None:
        self.device, self.time_steps, self.tokens_shape = (
            torch.device("cpu"),
            SHAPE[0],
            (SHAPE[0], 6),
        )
        self.model = nn.Module()
        self.model.tower = nn.ModuleList([nn.Linear(SHAPE[1] * 64, 6), nn.Linear(6, 6)])
        self.model.head = nn.Linear(6, len(WORDS))
        self.processor = SimpleNamespace(
            tokenizer=lambda word, add_special_tokens: SimpleNamespace(
                input_ids=[WORDS.index(word)]
            )
        )
        self.model.double().requires_grad_(False)

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        hidden = video.flatten(2).double()
        for layer in self.model.tower:
            hidden = layer(hidden).tanh()
        return hidden

    def logits(self, tokens: torch.Tensor, prompt: str) -> torch.Tensor:
        return 5 * self.model.head(tokens.mean(1)) + len(prompt) * 0

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: tuple[str, ...]
    ) -> torch.Tensor:
        return self.logits(tokens, prompt).log_softmax(-1)[
            :, [WORDS.index(word) for word in continuations]
        ]


@pytest.fixture
def settings() -> InversionSettings:
    return InversionSettings(
        steps=12, lr=0.1, warm_up=2, jitter=2, patch=(2, 4, 4), log_every=4, save_every=5
    )


@pytest.fixture
def concept() -> Concept:
    return Concept("red_blue", "object", "red", "blue", "what colour ?")


@pytest.fixture
def classifier() -> TinyClassifier:
    torch.manual_seed(0)
    network = TinyClassifier()
    with torch.no_grad():
        for _ in range(20):  # running statistics of its own
            network(torch.rand(4, *SHAPE))
    return network.eval().requires_grad_(False)


@pytest.fixture
def class_target(classifier: TinyClassifier) -> ClassifierTarget:
    return ClassifierTarget(classifier, 2, batch_norms(classifier), "second")


@pytest.fixture
def vlm_target(concept: Concept) -> VLMTarget:
    torch.manual_seed(0)
    return VLMTarget(TinyVLM(), concept)


@pytest.fixture
def clips() -> list[torch.Tensor]:
    return list(torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(7)))
