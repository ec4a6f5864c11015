"""The noise levels of a scheduler, also where there is one step alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def levels_defined(scheduler: Any, steps: int) -> Iterator[None]:
    """While open, a scheduler of `diffusers` has levels for so many steps.

    `shift_terminal` stretches them from 1 to a last one, which of one step alone, at level 1, makes
    0 / 0.
    """
    last = scheduler.config.get("shift_terminal")
    if steps > 1 or not last:
        yield
        return
    scheduler.register_to_config(shift_terminal=None)
    try:
        yield
    finally:
        scheduler.register_to_config(shift_terminal=last)
