"""Which words a generator knows, by real tokenizers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from microworld.language import build_tokenizer
from transporter.generators.wording import readable
from transporter.support.errors import UserError


def generator(tokenizer: object, tokens: int = 16) -> SimpleNamespace:
    """What of a generator is looked at."""
    pipeline = SimpleNamespace(tokenizer=tokenizer)
    return SimpleNamespace(pipeline=pipeline, condition_shape=(tokens, 4))


@pytest.fixture(scope="module")
def words() -> PreTrainedTokenizerFast:
    return build_tokenizer(16, append_eos=True)


@pytest.fixture(scope="module")
def pieces() -> PreTrainedTokenizerFast:
    """A tokenizer of pieces of words, which knows capitals and a comma."""
    vocabulary = [("<unk>", 0.0), *((letter, -2.0) for letter in "abcdeAB, ▁")]
    backend = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")


@pytest.mark.parametrize(
    ("caption", "read"),
    [
        ("a red circle spins on grass", "a red circle spins on grass"),
        ("A red circle spins, on Grass.", "a red circle spins on grass"),
        ("  a (red) circle   spins on grass !", "a red circle spins on grass"),
        ("what colour is it ?", "what colour is it ?"),
    ],
)
def test_whole_words_have_no_capitals_and_no_punctuation(
    words: PreTrainedTokenizerFast, caption: str, read: str
) -> None:
    assert readable(generator(words), caption) == read
    assert words.unk_token_id not in words(read).input_ids


def test_unknown_words_are_named_with_the_nearest(words: PreTrainedTokenizerFast) -> None:
    with pytest.raises(UserError) as error:
        readable(generator(words), "An elephant moves slowy on gras")
    message = str(error.value)
    assert message.startswith("caption: expected words that the generator knows, got 'an'")
    assert "'elephant', 'slowy' (did you mean slowly?), 'gras' (did you mean grass?)" in message
    assert "circle" in message.partition("it knows")[2]
    assert "\n" not in message


def test_pieces_stay_as_they_are(pieces: PreTrainedTokenizerFast) -> None:
    assert readable(generator(pieces), "Ab, bad") == "Ab, bad"
    with pytest.raises(UserError, match=r"got 'zoo'$"):
        readable(generator(pieces), "Ab zoo")


def test_what_is_cut_off_is_refused(words: PreTrainedTokenizerFast) -> None:
    caption = " ".join(["red"] * 15)
    assert readable(generator(words), caption) == caption
    with pytest.raises(UserError, match="expected at most 16 tokens, got 17"):
        readable(generator(words), f"{caption} red")


def test_no_words_and_no_tokenizer(words: PreTrainedTokenizerFast) -> None:
    with pytest.raises(UserError, match="expected what the video shows, got nothing"):
        readable(generator(words), " ")
    assert readable(SimpleNamespace(), "An elephant.") == "An elephant."
