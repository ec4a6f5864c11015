from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from transporter.coupling.network import Coupling, Pairs
from transporter.coupling.settings import CouplingSettings, TransportSettings
from transporter.support.errors import UserError

MakePairs = Callable[[int, int], Pairs]


def coupling_for(pairs: Pairs, settings: CouplingSettings) -> Coupling:
    """A network with the pairs' statistics and outputs that are no longer zero."""
    torch.manual_seed(0)
    made = Coupling(pairs.z_xi.shape[1:], pairs.pi.shape[1:], pairs.z_omega.shape[1:], settings)
    made.measure(pairs)
    for parameter in (made.phi_1.out.weight, made.phi_2.out.weight, made.transport.gate):
        torch.nn.init.normal_(parameter)
    return made.eval()


def inputs(pairs: Pairs) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return pairs.z_xi, pairs.pi, pairs.z_reencoded


def test_statistics_standardise_both_spaces(
    make_pairs: MakePairs, settings: CouplingSettings
) -> None:
    pairs = make_pairs(64, 0)
    made = coupling_for(pairs, settings)
    standard = made.standardise(pairs.z_omega)
    torch.testing.assert_close(standard.mean((0, 1)), torch.zeros(8), atol=1e-5, rtol=0)
    torch.testing.assert_close(standard.std((0, 1), correction=0), torch.ones(8))
    torch.testing.assert_close(made.raw(standard), pairs.z_omega)
    torch.testing.assert_close(standard.mean(0), made.omega_positions)


def test_a_constant_channel_is_only_centred(
    make_pairs: MakePairs, settings: CouplingSettings
) -> None:
    pairs = make_pairs(8, 0)
    flat = Pairs(pairs.z_xi, torch.zeros_like(pairs.pi), pairs.z_omega, pairs.z_reencoded)
    assert torch.equal(coupling_for(flat, settings).pi_std, torch.ones(1, 5))


def test_fresh_network_is_decode_and_encode(
    make_pairs: MakePairs, settings: CouplingSettings
) -> None:
    pairs = make_pairs(8, 0)
    made = Coupling(
        pairs.z_xi.shape[1:], pairs.pi.shape[1:], pairs.z_omega.shape[1:], settings
    ).eval()
    made.measure(pairs)
    torch.testing.assert_close(made(*inputs(pairs)), pairs.z_reencoded)
    means = pairs.z_omega.mean(0, keepdim=True).expand_as(pairs.z_omega)
    torch.testing.assert_close(made.variant(output="phi_1")(*inputs(pairs)), means)


def test_gradients_reach_every_input(make_pairs: MakePairs, settings: CouplingSettings) -> None:
    pairs = make_pairs(4, 0)
    given = [tensor.clone().requires_grad_() for tensor in inputs(pairs)]
    coupling_for(pairs, settings).requires_grad_(False)(*given).square().sum().backward()
    assert all(tensor.grad.abs().sum() > 0 for tensor in given)


@pytest.mark.parametrize("output", ["phi_1", "phi_2", "mean", "plain", "transport"])
def test_variants_are_settings_of_one_network(
    make_pairs: MakePairs, settings: CouplingSettings, output: str
) -> None:
    pairs = make_pairs(8, 0)
    made = coupling_for(pairs, settings)
    parts = made.parts(*inputs(pairs))
    expected = {
        "phi_1": parts.z_1,
        "phi_2": parts.z_2,
        "mean": (parts.z_1 + parts.z_2) / 2,
        "plain": made.standardise(pairs.z_reencoded),
        "transport": made.transport(parts.z_1, parts.z_2),
    }
    torch.testing.assert_close(
        made.variant(output=output)(*inputs(pairs)), made.raw(expected[output])
    )


def test_variants_are_as_frozen_as_their_model(
    make_pairs: MakePairs, settings: CouplingSettings
) -> None:
    made = coupling_for(make_pairs(8, 0), settings)
    made.phi_1.requires_grad_(False)
    frozen = {
        name
        for name, parameter in made.variant(output="phi_2").named_parameters()
        if not parameter.requires_grad
    }
    assert frozen == {f"phi_1.{name}" for name, _ in made.phi_1.named_parameters()}


@pytest.mark.parametrize(
    "form",
    [TransportSettings(), TransportSettings(aggregate="plans", values="z1", scaling_steps=0)],
)
def test_save_and_load(
    make_pairs: MakePairs, settings: CouplingSettings, tmp_path: Path, form: TransportSettings
) -> None:
    pairs = make_pairs(8, 0)
    made = (
        coupling_for(pairs, settings).variant(transport=form).requires_grad_(False)
    )  # matmul picks its kernel by requires_grad
    made.save(tmp_path / "coupling.safetensors")
    loaded = Coupling.load(tmp_path / "coupling.safetensors")
    assert loaded.settings == made.settings
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert torch.equal(loaded(*inputs(pairs)), made(*inputs(pairs)))
    assert [path.name for path in tmp_path.iterdir()] == ["coupling.safetensors"]


def test_load_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="found no such file"):
        Coupling.load(tmp_path / "none.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="without its header"):
        Coupling.load(tmp_path / "other.safetensors")


def test_a_damaged_coupling_is_refused_in_one_line(
    make_pairs: MakePairs, settings: CouplingSettings, tmp_path: Path
) -> None:
    place = tmp_path / "coupling.safetensors"
    coupling_for(make_pairs(8, 0), settings).save(place)
    whole = place.read_bytes()
    # copies: the file that they are read from is about to change
    tensors = {key: value.clone() for key, value in load_file(place).items()}
    with safe_open(place, framework="pt") as file:
        header = file.metadata()
    name = sorted(tensors)[0]
    other = json.dumps(json.loads(header["coupling"]) | {"shapes": {"latent": [1]}})
    damaged = {
        "could not read it": lambda: place.write_bytes(whole[:-1]),
        "expected a coupling network": lambda: place.write_bytes(b""),
        "lacks 1 tensor: ": lambda: save_file(
            {key: value for key, value in tensors.items() if key != name}, place, header
        ),
        "has beside those of the model 1 tensor: more": lambda: save_file(
            {**tensors, "more": torch.zeros(1)}, place, header
        ),
        f"has in another shape 1 tensor: {name}": lambda: save_file(
            {**tensors, name: torch.zeros(1, 1)}, place, header
        ),
        "without its header": lambda: save_file(tensors, place, {"coupling": "{"}),
        "expected a coupling network's header": lambda: save_file(
            tensors, place, {"coupling": other}
        ),
    }
    for expected, damage in damaged.items():
        damage()
        with pytest.raises(UserError, match=expected) as error:
            Coupling.load(place)
        assert str(error.value).startswith(str(place)) and "\n" not in str(error.value)


def test_pairs_must_be_aligned(make_pairs: MakePairs) -> None:
    pairs = make_pairs(8, 0)
    with pytest.raises(UserError, match=r"equally many of each.*\(8, 4, 2, 4, 4\), \(7, 3, 5\)"):
        Pairs(pairs.z_xi, pairs.pi[:7], pairs.z_omega, pairs.z_reencoded)
