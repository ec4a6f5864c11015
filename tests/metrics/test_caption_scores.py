"""Scores clip by clip: of all clips as COCO's evaluation gives them, of a selection as it gives
them of that alone.
"""

from __future__ import annotations

import numpy as np
import pytest

from transporter.metrics import caption_scores as module
from transporter.metrics.caption_scores import ClipScores, caption_scores
from transporter.metrics.captions import CaptionAgreement
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


def agreement(clips: np.ndarray) -> dict[str, float]:
    try:
        metric = CaptionAgreement()
    except Unavailable as error:
        pytest.skip(str(error))
    metric.update([CANDIDATES[clip] for clip in clips], [[REFERENCES[clip]] for clip in clips])
    return metric.compute()


def test_all_clips_score_as_cocos_evaluation_says(scores: ClipScores) -> None:
    expected = agreement(ALL)
    for name in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"):
        assert scores.score(name, ALL) == pytest.approx(expected[name], rel=1e-5), name


def test_a_resample_scores_as_if_it_were_all_there_is(scores: ClipScores) -> None:
    """Not CIDEr, whose weights stay those of all clips."""
    clips = np.array([0, 4, 4, 1])
    expected = agreement(clips)
    for name in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l"):
        assert scores.score(name, clips) == pytest.approx(expected[name], rel=1e-5), name


def test_full_marks_and_none() -> None:
    same = caption_scores(REFERENCES, REFERENCES)
    assert [same.score(f"bleu_{n}", ALL) for n in range(1, 5)] == pytest.approx([100] * 4)
    other = caption_scores(["nothing"] * len(ALL), REFERENCES)
    assert [other.score(name, ALL) for name in ("bleu_1", "bleu_4", "rouge_l", "cider")] == [0] * 4


def test_without_java_plain_captions_score_the_same_but_for_meteor(
    scores: ClipScores, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreement(ALL)
    monkeypatch.setattr(module, "has_java", lambda: False)
    without = caption_scores([f"{text.capitalize()}." for text in CANDIDATES], REFERENCES)
    assert set(scores.names) - set(without.names) >= {"meteor"}
    np.testing.assert_array_equal(without.counts, scores.counts)
    for name in ("rouge_l", "cider"):
        np.testing.assert_allclose(without.each[name], scores.each[name])
