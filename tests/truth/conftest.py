"""Subjects and readings that the tests of the benchmark share."""

from __future__ import annotations

import pytest

from microworld.shortcuts import Shortcut
from transporter.clips.contrast import Concept
from transporter.truth.cases import Subject

CONCEPT = Concept("slowly_quickly", "action", "slowly", "quickly", "how fast does it move ?")


@pytest.fixture(scope="session")
def concept() -> Concept:
    return CONCEPT


@pytest.fixture(scope="session")
def planted() -> Subject:
    """Says *quickly* of red sprites and *slowly* of others."""
    answers = {"red": "quickly", "yellow": "slowly", "green": "slowly", "blue": "slowly"}
    return Subject(CONCEPT, Shortcut("speed_by_colour", "speed", "colour", answers))


@pytest.fixture(scope="session")
def honest() -> Subject:
    return Subject(CONCEPT)
