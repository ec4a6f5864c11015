"""Contrast pairs: which captions a word can be swapped in, and which tables are refused."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microworld.attributes import WORDS
from microworld.language import QUESTIONS, caption
from transporter.clips.contrast import (
    COLUMNS,
    Concept,
    edits_of,
    holds,
    read_concepts,
    swap_pairs,
    swaps,
    words_of,
)
from transporter.support.errors import UserError

HEADER = "\t".join(COLUMNS)
ROW = "red_blue\tobject\tred\tblue\twhat colour is it ?"
RED_BLUE = Concept("red_blue", "object", "red", "blue", "what colour is it ?")
WORDS_OF_A_CLIP = st.fixed_dictionaries(
    {name: st.sampled_from(words) for name, words in WORDS.items()}
)


def table(folder: Path, *rows: str) -> Path:
    path = folder / "concepts.tsv"
    path.write_text("\n".join([HEADER, *rows, ""]))
    return path


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a red circle", "a blue circle"),
        ("red, shiny and new.", "blue, shiny and new."),
        ("it  is\tred", "it  is\tblue"),
        ("Red, a circle", "Blue, a circle"),
        ("A RED circle!", "A BLUE circle!"),
        ("(red)", "(blue)"),
        ("a green circle", None),
        ("red on red", None),
        ("an infrared lamp", None),
        ("a red-hot iron", None),
        ("", None),
    ],
)
def test_swap(before: str, after: str | None) -> None:
    assert RED_BLUE.swap(before) == after


def test_two_swaps_are_one_of_all_between_them() -> None:
    table = [
        Concept("red_blue", "object", "red", "blue", "what colour ?"),
        Concept("red_green", "object", "red", "green", "what colour ?"),
        Concept("left_right", "action", "left", "right", "where to ?"),
    ]
    text = "a Red dot moves left."
    found = list(swap_pairs(text, list(swaps(text, table))))
    assert [swap.caption for swap in found] == [
        "a Blue dot moves right.",
        "a Green dot moves right.",
    ]
    assert found[0].word == "Red dot moves left."
    assert found[0].about == "what colour ? where to ?"
    for swap in found:
        pair = Concept("swap", "object", swap.word, swap.instead, swap.about)
        assert pair.swap(text) == swap.caption


@pytest.mark.parametrize("text", ["red night", "night, red", "a red dot at night", "red at night"])
def test_two_swaps_may_add_or_drop_a_word(text: str) -> None:
    table = [
        Concept("red", "object", "red", "dark red", "what colour ?"),
        Concept("night", "scene", "night", "at night", "when ?"),
    ]
    [found] = swap_pairs(text, list(swaps(text, table)))
    assert Concept("swap", "object", found.word, found.instead, "").swap(text) == found.caption


@pytest.mark.parametrize(
    ("word", "instead", "edits"),
    [
        ("red", "blue", ["red blue"]),
        ("at night", "by day", ["at night by day"]),
        ("at night", "night", ["at night night"]),
        ("blue dot", "red disk", ["blue dot red disk"]),
        ("blue dot moves up", "red dot moves down", ["blue red", "up down"]),
    ],
)
def test_edits_are_told_word_by_word(word: str, instead: str, edits: list[str]) -> None:
    assert [" ".join(edit) for edit in edits_of(word, instead)] == edits


def test_swap_takes_phrases_and_signs_literally() -> None:
    assert (
        Concept("n", "scene", "at night", "by day", "?").swap("a street at night.")
        == "a street by day."
    )
    assert Concept("n", "scene", "1.5", r"\1", "?").swap("1.5 but not 125") == r"\1 but not 125"


@pytest.mark.parametrize(
    ("caption", "slot"),
    [
        ("At night, a street", ("", "At night", "By day", ", a street")),
        ("a street at  night.", ("a street ", "at  night", "by day", ".")),
        ("a street by day; a cat", ("a street ", "at night", "by day", "; a cat")),
        ("BY DAY", ("", "AT NIGHT", "BY DAY", "")),
        ("a street at night-time", None),
        ("at night and at night", None),
        ("at night, at night, by day", None),
        ("at night, then by day", ("", "at night", "by day", ", then by day")),
    ],
)
def test_a_phrase_is_found_where_it_stands(caption: str, slot: tuple[str, ...] | None) -> None:
    night = Concept("n", "scene", "at night", "by day", "?")
    assert night.slot(caption) == slot
    assert night.pair(caption) == (
        slot and (slot[0] + slot[1] + slot[3], slot[0] + slot[2] + slot[3])
    )


def test_a_word_within_the_other_is_not_found() -> None:
    run = Concept("n", "action", "runs", "runs fast", "?")
    assert (
        run.pair("a dog runs fast") == run.pair("a dog runs") == ("a dog runs", "a dog runs fast")
    )


def test_repeated_words_do_not_move_the_cut() -> None:
    """The text that a word leaves behind may hold the other word again, next to it."""
    ball = Concept("n", "object", "ball ball", "cube", "?")
    assert ball.slot("a ball cube") == ("a ball ", "ball ball", "cube", "")


@given(
    words=st.lists(
        st.sampled_from(["red", "Blue", "RED", "a", "red-hot", "blue.", "x"]), max_size=6
    )
)
def test_a_slot_holds_the_caption_and_its_pair(words: list[str]) -> None:
    """Whatever the caption, it is one of its pair, and both of the pair give the pair again."""
    caption = ", ".join(words)
    slot = RED_BLUE.slot(caption)
    if slot is None:
        return
    assert caption in slot.pair
    assert slot.source.lower() == "red" and slot.target.lower() == "blue"
    if not re.search("red", slot.after + slot.before, re.IGNORECASE):
        assert RED_BLUE.pair(slot.pair[0]) == slot.pair


def test_words_of_a_text() -> None:
    assert words_of("A dog's red-hot, (tiny) ball.") == ["a", "dog's", "red-hot", "tiny", "ball"]
    assert holds("At night: a street.", "at night") and not holds("a nightly street", "night")


def test_either_word_gives_the_same_pair() -> None:
    assert (
        RED_BLUE.pair("a red circle")
        == RED_BLUE.pair("a blue circle")
        == ("a red circle", "a blue circle")
    )
    assert RED_BLUE.pair("a circle") is None


def test_contexts_are_distinct_and_in_order() -> None:
    captions = ["a blue square", "a red circle", "a green circle", "a red square", "a blue circle"]
    assert RED_BLUE.contexts(captions) == [
        ("a red square", "a blue square"),
        ("a red circle", "a blue circle"),
    ]


@settings(deadline=None)
@given(words=WORDS_OF_A_CLIP)
def test_a_pair_differs_in_its_word_alone(words: dict[str, str]) -> None:
    pair = RED_BLUE.pair(caption(words))
    assert pair == (
        (caption(words | {"colour": "red"}), caption(words | {"colour": "blue"}))
        if words["colour"] in ("red", "blue")
        else None
    )


def test_the_projects_own_table() -> None:
    concepts = read_concepts(Path(__file__).parents[2] / "config" / "concepts.tsv")
    assert {
        kind: sum(concept.kind == kind for concept in concepts) >= 4
        for kind in ("object", "action", "scene")
    } == {
        "object": True,
        "action": True,
        "scene": True,
    }
    for concept in concepts:
        attribute = next(name for name, words in WORDS.items() if concept.source in words)
        assert concept.target in WORDS[attribute]
        assert concept.question == QUESTIONS[attribute]


def test_names_pick_and_order(tmp_path: Path) -> None:
    path = table(tmp_path, ROW, "01\taction\tup\tdown\thow ?", "c\tscene\tday\tnight\twhen ?")
    assert [concept.name for concept in read_concepts(path)] == ["red_blue", "01", "c"]
    assert [concept.name for concept in read_concepts(path, ["c", "01"])] == ["c", "01"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((), "expected at least one concept, got a header alone"),
        ((ROW, ROW), "line 3, column concept: 'red_blue' stands there twice; rename one"),
        (
            ("a/b\tobject\tx\ty\t?",),
            "line 2, column concept: expected a name of letters, digits, '_', '.' and '-'",
        ),
        (
            ("\tobject\tx\ty\t?",),
            "line 2, column concept: expected a name of letters, digits, '_', '.' and '-'",
        ),
        (
            ("a\tthing\tx\ty\t?",),
            "line 2, column kind: expected one of object, action, scene, got 'thing'",
        ),
        (("a\tobject\tx\tx\t?",), "line 2: expected two different words, got 'x' and 'x'"),
        (("a\tobject\tx\tX\t?",), "line 2: expected two different words, got 'x' and 'X'"),
        (("a\tobject\tx\t\t?",), "line 2: expected two different words, got 'x' and ''"),
        (
            ("a\tobject\tx\ty\t",),
            (
                "line 2, column question: expected the prompt whose answer is one of the two words,"
                " got nothing"
            ),
        ),
        (
            ("a\tobject\tx\x1b[1m\ty\t?",),
            "line 2, column source: expected text without control characters, got 'x\\x1b[1m', in",
        ),
        (
            ("a\tobject\tx\ty\u202e\t?",),
            "column target: expected text without control characters, got 'y\\u202e', in which"
            " U+202E is RIGHT-TO-LEFT OVERRIDE",
        ),
        (("a\tobject\tx\ty\ta\x7f?",), "column question: expected text without control"),
        (("a\tobject\tx\ty",), "line 2: expected 5 cells, separated by tabs, got 4"),
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, rows: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_concepts(table(tmp_path, *rows))
    assert message in str(caught.value)
    assert str(tmp_path / "concepts.tsv") in str(caught.value)


def test_unknown_names_are_listed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no concept named dog_cat, up; it has red_blue"):
        read_concepts(table(tmp_path, ROW), ["dog_cat", "red_blue", "up"])


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "concepts.tsv").write_text("concept\tkind\tsource\ttarget\n")
    with pytest.raises(UserError, match=r"concepts\.tsv: expected columns .*; missing: question"):
        read_concepts(tmp_path / "concepts.tsv")


def test_joiners_and_other_scripts_are_no_control_characters(tmp_path: Path) -> None:
    path = table(tmp_path, "a\tobject\tمی\u200cخواهم\t紅\u3000い\t何\u00a0色?")
    assert read_concepts(path)[0].source == "می\u200cخواهم"
