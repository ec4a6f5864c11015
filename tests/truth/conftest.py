"""Cases and readings that the tests of the benchmark share."""

from __future__ import annotations

import pytest

from microworld.shortcuts import Shortcut
from microworld.world import MICROWORLD
from transporter.clips.contrast import Concept
from transporter.truth.cases import Case

CONCEPT = Concept("slowly_quickly", "action", "slowly", "quickly", "how fast does it move ?")


@pytest.fixture(scope="session")
def concept() -> Concept:
    return CONCEPT


@pytest.fixture(scope="session")
def planted() -> Case:
    """Says *quickly* of red sprites and *slowly* of others."""
    answers = {"red": "quickly", "yellow": "slowly", "green": "slowly", "blue": "slowly"}
    shortcut = Shortcut("speed_by_colour", "speed", "colour", answers)
    return Case(CONCEPT, shortcut, MICROWORLD)


@pytest.fixture(scope="session")
def honest() -> Case:
    return Case(CONCEPT, world=MICROWORLD)
