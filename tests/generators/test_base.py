from __future__ import annotations

from collections.abc import Sequence

import torch

from transporter.generators.base import CAPTIONS_AT_ONCE, encode_captions
from transporter.generators.condition import Condition


class _Lengths:
    """A condition is a caption's length."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def encode_text(self, captions: Sequence[str]) -> Condition:
        self.calls.append(len(captions))
        lengths = torch.tensor([[[float(len(caption))]] for caption in captions])
        return Condition(lengths, mask=lengths[..., 0] > 0)


def test_captions_are_encoded_some_at_once_in_their_order() -> None:
    for count in (1, CAPTIONS_AT_ONCE, 2 * CAPTIONS_AT_ONCE + 1):
        made = encode_captions(lengths := _Lengths(), ["x" * row for row in range(count)])
        assert made.embeddings.flatten().tolist() == list(range(count))
        assert made.mask.sum() == count - 1
        assert max(lengths.calls) <= CAPTIONS_AT_ONCE
        assert sum(lengths.calls) == count
