"""The linear world's reader."""

from __future__ import annotations

import pytest
from linear_world import LinearGenerator, LinearReader

from transporter.coupling.reader import Reader


@pytest.fixture
def reader() -> Reader:
    return LinearReader(LinearGenerator(), None, None)
