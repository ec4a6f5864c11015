"""The gallery: one page that opens from a folder, on which a slider moves phi and the videos and
curves follow.

The page is `gallery.html` with `gallery.css`, `gallery.js` and its data inside: one file that asks
nothing of a network, and the clips that it plays.
"""

from __future__ import annotations

import html
import json
import math
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pandas as pd

from transporter.clips.contrast import Concept
from transporter.support.errors import UserError
from transporter.support.files import written_whole

KEYS = ("generator", "vlm", "concept", "method")
CURVES = ("log_odds", "p_target", "kept")
READINGS = (*KEYS, "kind", "caption", "seed", "stop", "phi", *CURVES, "caption_reencoded")
"""Columns of the readings that the page shows, beside one for each attribute."""
SUMMARY = ("concept", "generator", "vlm", "method", "seeds", "spearman", "hit_rate", "others_kept")
PARTS = {"__STYLE__": "gallery.css", "__MAPS__": "gallery_maps.js", "__SCRIPT__": "gallery.js"}
"""Where the template holds the other files of the page."""
DATA = r'<script type="application/json" id="data">(.*?)</script>'


class Clip(NamedTuple):
    """What tells one generated clip from the others."""

    generator: str
    vlm: str
    concept: str
    method: str
    seed: int
    phi: float


@dataclass(frozen=True)
class Origin:
    """What the page says of where its results come from; what is empty is left out."""

    date: str = ""
    """Of the results, `2026-11-29`."""
    version: str = ""
    commit: str = ""
    licence: str = ""


@dataclass(frozen=True)
class LeftOut:
    """Clips that could not be read: name and reason of each, out of so many."""

    clips: Sequence[tuple[str, str]] = ()
    of: int = 0


def write_gallery(
    folder: Path,
    readings: pd.DataFrame,
    clips: Mapping[Clip, Path],
    concepts: Sequence[Concept],
    summary: pd.DataFrame,
    attributes: Sequence[str] = (),
    seeds: int = 4,
    title: str = "Transporter",
    timeless: Collection[tuple[str, str]] = (),
    origin: Origin | None = None,
    left_out: LeftOut | None = None,
    failed: Mapping[tuple[str, str, str], str] | None = None,
) -> None:
    """Write `folder/index.html` and the mp4 files that it plays, `folder/clips/`; an older gallery
    there is replaced as a whole. The same arguments give the same bytes.

    Args:
        readings: one row per clip, columns `READINGS` and `attributes`; other columns are not
            shown. Empty cells are allowed where no probe measured.
        clips: the mp4 of every clip (plain tuples serve as keys).
        concepts: their order is the page's.
        summary: one row per concept, generator, VLM and method, columns `SUMMARY`.
        attributes: the columns that hold the probes' word for an attribute, in the page's order.
        seeds: how many seeds are played; the curves show all.
        timeless: VLM and word of every answer that should need time and does not; the page warns of
            them.
        origin: date of the results, version and commit of the code, licence.
        left_out: clips that the results were not made with; the page lists them.
        failed: by generator, VLM and concept, why a fit failed; the page warns of it.

    Raises:
        UserError: a table lacks a column or is empty, a row names an unknown concept, or a clip is
            missing.
    """
    _check(readings, (*READINGS, *attributes), "readings")
    _check(summary, SUMMARY, "summary")
    known = {concept.name: concept for concept in concepts}
    if unknown := sorted(set(readings["concept"]) - set(known)):
        raise UserError(
            f"readings, column concept: no concept named {', '.join(unknown)}; expected one of"
            f" {', '.join(known)}"
        )
    with written_whole(folder) as partial:
        partial.mkdir()
        copy = _Copier(partial, clips, seeds)
        data = {
            "title": title,
            "concepts": [
                asdict(known[name]) for name in known if (readings["concept"] == name).any()
            ],
            "attributes": list(attributes),
            "sweeps": [
                _sweep(dict(zip(KEYS, key, strict=True)), rows, known[key[2]], attributes, copy)
                for key, rows in readings.groupby(list(KEYS), sort=False)
            ],
            "summary": [_summarised(row) for row in summary.to_dict("records")],
            "timeless": [{"vlm": vlm, "word": word} for vlm, word in sorted(timeless)],
            "origin": asdict(origin or Origin()),
            "left_out": asdict(left_out or LeftOut()),
            "failed": [
                {"generator": generator, "vlm": vlm, "concept": concept, "why": why}
                for (generator, vlm, concept), why in (failed or {}).items()
            ],
        }
        (partial / "index.html").write_text(page(data), encoding="utf-8")


def page(data: Mapping[str, Any]) -> str:
    """The page with `data` inside; no text of the data can end the script element that holds it."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    template = _part("gallery.html").replace("__TITLE__", html.escape(data["title"]))
    for place, name in PARTS.items():
        template = template.replace(place, _part(name), 1)
    return template.replace("__DATA__", text, 1)


def page_data(text: str) -> dict[str, Any]:
    """The `data` that a `page` was made of.

    Raises:
        UserError: the text is no such page.
    """
    found = re.search(DATA, text, re.DOTALL)
    if found is None:
        raise UserError("gallery: expected a page of an earlier run, got one without data")
    return json.loads(found[1])


def _part(name: str) -> str:
    return resources.files("transporter.figures").joinpath(name).read_text(encoding="utf-8")


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
    key: dict[str, str],
    rows: pd.DataFrame,
    concept: Concept,
    attributes: Sequence[str],
    copy: _Copier,
) -> dict[str, Any]:
    """All seeds of one concept and method, every list in the order of the slider's stops."""
    stops = sorted(set(rows["stop"].astype(float)))
    seeds = sorted(set(rows["seed"].astype(int)))
    runs = []
    for number, seed in enumerate(seeds):
        found = rows[rows["seed"].astype(int) == seed]
        by_stop = {float(row["stop"]): row for row in found.to_dict("records")}
        row_of = [by_stop.get(stop, {}) for stop in stops]
        phis = [_number(row.get("phi")) for row in row_of]
        run = {"seed": seed, **_cut(str(found.iloc[0]["caption"]), concept), "phi": phis}
        run |= {curve: [_number(row.get(curve)) for row in row_of] for curve in CURVES}
        run["answers"] = [_word(row.get("caption_reencoded")) for row in row_of]
        run["words"] = [_words(row, attributes) for row in row_of]
        if number < copy.seeds:
            names = [None if phi is None else Clip(**key, seed=seed, phi=phi) for phi in phis]
            run["clips"] = [name and copy(name) for name in names]
        else:
            run["clips"] = None
        runs.append(run)
    return {**key, "stops": stops, "runs": runs}


def _cut(caption: str, concept: Concept) -> dict[str, list[str]]:
    """A caption as the text before and after its contrast word, spaces and all, and both words as
    they are written there; whole, and no words, where it has no one place for them.
    """
    slot = concept.slot(caption)
    if slot is None:
        return {"caption": [caption], "pair": []}
    return {"caption": [slot.before, slot.after], "pair": [slot.source, slot.target]}


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


def _words(row: Mapping[str, Any], attributes: Sequence[str]) -> list[str]:
    return [_word(row.get(name)) for name in attributes]


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
