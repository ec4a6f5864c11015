"""Scores clip by clip: of all clips as COCO's evaluation gives them, of a selection as it gives
them of that alone.
"""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from transporter.metrics import caption_scores as module
from transporter.metrics.caption_scores import ClipScores, caption_scores
from transporter.metrics.captions import tokenize
from transporter.support.errors import Unavailable

CANDIDATES = [
    "a small red circle moves slowly up on snow during the night",
    "a large circle moves on grass during the day",
    "a blue square spins slowly on sand during the night",
    "a small red circle moves",
    "a large yellow square moves quickly left on sand",
]
REFERENCES = [
    "a small blue circle moves slowly up on snow during the night",
    "a large green circle moves quickly down on grass during the day",
    "a small blue square spins slowly on sand during the night",
    "a small red circle moves slowly left on grass during the day",
    "a large yellow square moves quickly left on sand during the day",
]
ALL = np.arange(len(CANDIDATES))


@pytest.fixture(scope="module")
def scores() -> ClipScores:
    try:
        return caption_scores(CANDIDATES, REFERENCES)
    except Unavailable as error:
        pytest.skip(str(error))


def evaluation(clips: np.ndarray) -> dict[str, float]:
    """What COCO's evaluation itself makes of some clips, in hundredths."""
    own, target = (
        dict(enumerate([[texts[clip]] for clip in clips])) for texts in (CANDIDATES, REFERENCES)
    )
    bleu = Bleu(4).compute_score(target, own, verbose=0)[0]
    scores = {f"bleu_{order}": score for order, score in enumerate(bleu, start=1)}
    scores["rouge_l"] = Rouge().compute_score(target, own)[0]
    scores["cider"] = Cider().compute_score(target, own)[0]
    return {name: 100 * score for name, score in scores.items()}


def test_all_clips_score_as_cocos_evaluation_says(scores: ClipScores) -> None:
    expected = evaluation(ALL)
    for name in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"):
        assert scores.score(name, ALL) == pytest.approx(expected[name], rel=1e-5), name


def test_a_resample_scores_as_if_it_were_all_there_is(scores: ClipScores) -> None:
    """Not CIDEr, whose weights stay those of all clips."""
    clips = np.array([0, 4, 4, 1])
    expected = evaluation(clips)
    for name in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l"):
        assert scores.score(name, clips) == pytest.approx(expected[name], rel=1e-5), name


def test_numbers_made_by_hand() -> None:
    """Of `a b c d e` for `a b c x e f`: 4 of 5 words, 2 of 4 pairs, 1 of 3 triples, and a word too
    few; longest common row 4.
    """
    scores = caption_scores(["red dog runs very fast"], ["red dog runs so fast today"])
    found = {name: scores.score(name, np.arange(1)) for name in scores.names}
    brevity, precision, recall = exp(1 - 6 / 5), 4 / 5, 4 / 6
    expected = {
        "bleu_1": 100 * brevity * 4 / 5,
        "bleu_2": 100 * brevity * (4 / 5 * 2 / 4) ** (1 / 2),
        "bleu_3": 100 * brevity * (4 / 5 * 2 / 4 * 1 / 3) ** (1 / 3),
        "rouge_l": 100 * 2.44 * precision * recall / (recall + 1.44 * precision),
        "cider": 0,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6)


def test_odd_line_breaks_shift_nothing() -> None:
    if not module.has_java():
        pytest.skip("there is no java")
    captions = [["A man\u2028is\r\nsurfing.\n"], [""], ["two dogs, in the snow"]]
    assert tokenize(captions) == [["a man is surfing"], [""], ["two dogs in the snow"]]


def test_full_marks_and_none() -> None:
    same = caption_scores(REFERENCES, REFERENCES)
    assert [same.score(f"bleu_{n}", ALL) for n in range(1, 5)] == pytest.approx([100] * 4)
    other = caption_scores(["nothing"] * len(ALL), REFERENCES)
    assert [other.score(name, ALL) for name in ("bleu_1", "bleu_4", "rouge_l", "cider")] == [0] * 4


def test_without_java_plain_captions_score_the_same_but_for_meteor(
    scores: ClipScores, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not module.has_java():
        pytest.skip("there is no java")
    monkeypatch.setattr(module, "has_java", lambda: False)
    without = caption_scores([f"{text.capitalize()}." for text in CANDIDATES], REFERENCES)
    assert set(scores.names) - set(without.names) >= {"meteor"}
    np.testing.assert_array_equal(without.counts, scores.counts)
    for name in ("rouge_l", "cider"):
        np.testing.assert_allclose(without.per_clip[name], scores.per_clip[name])
