from __future__ import annotations

import json

import pytest

from transporter.coupling.settings import CouplingSettings
from transporter.support.errors import UserError


def test_round_trip_through_json() -> None:
    made = CouplingSettings.from_mapping(
        {
            "projections": 3,
            "lr": 1,
            "transport": {"aggregate": "plans"},
            "phi_1": {"patch": [1, 2, 4]},
        }
    )
    assert (made.projections, made.transport.aggregate, made.phi_1.patch) == (3, "plans", (1, 2, 4))
    assert made.transport.values == CouplingSettings().transport.values
    assert CouplingSettings.from_mapping(json.loads(json.dumps(made.as_dict()))) == made


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            {"step": 3},
            r"coupling\.step: expected one of the keys output, projections,.*; did you mean steps?",
        ),
        (
            {"transport": {"agregate": "costs"}},
            r"coupling\.transport\.agregate: .* did you mean aggregate?",
        ),
        (
            {"transport": {"aggregate": "sum"}},
            r"coupling\.transport\.aggregate: expected one of costs, plans, gromov, got 'sum'",
        ),
        ({"transport": 3}, r"coupling\.transport: expected a mapping, got 3 \(integer\)"),
        ({"steps": 1.5}, r"coupling\.steps: expected an integer, got 1.5"),
        ({"lr": "fast"}, r"coupling\.lr: expected a number"),
        ({"batch": True}, r"coupling\.batch: expected an integer, got True \(boolean\)"),
        (
            {"phi_1": {"patch": [1, 2]}},
            r"coupling\.phi_1\.patch: expected at least 3 entries, got \[1, 2\]",
        ),
    ],
)
def test_errors_name_the_key(mapping: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        CouplingSettings.from_mapping(mapping)
