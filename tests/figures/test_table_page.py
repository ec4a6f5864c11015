"""A table as a page."""

from __future__ import annotations

from xml.etree import ElementTree

import pandas as pd

from transporter.figures.table_page import table_page

TABLE = pd.DataFrame({"concept": ["a<b>", ""], "share & gap": [0.123456, None], "clips": [12, 3]})


def cells(page: str, kind: str) -> list[str]:
    """The texts of all header or body cells, read by an XML parser."""
    root = ElementTree.fromstring(page[page.index("<table") : page.index("</table>") + 8])
    return ["".join(cell.itertext()).strip() for cell in root.iter(kind)]


def test_all_cells_stand_in_it_with_numbers_rounded() -> None:
    page = table_page(TABLE, "concepts")
    assert cells(page, "th") == ["concept", "share & gap", "clips"]
    assert cells(page, "td") == ["a<b>", "0.123", "12", "", "", "3"]
    assert cells(page, "caption") == ["concepts, 2 rows"]


def test_it_is_a_whole_page_that_loads_nothing() -> None:
    page = table_page(TABLE, "concepts")
    assert page.startswith("<!DOCTYPE html>") and "utf-8" in page
    assert "http" not in page and "<script" not in page


def test_one_table_is_one_page() -> None:
    assert table_page(TABLE, "concepts") == table_page(TABLE, "concepts")
