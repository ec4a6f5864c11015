"""True answers are those of the attributes."""

from __future__ import annotations

import numpy as np
import pytest

from microworld.answers import certain, true_answers
from microworld.attributes import WORDS, draw_attributes


@pytest.mark.parametrize("seed", range(20))
def test_true_answers_are_certain_where_a_word_names_the_clip(seed: int) -> None:
    attributes = draw_attributes(np.random.default_rng(seed))
    answers = true_answers(attributes)
    assert list(answers) == list(WORDS)
    assert certain(answers) == attributes.words()
