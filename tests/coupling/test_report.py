from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ot
import pytest
import torch

from transporter.coupling.network import Coupling, Pairs
from transporter.coupling.report import CLOUDS, DIRECTIONS, cloud_distances, report, tokens_of
from transporter.coupling.settings import CouplingSettings
from transporter.statistics.wasserstein import directions


def test_report_has_a_row_per_variant(
    make_pairs: Callable[[int, int], Pairs], settings: CouplingSettings, linear_vlm: Any
) -> None:
    pairs = make_pairs(20, 0)
    perfect = Pairs(pairs.z_xi, pairs.pi, pairs.z_omega, pairs.z_omega)
    made = Coupling(
        pairs.z_xi.shape[1:], pairs.pi.shape[1:], pairs.z_omega.shape[1:], settings
    ).eval()
    made.measure(perfect)
    table = report(
        made,
        linear_vlm,
        ["what ?", "how fast ?"],
        perfect,
        literal=made.variant(output="phi_1"),
        batch=8,
    )
    assert list(table.variant) == ["full", "phi_1", "phi_2", "mean", "plain", "literal"]
    rows = table.set_index("variant")
    for name in ("full", "phi_2", "plain"):  # fresh parts pass the perfect tokens on
        assert rows.loc[name, "hellinger"] == pytest.approx(0, abs=1e-3)
        assert rows.loc[name, ["cosine", "same_answer"]].tolist() == pytest.approx([1, 1])
        assert rows.loc[name, ["relative_error", "gram_error"]].tolist() == pytest.approx(
            [0, 0], abs=1e-5
        )
    assert rows.loc["phi_1", "relative_error"] == pytest.approx(
        1, rel=1e-4
    )  # and Phi_1 gives each position's mean
    assert rows.loc["mean", "relative_error"] == pytest.approx(0.25, rel=1e-4)
    assert 0.1 < rows.loc["phi_1", "hellinger"] <= 1
    assert (
        table.hellinger == table.hellinger_other_condition
    ).all()  # a fresh Phi_1 knows no condition


def test_report_shows_tokens_that_tell_of_the_prompt(
    make_pairs: Callable[[int, int], Pairs], settings: CouplingSettings, linear_vlm: Any
) -> None:
    pairs = make_pairs(20, 0)
    made = Coupling(
        pairs.z_xi.shape[1:], pairs.pi.shape[1:], pairs.z_omega.shape[1:], settings
    ).eval()
    made.measure(pairs)
    torch.nn.init.normal_(made.phi_1.out.weight)
    rows = report(made, linear_vlm, ["what ?"], pairs, batch=8).set_index("variant")
    changed = rows.hellinger != rows.hellinger_other_condition
    assert changed.to_dict() == {
        "full": False,
        "phi_1": True,
        "phi_2": False,
        "mean": True,
        "plain": False,
    }


def test_distances_of_clouds_are_pots_own_in_standardised_units(
    make_pairs: Callable[[int, int], Pairs], settings: CouplingSettings
) -> None:
    """A row per network, a column per cloud; whatever the batches, and nothing from itself."""
    pairs = make_pairs(7, 0)
    made = Coupling(
        pairs.z_xi.shape[1:], pairs.pi.shape[1:], pairs.z_omega.shape[1:], settings
    ).eval()
    made.measure(pairs)
    for part in (made.phi_1, made.phi_2):
        torch.nn.init.normal_(part.out.weight)
    torch.nn.init.normal_(made.transport.gate)
    rows = {"sliced_full": "transport", "sliced_phi_1": "phi_1", "sliced_phi_2": "phi_2"}
    networks = {name: (made, output) for name, output in rows.items()}
    found = cloud_distances(networks, made, pairs, batch=3)
    clouds = {name: tokens_of(made, pairs, output) for name, output in rows.items()}
    clouds["sliced_omega"] = pairs.z_omega
    along = directions(pairs.z_omega.shape[-1], DIRECTIONS).float()
    for name in rows:
        for column in CLOUDS:
            both = zip(*(made.standardise(clouds[key]) for key in (name, column)), strict=True)
            expected = [
                float(ot.sliced_wasserstein_distance(one, other, projections=along))
                for one, other in both
            ]
            assert found.loc[name, column] == pytest.approx(sum(expected) / 7, rel=1e-5)
        assert found.loc[name, name] == 0
    assert (found.to_numpy() > 0.1).sum() == 3 * 4 - 3
