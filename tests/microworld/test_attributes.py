"""Words name the ends of degrees, probabilities lead from one to the next, and held-out
combinations stay apart.
"""

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microworld.attributes import (
    COMBINED,
    DEGREES,
    END,
    HUE_WIDTH,
    HUES,
    WORDS,
    Attributes,
    draw_attributes,
)

SHARES = st.floats(0, 1)
ATTRIBUTES = st.builds(
    Attributes,
    shape=st.sampled_from(WORDS["shape"]),
    hue=st.floats(0, 1, exclude_max=True),
    size=SHARES,
    motion=st.sampled_from(WORDS["motion"]),
    speed=SHARES,
    ground=st.sampled_from(WORDS["ground"]),
    time=SHARES,
)
SOME = Attributes("circle", 0.0, 0.0, "left", 0.0, "grass", 0.0)


@settings(deadline=None)
@given(attributes=ATTRIBUTES)
def test_probabilities_are_a_distribution_over_the_words(attributes: Attributes) -> None:
    for name, words in WORDS.items():
        probabilities = attributes.probabilities(name)
        assert probabilities.shape == (len(words),)
        assert probabilities.min() >= 0
        assert probabilities.sum() == pytest.approx(1)


@settings(deadline=None)
@given(attributes=ATTRIBUTES)
def test_a_word_is_the_nearest_one_and_only_given_where_sure(attributes: Attributes) -> None:
    nearest = attributes.nearest_words()
    for name, word in attributes.words().items():
        assert word in (None, nearest[name])
        assert (word is None) == (attributes.probabilities(name).max() < 1 - 1e-9)
        assert word is not None or name == "colour" or name in DEGREES


@settings(deadline=None)
@given(attributes=ATTRIBUTES, name=st.sampled_from((*DEGREES, "hue")), step=st.floats(-1e-3, 1e-3))
def test_probabilities_are_continuous(attributes: Attributes, name: str, step: float) -> None:
    value = getattr(attributes, name) + step
    moved = replace(
        attributes, **{name: value % 1.0 if name == "hue" else float(np.clip(value, 0, 1))}
    )
    attribute = "colour" if name == "hue" else name
    # a degree goes from 0 to 1 over 1 - 2 END, a hue at the quickest over the narrowest gap between
    # named hues
    narrowest = min(np.diff(np.append(HUES, HUES[0] + 1))) - 2 * HUE_WIDTH
    steepest = 1 / narrowest if name == "hue" else 1 / (1 - 2 * END)
    change = np.abs(moved.probabilities(attribute) - attributes.probabilities(attribute)).max()
    assert change <= steepest * abs(step) + 1e-9


@pytest.mark.parametrize("name", DEGREES)
def test_degrees_rise_from_the_first_word_to_the_second(name: str) -> None:
    degrees = np.linspace(0, 1, 101)
    high = [replace(SOME, **{name: float(degree)}).probabilities(name)[1] for degree in degrees]
    assert np.all(np.diff(high) >= 0)
    assert [
        replace(SOME, **{name: degree}).word(name) for degree in (0.0, END, 0.5, 1 - END, 1.0)
    ] == [
        WORDS[name][0],
        WORDS[name][0],
        None,
        WORDS[name][1],
        WORDS[name][1],
    ]


def test_hues_are_named_in_order_and_the_circle_closes() -> None:
    assert tuple(replace(SOME, hue=float(hue)).word("colour") for hue in HUES) == WORDS["colour"]
    for hue in (0.999, 0.0, 0.001):
        assert replace(SOME, hue=hue).word("colour") == "red"
    between = replace(SOME, hue=float(HUES[:2].mean()))
    assert between.word("colour") is None
    np.testing.assert_allclose(between.probabilities("colour"), [0.5, 0.5, 0, 0], atol=1e-9)


def test_equal_seeds_draw_equal_clips() -> None:
    drawn = [[draw_attributes(np.random.default_rng(seed)) for seed in range(5)] for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 5


def combination(attributes: Attributes) -> tuple[str, ...]:
    nearest = attributes.nearest_words()
    return tuple(nearest[name] for name in COMBINED)


def test_held_out_combinations_never_train() -> None:
    rng = np.random.default_rng(0)
    training = {combination(draw_attributes(rng, held_out=False)) for _ in range(2000)}
    held_out = {combination(draw_attributes(rng, held_out=True)) for _ in range(200)}
    assert not training & held_out
    for attribute, place in (("shape", 0), ("colour", 1), ("motion", 2), ("ground", 3)):
        assert {words[place] for words in training} == set(WORDS[attribute])


@settings(deadline=None)
@given(attributes=ATTRIBUTES, size=SHARES, speed=SHARES, time=SHARES)
def test_held_out_depends_on_the_combination_alone(
    attributes: Attributes, size: float, speed: float, time: float
) -> None:
    assert replace(attributes, size=size, speed=speed, time=time).held_out == attributes.held_out


def test_any_two_words_meet_among_what_is_held_out_and_each_word_as_often_as_its_neighbours() -> (
    None
):
    every = [
        Attributes(shape, float(hue), 0, motion, 0, ground, 0)
        for shape in WORDS["shape"]
        for hue in HUES
        for motion in WORDS["motion"]
        for ground in WORDS["ground"]
    ]
    held_out = [combination(attributes) for attributes in every if attributes.held_out]
    assert len(held_out) == len(every) / 9
    for place, name in enumerate(COMBINED):
        assert Counter(words[place] for words in held_out) == dict.fromkeys(
            WORDS[name], len(held_out) // len(WORDS[name])
        )
    for first, second in itertools.combinations(range(len(COMBINED)), 2):
        pairs = {(words[first], words[second]) for words in held_out}
        assert pairs == set(itertools.product(WORDS[COMBINED[first]], WORDS[COMBINED[second]]))


def test_every_word_is_drawn_and_named_about_as_often_as_its_neighbours() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_attributes(rng) for _ in range(3000)]
    for name, words in WORDS.items():
        counts = Counter(attributes.nearest_words()[name] for attributes in drawn)
        assert set(counts) == set(words)
        assert max(counts.values()) < 2 * min(counts.values())
        unnamed = np.mean([attributes.word(name) is None for attributes in drawn])
        assert (0.1 < unnamed < 0.4) if name in (*DEGREES, "colour") else unnamed == 0
