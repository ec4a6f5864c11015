from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from transporter.coupling.network import Coupling, Pairs, Parts
from transporter.coupling.settings import CouplingSettings
from transporter.coupling.training import coupling_losses, relative_errors, train_coupling
from transporter.support import checkpoint

MakePairs = Callable[[int, int], Pairs]


def assert_same_weights(a: nn.Module, b: nn.Module) -> None:
    for (name, left), right in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(left, right), name


def test_losses_are_means_and_vanish_at_the_target() -> None:
    z = torch.randn(3, 5, 8)
    assert all(value == 0 for value in coupling_losses(Parts(z, z, z, z), z).values())
    wrong = torch.randn(3, 5, 8)
    losses = coupling_losses(Parts(wrong, z, z, wrong), z)
    difference = (wrong @ wrong.transpose(1, 2) - z @ z.transpose(1, 2)) / 8
    torch.testing.assert_close(losses["phi_1"], (wrong - z).square().mean())
    torch.testing.assert_close(losses["gram"], difference.square().mean())
    torch.testing.assert_close(losses["loss"], 2 * losses["phi_1"] + losses["gram"])


def test_phi_2_loss_sees_relations_alone() -> None:
    z = torch.randn(3, 5, 8)
    rotated = z @ torch.linalg.qr(torch.randn(8, 8)).Q
    assert float(coupling_losses(Parts(z, rotated, z, z), z)["phi_2_gram"]) < 1e-8


@pytest.mark.parametrize("accumulate", [1, 3])
def test_resumed_training_is_bit_exact(
    make_pairs: MakePairs, settings: CouplingSettings, tmp_path: Path, accumulate: int
) -> None:
    settings = replace(settings, accumulate=accumulate, condition_shuffle=0.3)
    train, held_out = make_pairs(40, 0), make_pairs(8, 1)
    straight = train_coupling(train, held_out, settings, tmp_path / "straight", seed=5)
    train_coupling(train, held_out, settings, tmp_path / "halves", seed=5, until=10)
    torch.manual_seed(99)
    halves = train_coupling(train, held_out, settings, tmp_path / "halves", seed=5)
    assert_same_weights(straight, halves)
    curves = [(tmp_path / name / "curve.tsv").read_bytes() for name in ("straight", "halves")]
    assert curves[0] == curves[1]
    assert list(pd.read_csv(tmp_path / "halves/curve.tsv", sep="\t")["step"]) == [5, 10, 15, 20]


def test_training_leaves_the_global_generator_alone(
    make_pairs: MakePairs, settings: CouplingSettings, tmp_path: Path
) -> None:
    before = torch.random.get_rng_state()
    train_coupling(make_pairs(16, 0), make_pairs(8, 1), replace(settings, steps=2), tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_checkpoint_of_another_run_is_not_resumed(
    make_pairs: MakePairs,
    settings: CouplingSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of other data, settings, seed, weights to start from, or parts that are trained."""
    settings, held_out = replace(settings, steps=4), make_pairs(8, 1)
    pairs = [make_pairs(40, 0), make_pairs(40, 2)]
    start = train_coupling(pairs[0], held_out, settings, tmp_path / "start", seed=4)
    runs = [
        (pairs[0], settings, {}),
        (pairs[1], settings, {}),
        (pairs[1], replace(settings, weight_decay=0.5), {}),
        (pairs[1], settings, {"seed": 3}),
        (pairs[1], settings, {"start": start}),
        (pairs[1], settings, {"start": start, "only": "phi_1"}),
    ]
    for number, (data, chosen, more) in enumerate(runs):
        fresh = train_coupling(data, held_out, chosen, tmp_path / str(number), **more)
        again = train_coupling(data, held_out, chosen, tmp_path / "shared", **more)
        assert_same_weights(fresh, again)
    assert capsys.readouterr().out.count("starting afresh") == len(runs) - 1


def test_a_run_can_be_resumed_at_every_quarter(
    make_pairs: MakePairs, settings: CouplingSettings, tmp_path: Path
) -> None:
    settings = replace(settings, steps=8, save_every=500)
    done, save = [], checkpoint.save_checkpoint

    def count(path: Path, state: dict) -> None:
        done.append(state["step"])
        save(path, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transporter.training.loop.save_checkpoint", count)
        train_coupling(make_pairs(16, 0), make_pairs(8, 1), settings, tmp_path)
    assert done == [2, 4, 6, 8]


def test_training_lowers_the_error_far_below_decode_and_encode(
    make_pairs: MakePairs, settings: CouplingSettings, tmp_path: Path
) -> None:
    train, held_out = make_pairs(400, 0), make_pairs(64, 1)
    settings = replace(settings, steps=120, lr=1e-2, batch=16, log_every=1000)
    errors = relative_errors(train_coupling(train, held_out, settings, tmp_path), held_out)
    assert errors["transport"] < 0.6 * errors["plain"]


def test_relative_error_of_plain_and_of_the_mean(
    make_pairs: MakePairs, settings: CouplingSettings
) -> None:
    pairs = make_pairs(32, 0)
    fresh = Coupling(pairs.z_xi.shape[1:], pairs.pi.shape[1:], pairs.z_omega.shape[1:], settings)
    fresh.measure(pairs)
    errors = relative_errors(fresh, pairs, batch=10)
    assert errors["phi_1"] == pytest.approx(1)
    target = fresh.standardise(pairs.z_omega)
    expected = F.mse_loss(fresh.standardise(pairs.z_reencoded), target) / F.mse_loss(
        fresh.omega_positions.expand_as(target), target
    )
    assert errors["plain"] == pytest.approx(float(expected), rel=1e-5)


TRANSPORTS = [
    *({"projections": count} for count in (50, 100, 200, 400)),
    *({"transport": {"scaling_steps": steps}} for steps in (0, 1, 5)),
    *(
        {"transport": {"aggregate": name, "values": values}}
        for name in ("plans", "gromov")
        for values in ("z1", "residual")
    ),
]


@pytest.mark.parametrize("changes", TRANSPORTS, ids=str)
def test_every_form_of_transport_is_trained_whole_and_on_given_parts(
    make_pairs: MakePairs, settings: CouplingSettings, tmp_path: Path, changes: dict
) -> None:
    """What the paper's ablations set, as a file of settings gives it."""
    train, held_out = make_pairs(24, 0), make_pairs(8, 1)
    base = replace(settings, steps=2, log_every=2)
    variant = CouplingSettings.from_mapping({**base.as_dict(), **changes})
    whole = train_coupling(train, held_out, variant, tmp_path / "whole")
    assert whole.settings == variant
    assert whole.transport.p1.shape == (variant.projections, 8)
    assert relative_errors(whole, held_out)["transport"] > 0

    start = train_coupling(train, held_out, base, tmp_path / "base")
    made = train_coupling(
        train, held_out, variant, tmp_path / "on_parts", start=start, only="transport"
    )
    for part in ("phi_1", "phi_2"):
        assert_same_weights(getattr(made, part), getattr(start, part))
    errors, before = relative_errors(made, held_out), relative_errors(start, held_out)
    assert all(errors[name] == before[name] for name in ("phi_1", "phi_2", "mean", "plain"))
    if variant.transport.values == "z1":
        assert not torch.equal(made.transport.p1, start.transport.p1)


def test_only_one_part_is_trained(
    make_pairs: MakePairs, settings: CouplingSettings, tmp_path: Path
) -> None:
    train, held_out = make_pairs(40, 0), make_pairs(8, 1)
    start = train_coupling(train, held_out, settings, tmp_path / "start")
    literal = replace(
        settings, transport=replace(settings.transport, aggregate="plans", values="z1"), steps=5
    )
    made = train_coupling(
        train, held_out, literal, tmp_path / "literal", start=start, only="transport"
    )
    moved = {
        name
        for name, value in made.state_dict().items()
        if not torch.equal(value, start.state_dict()[name])
    }
    assert moved == {"transport.p1", "transport.p2", "transport.log_epsilon"}
