"""What made the results is told on machines, too, that lack a library."""

from __future__ import annotations

import platform
from importlib.metadata import version

from transporter.pipeline.libraries import LIBRARIES, versions


def test_each_has_its_version_and_what_is_not_there_is_left_out() -> None:
    assert versions(["av", "no-such-library", "numpy"]) == [
        ("python", platform.python_version()),
        ("av", version("av")),
        ("numpy", version("numpy")),
    ]
    assert {"av", "torch", "decord"} <= set(LIBRARIES)
