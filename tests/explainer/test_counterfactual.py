"""A clip of one's own explained, under stand-ins of known behaviour (`greys`)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from greys import LIGHT, PLAIN, grey, reader

from transporter.explainer.counterfactual import SEEN, Counterfactual, oriented
from transporter.explainer.flip_search import even_strengths, explain
from transporter.explainer.one_clip import ExplainedClip
from transporter.explainer.page import curve, page
from transporter.support.errors import UserError


def found(threshold: float = 0.5, power: int = 1, **options: object) -> Counterfactual:
    options = {"editing": PLAIN, "even": False, **options}
    return explain(grey(0.2), LIGHT, reader(threshold, power), **options)


def test_the_least_flip_is_where_the_answer_changes() -> None:
    """The edit adds 0.6 phi to 0.2, so that 0.5 is passed at 0.5; it is found to a sixteenth of a
    step.
    """
    made = found(phi=(0, 0.4, 1))
    assert made.flip is not None
    assert 0.5 < made.flip.phi <= 0.5 + 0.6 / 16
    assert made.flip.log_odds > 0
    torch.testing.assert_close(made.flip.video.mean(), torch.tensor(0.2 + 0.6 * made.flip.phi))
    assert made.answer(made.clip_log_odds) == "dark 95%"
    assert f"From strength {made.flip.phi:.2f} on" in made.verdict


def test_readings_tell_answers_and_change() -> None:
    table = found(phi=(0, 0.1, 1)).readings
    assert table["phi"].tolist() == [0, 0.1, 1]
    assert table["log_odds"].tolist() == pytest.approx([-3, -2.4, 3], abs=1e-4)
    assert table["answer"].tolist() == ["dark 95%", "dark 92%", "bright 95%"]
    assert table["visual"].tolist() == pytest.approx([0, 0.06, 0.6], abs=1e-5)
    assert table["changed"].tolist() == [0, 0, 1]
    assert SEEN > 0.06


def test_a_bright_clip_is_edited_the_other_way() -> None:
    made = explain(grey(0.8), LIGHT, reader(), "a bright room", editing=PLAIN, even=False)
    assert (made.concept.source, made.concept.target) == ("bright", "dark")
    assert made.clip_log_odds == pytest.approx(-3)
    assert made.log_odds.tolist() == pytest.approx([-3, -1.5, 0, 1.5, 3], abs=1e-4)


def test_the_caption_may_name_the_other_word() -> None:
    """It is what the VLM answers that the clip is edited from."""
    made = explain(grey(0.2), LIGHT, reader(), "a bright room", editing=PLAIN, even=False)
    assert made.caption == "a dark room"


def test_an_answer_that_never_flips_is_said_to_be_so() -> None:
    made = found(threshold=0.9)
    assert made.flip is None
    assert made.verdict.startswith("No edit from dark to bright up to strength 1")
    assert torch.equal(made.edited, made.video[-1])


def test_a_clip_at_rest_differs_nowhere() -> None:
    assert found(phi=(0, 0.1)).difference.max() == pytest.approx(0.06, abs=1e-5)


def test_even_strengths_share_the_rise() -> None:
    assert even_strengths((0, 0.5, 1), (-4, -4, 4)) == pytest.approx((0, 0.75, 1), abs=1e-3)
    assert even_strengths((0, 1, 2), (0, 2, 1)) == pytest.approx((0, 0.5, 2), abs=1e-3)
    assert even_strengths((0, 0.5, 1), (-4, -4, -5)) == (0, 0.5, 1)


def test_a_clip_at_even_strengths_is_a_slider() -> None:
    """Of a VLM that is a switch at both ends."""

    def largest(made: Counterfactual) -> float:
        moves = made.log_odds.diff().abs()
        return float(moves.max() / moves.sum())

    plain, even = found(power=3), found(power=3, even=True)
    assert largest(plain) > 0.43
    assert largest(even) < 0.34
    assert (even.phi[0], even.phi[-1]) == (0, 1)
    assert len(even.phi) == len(plain.phi)
    assert even.flip is not None and plain.flip is not None
    assert even.flip.phi == pytest.approx(plain.flip.phi, abs=0.02)
    assert found(phi=(0, 1), even=True).phi == (0, 1)


def test_orientation_is_by_the_answer() -> None:
    assert oriented(LIGHT, -1.0) == LIGHT
    assert oriented(LIGHT, 1.0) == replace(LIGHT, source="bright", target="dark")


def test_captions_without_the_words_and_single_strengths_are_refused() -> None:
    with pytest.raises(UserError, match="expected one that holds 'dark' or 'bright', got 'a room'"):
        found(caption="a room")
    with pytest.raises(UserError, match="at least two different strengths"):
        found(phi=(1, 1))


def test_the_page_holds_all_and_loads_nothing() -> None:
    text = page(ExplainedClip(found()), {"video": "<my clip>.mp4"})
    assert text.count("data:video/mp4;base64,") == 3 + 5
    assert "&lt;my clip&gt;.mp4" in text
    assert "http" not in text and "<script" not in text
    assert "From strength" in text


def test_the_curve_rises_to_the_right_and_rings_the_flip() -> None:
    drawn = curve(found())
    xs, ys = zip(*drawn["points"], strict=True)
    assert list(xs) == sorted(xs)
    assert list(ys) == sorted(ys, reverse=True)  # y points down
    x, y = drawn["flip"]
    assert xs[0] < x < xs[-1]
    assert y <= drawn["zero"]
    assert curve(found(threshold=0.9))["flip"] is None


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_an_edit_stays_where_the_word_is(weight: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Greys have one place, which has the word or not."""
    asked = []

    def place(_: object, clip: torch.Tensor, word: str, caption: str, seed: int) -> torch.Tensor:
        asked.append((word, caption))
        return torch.full((1, 1, 1), weight)

    monkeypatch.setattr("transporter.explainer.clip_edits.places_of", place)
    made = found(phi=(0, 1), where="map")
    assert asked == [("dark", made.caption)]
    assert float(made.video[1].mean()) == pytest.approx(0.2 + 0.6 * weight, abs=1e-5)
