"""Cases: which pair a shortcut is explained by, what is true of it, and the caption of the true
explanation.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from microworld.attributes import WORDS
from microworld.shortcuts import Shortcut, read_shortcuts
from microworld.world import MICROWORLD
from transporter.clips.caption_words import attribute_of
from transporter.clips.contrast import Concept, read_concepts, swaps
from transporter.concepts.edits import widened
from transporter.support.errors import UserError
from transporter.truth.cases import (
    Case,
    pair_of,
    shortcut_name,
    without_words,
)

ROOT = Path(__file__).parents[2]


def test_the_truth_is_the_cue_or_else_what_the_words_are_about(planted: Case, honest: Case) -> None:
    assert (planted.attribute, planted.cues) == ("speed", {"colour"})
    assert (honest.attribute, honest.cues) == ("speed", {"speed"})
    other = Concept("cat_dog", "object", "cat", "dog", "what is it ?")
    assert Case(other, world=MICROWORLD).cues is None
    assert Case(planted.concept).cues is None
    assert Case(planted.concept, world=MICROWORLD, null=True).cues == frozenset()


def test_the_true_explanation_changes_the_cue_alone(planted: Case, honest: Case) -> None:
    caption = "a large blue circle moves slowly left on grass during the night"
    assert (
        planted.oracle(caption) == "a large red circle moves slowly left on grass during the night"
    )
    assert (
        honest.oracle(caption) == "a large blue circle moves quickly left on grass during the night"
    )


def test_a_cue_that_the_caption_leaves_out_is_put_in(planted: Case) -> None:
    assert planted.oracle("a square spins slowly on snow") == "a red square spins slowly on snow"


def test_the_oracle_of_a_condition_brings_all_its_words_or_breaks_one(concept: Concept) -> None:
    answers = {"yes": "quickly", "no": "slowly"}
    caption = "a large blue square moves slowly left on snow"
    both = Shortcut("a", "speed", "colour=red+shape=circle", answers)
    assert Case(concept, both, MICROWORLD).cues == {"colour", "shape"}
    assert (
        Case(concept, both, MICROWORLD).oracle(caption)
        == "a large red circle moves slowly left on snow"
    )
    breaks = Shortcut("a", "speed", "colour=blue+shape=square", {"yes": "slowly", "no": "quickly"})
    assert (
        Case(concept, breaks, MICROWORLD).oracle(caption)
        == "a large red square moves slowly left on snow"
    )
    unsaid = Case(concept, Shortcut("a", "speed", "bright", answers), MICROWORLD)
    assert unsaid.oracle(caption) is None and unsaid.cues is None


def test_every_shipped_shortcut_has_a_pair_whose_target_a_cue_can_bring() -> None:
    concepts = read_concepts(ROOT / "config" / "truth.tsv")
    for shortcut in read_shortcuts(ROOT / "config" / "shortcuts.tsv").values():
        pair = pair_of(shortcut, concepts)
        assert attribute_of((pair.source, pair.target), WORDS) == shortcut.attribute
        assert {pair.source, pair.target} <= set(shortcut.answers.values())


def test_a_shortcut_without_a_pair_is_refused(concept: Concept) -> None:
    shortcut = Shortcut(
        "time_by_ground", "time", "ground", {"snow": "day", "grass": "night", "sand": "night"}
    )
    with pytest.raises(
        UserError,
        match=r"shortcut time_by_ground: expected a concept with two of its answers \(night, day\)",
    ):
        pair_of(shortcut, [concept])


def test_a_name_says_which_case_it_is(planted: Case, concept: Concept) -> None:
    shortcuts = {"speed_by_colour": planted.shortcut}

    def named(name: str) -> Case:
        return Case.named(name, concept, shortcuts, MICROWORLD)

    assert named("speed_by_colour") == planted
    assert named("speed_by_colour_withheld") == replace(planted, withheld=True)
    assert named("coin") == Case(concept, world=MICROWORLD, null=True)
    assert named("honest") == Case(concept, world=MICROWORLD)
    assert shortcut_name("speed_by_colour_withheld") == shortcut_name("speed_by_colour")


def test_withheld_are_all_words_of_the_cues_attributes(planted: Case, concept: Concept) -> None:
    assert planted.hidden == frozenset()
    assert replace(planted, withheld=True).hidden == set(WORDS["colour"])
    answers = {"yes": "quickly", "no": "slowly"}
    both = Shortcut("a", "speed", "colour=red+shape=circle", answers)
    hidden = Case(concept, both, MICROWORLD, withheld=True).hidden
    assert hidden == {*WORDS["colour"], *WORDS["shape"]}
    unsaid = Shortcut("a", "speed", "bright", answers)
    assert Case(concept, unsaid, MICROWORLD, withheld=True).hidden == frozenset()
    assert Case(concept, both, None, withheld=True).hidden == frozenset()


def test_a_table_without_words_asks_about_none_of_them(concept: Concept) -> None:
    known = read_concepts(ROOT / "config" / "concepts.tsv")
    left = without_words(known, frozenset(WORDS["colour"]))
    assert {one.name for one in known} - {one.name for one in left} == {
        "red_blue",
        "green_yellow",
    }
    caption = "a red circle moves left on grass"
    words = {swap.word for swap in swaps(caption, widened(left, WORDS))}
    assert words == {"circle", "left", "grass"}
