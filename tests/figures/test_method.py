"""The overview: every link joins two boxes, and no box covers another."""

from __future__ import annotations

from itertools import combinations

from transporter.figures.method import BOXES, HEIGHT, LINKS, TALL, method_figure
from transporter.figures.theme import PAGE


def test_links_join_boxes_from_left_to_right() -> None:
    for start, end in LINKS:
        a, b = BOXES[start], BOXES[end]
        assert a.x + a.width / 2 < b.x - b.width / 2, (start, end)


def test_boxes_stand_on_the_page_and_apart() -> None:
    for box in BOXES.values():
        assert box.x > box.width / 2 and box.x + box.width / 2 < PAGE and 0 < box.y < HEIGHT
    for a, b in combinations(BOXES.values(), 2):
        assert abs(a.x - b.x) > (a.width + b.width) / 2 or abs(a.y - b.y) > TALL, (a, b)


def test_every_box_is_labelled() -> None:
    [page] = method_figure().axes
    words = {text.get_text() for text in page.texts}
    assert {box.label for box in BOXES.values()} <= words
