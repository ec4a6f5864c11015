"""How answers become distributions, on a VLM of five words."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F

from transporter.clips.contrast import Concept
from transporter.coupling.reader import Reader

WORDS = ["red", "blue", "green", "day", "night"]
COLOUR = Concept("red_blue", "object", "red", "blue", "what colour is it ?")


class _FiveWords:
    """Logits are the tokens' sums over channels, one visual token per word."""

    def logits(self, tokens: torch.Tensor, prompt: str) -> torch.Tensor:
        return tokens.sum(-1)

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        return self.logits(tokens, prompt).log_softmax(-1)[
            :, [WORDS.index(word) for word in continuations]
        ]


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randn(
        3, len(WORDS), 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )


@pytest.fixture
def reader() -> Reader:
    return Reader(None, _FiveWords(), None)


def test_the_vocabulary_is_the_softmax_of_all_logits(reader: Reader, tokens: torch.Tensor) -> None:
    torch.testing.assert_close(
        reader.answer(tokens, COLOUR, "vocab").exp(), F.softmax(tokens.sum(-1), -1)
    )


def test_the_pair_is_the_vocabulary_renormalised(reader: Reader, tokens: torch.Tensor) -> None:
    both = reader.answer(tokens, COLOUR, "vocab").exp()[:, :2]
    pair = reader.answer(tokens, COLOUR).exp()
    torch.testing.assert_close(pair, both / both.sum(-1, keepdim=True))
    torch.testing.assert_close(reader.answer(tokens, COLOUR, "pair").exp(), pair)


def test_log_odds_are_those_of_the_pair(reader: Reader, tokens: torch.Tensor) -> None:
    source, target = reader.answer(tokens, COLOUR).unbind(-1)
    torch.testing.assert_close(reader.log_odds(tokens, COLOUR), target - source)
