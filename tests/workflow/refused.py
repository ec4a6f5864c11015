"""Settings with one value changed, and what is said of them."""

from __future__ import annotations

from typing import Any

import pytest

from transporter.pipeline.config import check_config
from transporter.support.errors import UserError


def refusal(settings: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        check_config(settings, [("base.yaml", {}), ("mine.yaml", settings)])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def within(settings: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *way, last = path.split(".")
    place = settings
    for key in way:
        place = place.setdefault(key, {})
    place[last] = value
    return settings
