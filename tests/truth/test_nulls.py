"""VLMs that do not look: what they answer, and that it does not hang on what is shown."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from transporter.truth.nulls import Coin, OneWord, as_case
from transporter.vlms.base import VLM

WORDS = ["slowly", "quickly"]


class _Honest(VLM):
    device, tokens_shape = torch.device("cpu"), (4, 8)

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video

    def logits(self, tokens: torch.Tensor, prompt: str) -> torch.Tensor:
        return tokens[:, 0]

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        return tokens[:, 0, : len(continuations)]

    def caption(
        self, tokens: torch.Tensor, prompt: str | None = None, max_tokens: int | None = None
    ) -> list[str]:
        return ["a clip"] * len(tokens)


def _tokens(count: int) -> torch.Tensor:
    return torch.randn(count, 4, 8, generator=torch.Generator().manual_seed(0))


def test_a_coin_is_fair_and_answers_one_clip_alike() -> None:
    tokens, coin = _tokens(400), Coin(_Honest())
    answers = coin.log_probs(tokens, "how fast ?", WORDS).argmax(-1)
    assert 0.4 < answers.float().mean() < 0.6
    again = coin.log_probs(tokens[7:9] + 1e-8, "how fast ?", WORDS).argmax(-1)
    assert torch.equal(again, answers[7:9])
    other = Coin(_Honest(), salt=1).log_probs(tokens, "how fast ?", WORDS).argmax(-1)
    assert 0.4 < (other == answers).float().mean() < 0.6
    # nor does a coin of one question tell that of another
    asked = coin.log_probs(tokens, "what colour ?", WORDS).argmax(-1)
    assert 0.4 < (asked == answers).float().mean() < 0.6
    odds = coin.log_probs(tokens, "how fast ?", WORDS)
    torch.testing.assert_close(odds.exp().sum(-1), torch.ones(400))


def test_one_word_is_always_the_first() -> None:
    answers = OneWord(_Honest()).log_probs(_tokens(5), "how fast ?", WORDS)
    assert answers.argmax(-1).eq(0).all() and answers.std(0).eq(0).all()


def test_null_cases_wrap_the_honest_vlm_and_no_others_do() -> None:
    honest = _Honest()
    assert as_case(honest, "honest") is honest and as_case(honest, "speed_by_colour") is honest
    coin = as_case(honest, "coin")
    assert isinstance(coin, Coin) and coin.encode(_tokens(2)).shape == (2, 4, 8)
    assert coin.caption(_tokens(2)) == ["a clip", "a clip"]
    assert coin.logits(_tokens(2), "").eq(0).all()
    assert isinstance(as_case(honest, "one_word"), OneWord)
