"""A table of results as a page that any browser shows, as the report of a run does."""

from __future__ import annotations

import pandas as pd

PLACES = 3
"""Decimal places of numbers; all of them are in the table itself."""
STYLES = [
    {"selector": "", "props": "border-collapse: collapse; font: 14px/1.4 sans-serif"},
    {"selector": "caption", "props": "padding: 8px; text-align: left"},
    {"selector": "th, td", "props": "padding: 4px 10px; border-bottom: 1px solid #ddd"},
    {"selector": "th", "props": "position: sticky; top: 0; background: #fff; text-align: left"},
    {"selector": "tbody tr:hover", "props": "background: #eef3fa"},
]


def table_page(table: pd.DataFrame, name: str) -> str:
    """HTML of a whole table, with `name`, that of its file, above it.

    Numbers are rounded to three places, but for whole ones, and an empty cell is blank.
    """
    numbers = table.select_dtypes("number").columns
    page = (
        table.style.set_uuid("table")  # by default random: the same table would be another page
        .hide(axis="index")
        .format(escape="html", precision=PLACES, na_rep="")
        .format_index(escape="html", axis="columns")
        .set_caption(f"{name}, {len(table)} rows")
        .set_table_styles(STYLES)
        .set_properties(subset=numbers, **{"text-align": "right"})
    )
    return page.to_html(doctype_html=True, bold_headers=True)
