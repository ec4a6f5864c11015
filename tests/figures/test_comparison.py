"""The comparison is a full grid of words and methods."""

from __future__ import annotations

import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.figures.comparison import Row, comparison_figure
from transporter.figures.theme import PAGE
from transporter.support.errors import UserError

CONCEPT = Concept("red_blue", "object", "red", "blue", "what colour ?")
KEYS = [("maco", "w"), ("leaps", "w_dw"), ("transporter", "phi")]


def row(keys: list[tuple[str, str]]) -> Row:
    return Row(
        CONCEPT, {key: torch.full((3, 3, 8, 8), number / 4) for number, key in enumerate(keys)}
    )


def test_words_stand_left_and_methods_above() -> None:
    [page] = comparison_figure([row(KEYS), row(KEYS)]).axes
    pictures = page.get_images()
    assert [float(picture.get_array().mean()) for picture in pictures] == pytest.approx(
        [0, 0.25, 0.5] * 2
    )
    assert max(picture.get_extent()[1] for picture in pictures) < PAGE
    words = [text.get_text() for text in page.texts]
    assert words == ["MACO", "ω+", "LEAPS", "ω+ + dω", "TRANSPORTER", "φ = 1", "blue", "blue"]


def test_rows_have_the_same_methods() -> None:
    with pytest.raises(UserError, match="same methods, got 2 rows"):
        comparison_figure([row(KEYS), row(KEYS[:2])])
