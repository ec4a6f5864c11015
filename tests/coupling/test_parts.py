from __future__ import annotations

import pytest
import torch

from transporter.coupling.mixer import Phi1
from transporter.coupling.relations import Phi2, gram
from transporter.coupling.settings import Phi1Settings, Phi2Settings
from transporter.support.errors import UserError


def phi_1(**changes: object) -> Phi1:
    torch.manual_seed(0)
    made = Phi1(
        (4, 2, 4, 4), (3, 5), (6, 8), Phi1Settings(depth=2, width=16, token_width=16, **changes)
    ).eval()
    torch.nn.init.normal_(made.out.weight)
    return made


def test_gram_holds_scaled_inner_products() -> None:
    z = torch.randn(2, 5, 16)
    assert gram(z)[1, 2, 4] == pytest.approx(float(z[1, 2] @ z[1, 4]) / 16, rel=1e-5)
    rotation = torch.linalg.qr(torch.randn(16, 16)).Q
    torch.testing.assert_close(gram(z @ rotation), gram(z))


def test_patches_hold_neighbouring_cells_in_order() -> None:
    z = torch.arange(4 * 2 * 4 * 4.0).view(1, 4, 2, 4, 4)
    patches = phi_1(patch=(1, 2, 2)).patches(z)
    assert patches.shape == (1, 8, 16)
    torch.testing.assert_close(patches[0, 5].view(4, 2, 2), z[0, :, 1, 0:2, 2:4])


def test_phi_1_reads_latent_and_condition() -> None:
    z, pi = torch.randn(2, 4, 2, 4, 4, requires_grad=True), torch.randn(2, 3, 5, requires_grad=True)
    made = phi_1(condition_tokens=2)(z, pi)
    assert made.shape == (2, 6, 8)
    made.square().sum().backward()
    assert (z.grad != 0).all()
    assert (pi.grad != 0).any(-1).all()


def test_phi_1_without_condition_tokens_ignores_the_condition() -> None:
    model, z = phi_1(condition_tokens=0), torch.randn(2, 4, 2, 4, 4)
    assert torch.equal(model(z, torch.zeros(2, 3, 5)), model(z, torch.ones(2, 3, 5)))


def test_fresh_parts_are_zero_and_identity() -> None:
    first = Phi1((4, 2, 4, 4), (3, 5), (6, 8), Phi1Settings(width=16))
    assert not first(torch.randn(2, 4, 2, 4, 4), torch.randn(2, 3, 5)).any()
    second, z = Phi2((6, 8), Phi2Settings(width=16)), torch.randn(2, 6, 8)
    assert torch.equal(second(z), z)


def test_clips_do_not_touch_each_other() -> None:
    z, pi, model = torch.randn(3, 4, 2, 4, 4), torch.randn(3, 3, 5), phi_1()
    torch.testing.assert_close(model(z, pi)[1:2], model(z[1:2], pi[1:2]))
    second = Phi2((6, 8), Phi2Settings(width=16)).eval()
    torch.nn.init.normal_(second.out.weight)
    tokens = torch.randn(3, 6, 8)
    torch.testing.assert_close(second(tokens)[1:2], second(tokens[1:2]))


def test_sizes_that_do_not_fit_are_named() -> None:
    with pytest.raises(UserError, match=r"coupling\.phi_1\.patch: .*\(2, 4, 4\), got \(1, 3, 2\)"):
        phi_1(patch=(1, 3, 2))
    with pytest.raises(UserError, match=r"coupling\.phi_2\.width: .*heads \(5\), got 16"):
        Phi2((6, 8), Phi2Settings(width=16, heads=5))
