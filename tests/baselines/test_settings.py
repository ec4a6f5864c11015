from __future__ import annotations

import json

import pytest

from transporter.baselines.settings import InversionSettings
from transporter.support.errors import UserError


def test_round_trip_through_json() -> None:
    made = InversionSettings.from_mapping({"steps": 30, "lr": 0.05, "patch": [1, 8, 8]})
    assert (made.steps, made.lr, made.patch) == (30, 0.05, (1, 8, 8))
    assert InversionSettings.from_mapping(json.loads(json.dumps(made.as_dict()))) == made


def test_defaults_are_the_published_ones() -> None:
    made = InversionSettings()
    assert (made.steps, made.lr, made.warm_up, made.beta_1, made.beta_2) == (
        3000,
        0.6,
        100,
        0.5,
        0.9,
    )
    assert (made.jitter, made.l2, made.first_layer) == (30, 0.005, 10)


def test_errors_name_the_key() -> None:
    with pytest.raises(
        UserError, match=r"baselines\.step: expected one of the keys .* did you mean steps?"
    ):
        InversionSettings.from_mapping({"step": 3})
    with pytest.raises(UserError, match=r"baselines\.jitter: expected an integer, got 0.5"):
        InversionSettings.from_mapping({"jitter": 0.5})
