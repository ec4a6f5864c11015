"""Captions, questions and the word-level tokenizer."""

from __future__ import annotations

import numpy as np
import pytest

from microworld.attributes import WORDS, draw_attributes
from microworld.language import (
    DESCRIBE,
    QUESTIONS,
    build_tokenizer,
    caption,
    sampled_words,
)
from microworld.training.generator import MAX_TOKENS
from transporter.clips.contrast import read_concepts


@pytest.fixture(scope="module")
def captions() -> list[str]:
    rng = np.random.default_rng(0)
    return [caption(draw_attributes(rng).words()) for _ in range(300)]


def test_a_caption_says_every_known_attribute_once() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        words = draw_attributes(rng).words()
        said = caption(words).split()
        assert all(said.count(word) == 1 for word in words.values() if word is not None)
        assert not {word for name in WORDS for word in WORDS[name] if word != words[name]} & set(
            said
        )


def test_every_word_is_in_the_vocabulary_and_every_caption_fits(captions: list[str]) -> None:
    tokenizer = build_tokenizer(MAX_TOKENS, append_eos=True)
    for text in [*captions, *QUESTIONS.values(), DESCRIBE]:
        ids = tokenizer(text).input_ids
        assert tokenizer.unk_token_id not in ids
        assert ids[-1] == tokenizer.eos_token_id
        assert len(ids) <= MAX_TOKENS
    assert len(tokenizer("").input_ids) == 1


def test_the_shipped_concepts_ask_the_questions_that_the_vlm_learnt(captions: list[str]) -> None:
    concepts = read_concepts("config/concepts.tsv")
    assert len(concepts) >= 12
    assert {c.kind for c in concepts} == {"object", "action", "scene"}
    for concept in concepts:
        [attribute] = [name for name, words in WORDS.items() if concept.source in words]
        assert concept.target in WORDS[attribute]
        assert concept.question == QUESTIONS[attribute]
        assert concept.contexts(captions)


def test_answers_in_between_two_words_are_drawn_from_both() -> None:
    rng = np.random.default_rng(2)
    answers = [sampled_words({"speed": np.array([0.25, 0.75])}, rng)["speed"] for _ in range(2000)]
    assert np.mean([answer == "quickly" for answer in answers]) == pytest.approx(0.75, abs=0.04)
