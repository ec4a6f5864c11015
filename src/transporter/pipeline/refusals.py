"""What refuses settings: one line that names the file to blame, the key, what was expected and what
came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transporter.support.errors import UserError
from transporter.support.refusals import dotted, short

Source = tuple[str, Mapping[str, Any]]
"""Name of a file and the settings that came from it."""


def refusal(sources: Sequence[Source], path: Sequence[Any], complaint: str) -> UserError:
    """The error to raise about the key at `path`, which one of `sources` gave."""
    said = ": ".join(filter(None, [dotted(path), complaint]))
    return UserError(f"{blamed(sources, path)}: {short(said)}")


def blamed(sources: Sequence[Source], path: Sequence[Any]) -> str:
    """The last file that holds the key, else the one that holds most of the way to it."""
    numbered = enumerate(sources)
    return max(numbered, key=lambda one: (_depth(one[1][1], path), one[0]))[1][0]


def _depth(settings: Any, path: Sequence[Any]) -> int:
    """How much of the path leads somewhere."""
    for length, key in enumerate(path):
        if not isinstance(settings, Mapping) or key not in settings:
            return length
        settings = settings[key]
    return len(path)
