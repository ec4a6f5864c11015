"""Words that a caption of a world holds, and captions with one more or one less."""

from __future__ import annotations

from itertools import islice

from microworld.attributes import WORDS
from microworld.world import MICROWORLD
from transporter.clips.caption_words import (
    attribute_of,
    is_of,
    one_word_edits,
    reworded,
    words_in,
)
from transporter.clips.contrast import Concept, swaps

COLOUR = Concept("red_blue", "object", "red", "blue", "what colour ?")
NIGHT = Concept("day_night", "scene", "day", "night", "what time ?")
SQUARE = "a square spins slowly on snow"


def test_a_caption_is_its_words() -> None:
    for caption in islice(MICROWORLD.captions(0, "train"), 50):
        assert MICROWORLD.caption(words_in(caption, MICROWORLD)) == caption
        assert is_of(caption, MICROWORLD)
    assert not is_of("a square dances on snow", MICROWORLD)


def test_one_word_more_or_less() -> None:
    assert reworded(SQUARE, "time", "night", MICROWORLD) == f"{SQUARE} during the night"
    assert reworded(SQUARE, "speed", None, MICROWORLD) == "a square spins on snow"
    assert reworded(SQUARE, "shape", "circle", MICROWORLD) == "a circle spins slowly on snow"


def test_the_attribute_is_the_one_of_all_words() -> None:
    assert attribute_of(["red", "blue"], WORDS) == "colour"
    assert attribute_of(["red", "night"], WORDS) is None
    assert attribute_of(["purple"], WORDS) is None


def test_what_a_caption_does_not_name_is_put_in() -> None:
    found = list(one_word_edits(SQUARE, [COLOUR, NIGHT], MICROWORLD))
    assert [(edit.about, edit.word, edit.instead, edit.caption) for edit in found] == [
        ("what colour ?", "", "red", "a red square spins slowly on snow"),
        ("what colour ?", "", "blue", "a blue square spins slowly on snow"),
        ("what time ?", "", "day", f"{SQUARE} during the day"),
        ("what time ?", "", "night", f"{SQUARE} during the night"),
    ]


def test_what_it_names_is_swapped_alone() -> None:
    caption = "a green square spins slowly on snow during the day"
    known = [COLOUR, NIGHT]
    assert list(one_word_edits(caption, known, MICROWORLD)) == list(swaps(caption, known))


def test_nothing_is_put_into_captions_that_are_not_the_worlds() -> None:
    mixed = Concept("red_night", "object", "red", "night", "what is it like ?")
    assert not list(one_word_edits(SQUARE, [COLOUR], None))
    assert not list(one_word_edits("a square dances", [COLOUR], MICROWORLD))
    assert not list(one_word_edits(SQUARE, [mixed], MICROWORLD))
