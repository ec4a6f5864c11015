"""The gallery: one page that opens from a folder, on which a slider moves phi and the videos and
curves follow.
"""

from __future__ import annotations

import html
import json
import math
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pandas as pd

from transporter.clips.contrast import Concept
from transporter.support.errors import UserError
from transporter.support.files import written_whole

KEYS = ("generator", "vlm", "concept", "method")
CURVES = ("log_odds", "log_odds_phi", "p_target", "kept")
READINGS = (*KEYS, "kind", "caption", "seed", "phi", *CURVES, "caption_phi", "p_source")
"""Columns of the readings; any other column is the probe's word for one attribute."""
SUMMARY = ("concept", "generator", "vlm", "method", "seeds", "spearman", "hit_rate", "others_kept")


class Clip(NamedTuple):
    """What tells one generated clip from the others."""

    generator: str
    vlm: str
    concept: str
    method: str
    seed: int
    phi: float


def write_gallery(
    folder: Path,
    readings: pd.DataFrame,
    clips: Mapping[Clip, Path],
    concepts: Sequence[Concept],
    summary: pd.DataFrame,
    seeds: int = 4,
    title: str = "Transporter",
    timeless: Collection[tuple[str, str]] = (),
) -> None:
    """Write `folder/index.html` and the mp4 files that it plays, `folder/clips/`; an older gallery
    there is replaced as a whole.

    Args:
        readings: one row per clip, columns `READINGS` and one per attribute; empty cells are
            allowed where no probe measured.
        clips: the mp4 of every clip (plain tuples serve as keys).
        concepts: their order is the page's.
        summary: one row per concept, generator, VLM and method, columns `SUMMARY`.
        seeds: how many seeds are played; the curves show all.
        timeless: VLM and word of every answer that should need time and does not; the page warns of
            them.

    Raises:
        UserError: a table lacks a column or is empty, a row names an unknown concept, or a clip is
            missing.
    """
    _check(readings, READINGS, "readings")
    _check(summary, SUMMARY, "summary")
    known = {concept.name: concept for concept in concepts}
    if unknown := sorted(set(readings["concept"]) - set(known)):
        raise UserError(
            f"readings, column concept: no concept named {', '.join(unknown)}; expected one of"
            f" {', '.join(known)}"
        )
    with written_whole(folder) as partial:
        partial.mkdir()
        data = {
            "title": title,
            "concepts": [
                asdict(known[name]) for name in known if (readings["concept"] == name).any()
            ],
            "attributes": _attributes(readings),
            "sweeps": [
                _sweep(
                    dict(zip(KEYS, key, strict=True)),
                    rows,
                    known[key[2]],
                    _Copier(partial, clips, seeds),
                )
                for key, rows in readings.groupby(list(KEYS), sort=False)
            ],
            "summary": [_summarised(row) for row in summary.to_dict("records")],
            "timeless": [{"vlm": vlm, "word": word} for vlm, word in sorted(timeless)],
        }
        (partial / "index.html").write_text(page(data), encoding="utf-8")


def page(data: Mapping[str, Any]) -> str:
    """The page with `data` inside; no text of the data can end the script element that holds it."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    template = (
        resources.files("transporter.figures")
        .joinpath("gallery_template.html")
        .read_text(encoding="utf-8")
    )
    return template.replace("__TITLE__", html.escape(data["title"])).replace("__DATA__", text, 1)


class _Copier:
    """Copies the clips of the first few seeds into the gallery and names them as the page does."""

    def __init__(self, folder: Path, clips: Mapping[Clip, Path], seeds: int) -> None:
        self.folder, self.seeds = folder, seeds
        self.clips = {_rounded(Clip(*clip)): path for clip, path in clips.items()}

    def __call__(self, clip: Clip) -> str:
        source = self.clips.get(_rounded(clip))
        if source is None or not Path(source).is_file():
            raise UserError(
                f"gallery: expected an mp4 for {clip._asdict()}, got {source or 'none'}; generate"
                " the clips again"
            )
        parts = (
            "clips",
            clip.generator,
            clip.vlm,
            clip.concept,
            f"{clip.method}-{clip.seed}-{clip.phi:g}.mp4",
        )
        target = self.folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return "/".join(quote(part, safe="") for part in parts)


def _sweep(
    key: dict[str, str], rows: pd.DataFrame, concept: Concept, copy: _Copier
) -> dict[str, Any]:
    """All seeds of one concept and method, every list in the order of `phi`."""
    phis = sorted(set(rows["phi"].astype(float)))
    seeds = sorted(set(rows["seed"].astype(int)))
    attributes = _attributes(rows)
    runs = []
    for number, seed in enumerate(seeds):
        found = rows[rows["seed"].astype(int) == seed]
        by_phi = {float(row["phi"]): row for row in found.to_dict("records")}
        row_of = [by_phi.get(phi, {}) for phi in phis]
        caption = str(found.iloc[0]["caption"])
        shown = number < copy.seeds
        runs.append(
            {
                "seed": seed,
                "caption": _around(caption, concept),
                **{name: [_number(row.get(name)) for row in row_of] for name in CURVES},
                "read": [str(row.get("caption_phi", "")) for row in row_of],
                "words": [[_word(row.get(name)) for name in attributes] for row in row_of],
                "clips": (
                    [
                        copy(Clip(**key, seed=seed, phi=phi)) if phi in by_phi else None
                        for phi in phis
                    ]
                    if shown
                    else None
                ),
            }
        )
    return {**key, "phi": phis, "runs": runs}


def _around(caption: str, concept: Concept) -> list[str]:
    """A caption as the text before and after its contrast word, or whole where it holds neither
    word exactly once.
    """
    pair = concept.pair(caption)
    if pair is None:
        return [caption]
    words = pair[0].split()
    place = words.index(concept.source)
    return [" ".join(words[:place]), " ".join(words[place + 1 :])]


def _attributes(readings: pd.DataFrame) -> list[str]:
    return [name for name in readings.columns if name not in READINGS]


def _rounded(clip: Clip) -> Clip:
    """Phi that went through a text file equals phi that did not."""
    return clip._replace(seed=int(clip.seed), phi=round(float(clip.phi), 6))


def _number(value: Any) -> float | None:
    """A finite number to five significant digits, None for anything else (an empty cell, nan,
    infinity).
    """
    number = float(pd.to_numeric(value, errors="coerce")) if value is not None else math.nan
    return float(f"{number:.5g}") if math.isfinite(number) else None


def _word(value: Any) -> str:
    """A cell's text, empty for a missing value."""
    return "" if value is None or pd.isna(value) else str(value)


def _summarised(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the summary; an empty cell of a table from a file is no number."""
    return {name: str(row[name]) if name in KEYS else _number(row[name]) for name in SUMMARY}


def _check(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    if missing := [column for column in columns if column not in table.columns]:
        raise UserError(
            f"{name}: expected columns {', '.join(columns)}; missing: {', '.join(missing)}"
        )
    if table.empty:
        raise UserError(f"{name}: expected at least one row, got none; run the evaluation first")
