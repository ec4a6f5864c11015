"""The page of many explained clips: each clip beside its least edit, and the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
import pandas as pd

from transporter.clips.contrast import Concept
from transporter.explainer.counts import Explained
from transporter.figures.theme import SOURCE, TARGET

TEMPLATE = Path(__file__).with_suffix(".html")


def page(found: Sequence[Explained], summary: pd.DataFrame, concepts: Mapping[str, Concept]) -> str:
    """HTML that shows the clips in the folders of `found`; `summary` is of `counts.summary`."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    parts = [
        {
            "name": f"{part.concept}, {part.vlm}, {part.generator}",
            "question": concepts[part.concept].question,
            "folder": part.folder,
            "clips": part.table.to_dict("records"),
            "left_out": part.left_out.groupby("reason", sort=False)["clip"].agg(list).to_dict(),
        }
        for part in found
    ]
    return template.render(
        parts=parts,
        rows=summary.to_dict("records"),
        source_colour=SOURCE,
        target_colour=TARGET,
    )
