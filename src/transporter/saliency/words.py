"""Words, and which tokens of a prompt they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from transporter.generators.base import Generator, encode_captions
from transporter.generators.condition import Condition
from transporter.support.errors import UserError


@dataclass(frozen=True)
class Words:
    """The words that B clips are searched for, n for each clip.

    Attributes:
        places: of each clip's word, the tokens of its prompt; empty where it is not there.
        prompts: how many tokens of each clip's prompt are words, B.
        alone: every word encoded by itself, B n conditions, clip by clip.
        lengths: how many sub-words each of those has, B n.
        padding: the empty caption, one condition.
    """

    places: tuple[tuple[tuple[int, ...], ...], ...]
    prompts: tuple[int, ...]
    alone: Condition
    lengths: tuple[int, ...]
    padding: Condition

    @property
    def count(self) -> int:
        return len(self.places[0])

    @classmethod
    def of(
        cls, generator: Generator, captions: Sequence[str], words: Sequence[Sequence[str]]
    ) -> Words:
        """Of the clips' captions, and each clip's words, as many for every clip.

        Raises:
            UserError: no words, not as many for every clip, or one without a token of its own.
        """
        if len(words) != len(captions) or len({len(some) for some in words}) != 1 or not words[0]:
            counts = ", ".join(str(len(some)) for some in words) or "none"
            raise UserError(
                f"words: expected as many for each of {len(captions)} clips, at least one, got"
                f" {counts}"
            )
        tokenizer = generator.pipeline.tokenizer
        tokens = {word: _tokens(tokenizer, word) for some in words for word in some}
        prompts = [tokenizer(caption).input_ids for caption in captions]
        places = tuple(
            tuple(_place(prompt, tokens[word]) for word in some)
            for prompt, some in zip(prompts, words, strict=True)
        )
        flat = [word for some in words for word in some]
        with torch.no_grad():
            alone, padding = encode_captions(generator, flat), generator.encode_text([""])
        own = (tokenizer(caption, add_special_tokens=False).input_ids for caption in captions)
        limit = generator.condition_shape[0]
        counts = tuple(min(len(tokens), limit) for tokens in own)
        return cls(places, counts, alone, tuple(len(tokens[word]) for word in flat), padding)


def _tokens(tokenizer: Any, word: str) -> list[int]:
    found = tokenizer(word, add_special_tokens=False).input_ids
    if not found or tokenizer.unk_token_id in found:
        raise UserError(f"word: expected one that the generator knows, got {word!r}")
    return found


def _place(prompt: Sequence[int], word: Sequence[int]) -> tuple[int, ...]:
    """Where a word first stands in a prompt."""
    for start in range(len(prompt) - len(word) + 1):
        if list(prompt[start : start + len(word)]) == list(word):
            return tuple(range(start, start + len(word)))
    return ()
