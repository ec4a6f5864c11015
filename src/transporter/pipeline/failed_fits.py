"""Concepts whose fit failed: their clips are made all the same, and everybody is told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from transporter.support.files import read_rows

COLUMNS = ("concept", "status")
OK, FAILED = "ok", "failed: "
"""What the status of a concept says, or begins with."""
NAMED = 3
"""So many concepts are named in one line."""

Fit = tuple[str, str, str]
"""A generator, a VLM and a concept."""


def failed_fits(tables: Sequence[str]) -> dict[Fit, str]:
    """Why each of the fits failed that did, by the tables of banks
    (`results/concepts/GENERATOR/VLM/separation.tsv`).
    """
    found = {}
    for path in map(Path, tables):
        generator, vlm = path.parts[-3:-1]
        for _, (concept, status) in read_rows(path, COLUMNS):
            if status != OK:
                found[generator, vlm, concept] = status.removeprefix(FAILED)
    return found


def failed_line(tables: Sequence[str]) -> str | None:
    """One line about the fits of a run that failed; None where none has, or where the run has not
    come so far.
    """
    if not all(map(os.path.isfile, tables)):
        return None
    failed = failed_fits(tables)
    if not failed:
        return None
    few = [f"{concept} of {vlm} ({why})" for (_, vlm, concept), why in failed.items()][:NAMED]
    more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
    return f"fits failed, and their clips do not show what the VLM goes by: {'; '.join(few)}{more}"
