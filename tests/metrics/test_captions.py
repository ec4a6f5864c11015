"""COCO's caption metrics with known and hand-made numbers; sentence cosine with its model's
published examples.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from math import exp
from pathlib import Path

import pytest
import torch

from transporter.metrics import captions
from transporter.metrics.captions import CaptionAgreement, SentenceCosine, has_spice
from transporter.support.errors import Unavailable, UserError

REFERENCES = [
    ["a man is riding a wave on a surfboard", "a man is surfing"],
    ["a red car is driving down a road"],
    ["two dogs play in the snow"],
]


@pytest.fixture(scope="session")
def agreement() -> CaptionAgreement:
    try:
        return CaptionAgreement()
    except Unavailable as error:
        pytest.skip(str(error))


def agree(
    metric: CaptionAgreement,
    candidates: Sequence[str],
    references: Sequence[Sequence[str]],
    batch: int = 100,
) -> dict:
    metric.reset()
    for start in range(0, len(candidates), batch):
        metric.update(candidates[start : start + batch], references[start : start + batch])
    return metric.compute()


def test_equal_captions_get_full_marks(agreement: CaptionAgreement) -> None:
    """Case and punctuation do not count."""
    found = agree(
        agreement,
        ["A man is surfing.", "a red car is driving down a road!", "Two dogs play in the snow"],
        REFERENCES,
    )
    assert all(found[f"bleu_{n}"] == pytest.approx(100, abs=1e-4) for n in range(1, 5))
    assert (found["rouge_l"], found["meteor"]) == pytest.approx((100, 100), abs=1e-4)
    assert found.keys() == CaptionAgreement.numbers.keys() - (set() if has_spice() else {"spice"})


def test_numbers_made_by_hand(agreement: CaptionAgreement) -> None:
    """Of `a b c d e` for `a b c x e f`: 4 of 5 words, 2 of 4 pairs, 1 of 3 triples, and a word too
    few; longest common row 4.
    """
    found = agree(agreement, ["red dog runs very fast"], [["red dog runs so fast today"]])
    brevity, precision, recall = exp(1 - 6 / 5), 4 / 5, 4 / 6
    assert found["bleu_1"] == pytest.approx(100 * brevity * 4 / 5, rel=1e-6)
    assert found["bleu_2"] == pytest.approx(100 * brevity * (4 / 5 * 2 / 4) ** (1 / 2), rel=1e-6)
    assert found["bleu_3"] == pytest.approx(
        100 * brevity * (4 / 5 * 2 / 4 * 1 / 3) ** (1 / 3), rel=1e-6
    )
    assert found["rouge_l"] == pytest.approx(
        100 * 2.44 * precision * recall / (recall + 1.44 * precision)
    )
    assert found["cider"] == 0


def test_an_empty_caption_and_odd_line_breaks_shift_nothing(agreement: CaptionAgreement) -> None:
    found = agree(
        agreement, ["a man\u2028is\r\nsurfing\n", "", "two dogs play in the snow"], REFERENCES
    )
    assert found["rouge_l"] == pytest.approx(200 / 3)


def test_words_in_common_count(agreement: CaptionAgreement) -> None:
    near = agree(
        agreement, ["a man rides a wave", "a car is on a road", "dogs are in the snow"], REFERENCES
    )
    far = agree(agreement, ["an empty room", "someone sings", "it rains"], REFERENCES)
    assert all(
        near[name] > far[name] for name in ("bleu_1", "bleu_2", "rouge_l", "cider", "meteor")
    )


def test_order_and_batches_do_not_matter(agreement: CaptionAgreement) -> None:
    candidates = ["a man rides a wave", "a car is on a road", ""]
    first = agree(agreement, candidates, REFERENCES)
    assert agree(agreement, candidates, REFERENCES, batch=2) == first
    assert agree(agreement, candidates[::-1], REFERENCES[::-1]) == first
    assert str(agreement.results()[0]).endswith(
        "(higher is better; captions 3, by pycocoevalcap 1.2, scale 100)"
    )


@pytest.mark.parametrize(("candidates", "references"), [(["a"], []), (["a"], [[]]), (["a"], ["a"])])
def test_references_are_lists(
    agreement: CaptionAgreement, candidates: list[str], references: list
) -> None:
    with pytest.raises(
        UserError, match="expected a list of at least one reference for each candidate"
    ):
        agreement.update(candidates, references)


def test_no_captions(agreement: CaptionAgreement) -> None:
    agreement.reset()
    with pytest.raises(UserError, match="expected captions, got none"):
        agreement.compute()


def test_no_java(agreement: CaptionAgreement, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(
        Unavailable, match="need Java, and there is no java; install a Java runtime"
    ):
        CaptionAgreement()


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="the package pycocoevalcap is not installed"):
        CaptionAgreement()


@pytest.fixture(scope="session")
def cosine(weights: Callable[[str], Path]) -> SentenceCosine:
    return SentenceCosine(weights("minilm"))


def test_sentences_near_and_far(cosine: SentenceCosine) -> None:
    """The similarities that the documentation of sentence-transformers prints for this model."""
    with torch.no_grad():
        said = cosine.embed(
            ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
        )
    expected = torch.tensor([[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]])
    torch.testing.assert_close(said @ said.T, expected, atol=1e-4, rtol=0)


def test_cosine_invariants(cosine: SentenceCosine) -> None:
    candidates, targets = (
        ["a man surfs", "a dog", "it rains in the city today"],
        ["a surfer", "two cats", "heavy rain"],
    )
    values = []
    for some in ([slice(0, 3)], [slice(0, 2), slice(2, 3)], [slice(None, None, -1)]):
        cosine.reset()
        for rows in some:
            cosine.update(candidates[rows], targets[rows])
        values.append(cosine.compute()["sentence_cos"])
    assert values[1:] == pytest.approx(values[:1] * 2, abs=1e-5)
    assert 0.1 < values[0] < 0.9
    cosine.reset()
    cosine.update(candidates, candidates)
    (result,) = cosine.results()
    assert result.value == pytest.approx(1, abs=1e-6)
    assert (result.protocol["captions"], result.protocol["model"]) == (3, "all-MiniLM-L6-v2")


def test_targets_must_match(cosine: SentenceCosine) -> None:
    with pytest.raises(UserError, match="expected a target for each of 2 captions, got 1"):
        cosine.update(["a", "b"], ["a"])
