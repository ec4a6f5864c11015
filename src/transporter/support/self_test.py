"""Findings of a self-test: what was tried, whether it went well, and a line about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from transporter.support.errors import UserError

LIMIT = 160
"""Letters of a line about what failed."""
Checks = Mapping[str, Callable[[], str]]
"""Names of checks; each says what it found, or raises an error that says what is wrong."""


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: str
    passed: bool
    words: str


def findings(checks: Checks) -> Iterator[Finding]:
    """One after another; one that fails does not keep others from being tried."""
    for name, check in checks.items():
        try:
            yield Finding(name, True, check())
        except Exception as error:  # of every kind: that it fails is the finding
            words = " ".join(str(error).split())
            if not isinstance(error, UserError):
                words = f"{type(error).__name__}: {words}"
            yield Finding(name, False, words if len(words) <= LIMIT else f"{words[:LIMIT]}...")


def expect(right: bool, expected: str, got: str) -> None:
    """Raise a `UserError` unless something is right."""
    if not right:
        raise UserError(f"expected {expected}, got {got}")
