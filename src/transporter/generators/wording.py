"""Whether a generator knows the words of a caption; words that it does not know would be left out
in silence.
"""

from __future__ import annotations

import difflib
from typing import Any

from tokenizers.models import WordLevel

from transporter.generators.base import Generator
from transporter.support.errors import UserError

FEW = 100
"""A vocabulary of at most so many words can be told whole."""
MARKS = ".,;:!?\"'()[]"


def readable(generator: Generator, caption: str) -> str:
    """The caption as the generator's tokenizer knows it.

    For a tokenizer of whole words, capitals and punctuation are taken away from words that it does
    not know as they stand. Of other tokenizers the caption stays as it is, and of a generator that
    holds no pipeline with a tokenizer nothing is known.

    Raises:
        UserError: the caption is empty, holds a word that has only the token for unknown words, or
            is longer than the generator's condition.
    """
    tokenizer = getattr(getattr(generator, "pipeline", None), "tokenizer", None)
    if not caption.strip():
        raise UserError("caption: expected what the video shows, got nothing")
    if tokenizer is None:
        return caption
    words = _words(tokenizer)
    if words:
        caption = " ".join(filter(None, (_plain(word, words) for word in caption.split())))
    _refuse_unknown(tokenizer, caption, words)
    length, limit = len(tokenizer(caption).input_ids), generator.condition_shape[0]
    if length > limit:
        raise UserError(
            f"caption: expected at most {limit} tokens, got {length}; shorten it or raise the"
            " generator's max_tokens"
        )
    return caption


def _words(tokenizer: Any) -> set[str]:
    """The vocabulary of a tokenizer of whole words; of another one, nothing."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not isinstance(backend.model, WordLevel):
        return set()
    return set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens)


def _plain(word: str, words: set[str]) -> str:
    return word if word in words else word.strip(MARKS).lower()


def _refuse_unknown(tokenizer: Any, caption: str, words: set[str]) -> None:
    unk = getattr(tokenizer, "unk_token_id", None)
    if unk is None:
        return
    unknown = [
        word
        for word in dict.fromkeys(caption.split())
        if unk in tokenizer(word, add_special_tokens=False).input_ids
    ]
    if unknown:
        words = {word for word in words if word.isalnum()}
        named = ", ".join(f"{word!r}{_hint(word, words)}" for word in unknown)
        all_words = f"; it knows {', '.join(sorted(words))}" if 0 < len(words) <= FEW else ""
        raise UserError(f"caption: expected words that the generator knows, got {named}{all_words}")


def _hint(word: str, words: set[str]) -> str:
    near = difflib.get_close_matches(word, sorted(words), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
