"""Objectives in a linear world, where the best vector is known, and their gradients through the
shipped models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from linear_world import CUES, DAY, LINEAR, SHAPE, SLOW, D, L, draws

from transporter.clips.contrast import Concept
from transporter.concepts.contexts import gather_contexts
from transporter.concepts.fitting import BankSettings, fit_bank
from transporter.concepts.objectives import (
    OBJECTIVES,
    Batch,
    LogitsSettings,
    Point,
    log_odds,
    noisy,
)
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.generators.condition import Condition
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
SIZE = {"frames": 17, "height": 64, "width": 64, "fps": 8, "max_tokens": 16}


@pytest.fixture
def batch() -> Batch:
    """Two clips of either concept."""
    phi, control = (
        torch.tensor([0.2, 0.9, 0.5, 1.0]).double(),
        torch.tensor([1.0, 1.0, 0.5, 0.5]).double(),
    )
    return Batch(
        [SLOW, SLOW, DAY, DAY],
        Condition(draws(4, L, D)),
        Condition(draws(4, L, D, seed=1)),
        draws(4, *SHAPE, seed=2),
        phi,
        control,
    )


def loss_of(
    name: str, batch: Batch, reader: Reader, settings: LogitsSettings
) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda q: OBJECTIVES[name](
        q, batch, reader, settings, torch.Generator().manual_seed(0)
    ).loss.mean()


@pytest.mark.parametrize("path", ["reencoded", "phi"])
@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_gradients_are_finite_differences(
    name: str, path: str, batch: Batch, reader: Reader
) -> None:
    q = draws(4, L, D, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(loss_of(name, batch, reader, LogitsSettings(path=path)), (q,))


@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_clips_that_pass_one_after_the_other_give_the_same_gradient(
    name: str, at_once: int, batch: Batch, reader: Reader
) -> None:
    gradients = []
    for size in (None, at_once):
        q = draws(4, L, D, seed=3).requires_grad_()
        loss_of(name, replace(batch, at_once=size), reader, LogitsSettings())(q).backward()
        gradients.append(q.grad)
    torch.testing.assert_close(*gradients)


@pytest.fixture(scope="module")
def shipped() -> Reader:
    """The shipped models, and a coupling that has learnt nothing, both of whose parts have
    a say.
    """
    cpu = torch.device("cpu")
    generator = load_generator(
        {"adapter": "wan", "path": str(ROOT / "models/generator"), **SIZE}, cpu
    )
    vlm = load_vlm(
        {"adapter": "qwen_vl", "path": str(ROOT / "models/vlms/qwen2_vl")},
        generator.video_shape,
        cpu,
    )
    torch.manual_seed(0)
    coupling = Coupling(generator.latent_shape, generator.condition_shape, vlm.tokens_shape)
    torch.nn.init.constant_(coupling.transport.gate, 0.5)
    return Reader(generator, vlm, coupling.eval().requires_grad_(False))


@pytest.mark.parametrize("path", ["reencoded", "phi"])
def test_gradients_reach_a_vector_through_all_models(path: str, shipped: Reader) -> None:
    """In single precision a central difference along the gradient itself has to do."""
    colour = Concept("red_blue", "object", "red", "blue", "what colour is it ?")
    minus, plus = (
        shipped.generator.encode_text([f"a large {word} circle bounces slowly on grass"])
        for word in ("red", "blue")
    )
    z_0 = draws(1, *shipped.generator.latent_shape).float()
    batch = Batch([colour], minus, plus, z_0, torch.ones(1), torch.ones(1))
    settings = LogitsSettings(path=path, sigma=(0.9, 0.9), margin=30.0, guidance=2.0)
    loss = loss_of("logits", batch, shipped, settings)
    q = 0.2 * draws(*minus.embeddings.shape, seed=1).float()
    (gradient,) = torch.autograd.grad(loss(q.requires_grad_()), q)
    assert bool(gradient.flatten(2).norm(dim=-1).gt(0).all())
    step = 5e-3 * gradient / gradient.norm()
    with torch.no_grad():
        difference = float(loss(q + step) - loss(q - step)) / 5e-3 / 2
    assert difference == pytest.approx(float(gradient.norm()), rel=0.05)


def test_a_fit_that_computes_layers_again_ends_the_same(
    shipped: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    colour = Concept("red_blue", "object", "red", "blue", "what colour is it ?")
    captions = [f"a large red circle bounces slowly on {place}" for place in ("grass", "sand")]
    z_xi = draws(2, *shipped.generator.latent_shape).float()
    contexts = {colour.name: gather_contexts(colour, captions, z_xi, shipped.generator)}
    free = LogitsSettings(steps=1, margin=30.0, sigma=(0.9, 0.9))
    few = {"steps": 1, "batch": 1, "control_draws": 1}
    settings = BankSettings(form="vector", objective="mixed", logits=free, **few)
    opened = []
    for model in (shipped.generator, shipped.vlm):
        again = model.recomputing
        monkeypatch.setattr(model, "recomputing", lambda again=again: opened.append(0) or again())
    kept, made = (
        fit_bank([colour], contexts, shipped, replace(settings, recompute=recompute))[0]
        for recompute in (False, True)
    )
    assert len(opened) == 2
    assert torch.equal(kept[colour.name], made[colour.name])


def test_logits_are_the_formula(batch: Batch, reader: Reader) -> None:
    """Every clip by hand; the last has more than is wanted."""
    settings = LogitsSettings(margin=2.0, trust=0.3, sigma=(0.5, 0.5), guidance=3.0)
    q = draws(4, L, D, seed=3)
    score = OBJECTIVES["logits"](q, batch, reader, settings, torch.Generator().manual_seed(0))
    random = torch.Generator().manual_seed(0)
    torch.rand(4, generator=random)
    z_t = noisy(batch.z_0, torch.full((4,), 0.5).double(), random)
    costs, changes, units, missing = [], [], [], []
    for row, concept in enumerate(batch.concepts):
        minus, q_row = (
            batch.pi_minus.embeddings[row].flatten() @ LINEAR,
            batch.phi[row] * q[row].flatten() @ LINEAR,
        )
        empty = torch.full((L * D,), 0.1).double() @ LINEAR
        cue = 3 * CUES[0 if concept is SLOW else 1]
        z = z_t[row].flatten()
        before = cue @ (z - 0.5 * (0.1 * z + empty + 3 * (minus - empty)))
        after = before - 0.5 * 3 * cue @ q_row
        missing.append(
            float((before + batch.phi[row] * max(0.0, 2.0 - float(before)) - after).clamp(min=0))
        )
        costs.append(missing[-1] ** 2 / 2 / 2 if missing[-1] < 2 else missing[-1] - 1)
        changes.append(float(q_row.square().mean()))
        units.append(float((minus - empty).square().mean()))
    assert score.error.tolist() == pytest.approx(missing)
    assert min(missing) == 0 < max(missing)
    assert float(score.loss.mean()) == pytest.approx(
        (sum(costs) + 0.3 * sum(changes) / (sum(units) / 4)) / 4
    )


def test_guidance_one_is_the_plain_clean_estimate(batch: Batch, reader: Reader) -> None:
    point = Point.draw(batch, reader, (0.3, 0.6), torch.Generator().manual_seed(0))
    assert 0.3 <= float(point.sigma.min()) < float(point.sigma.max()) <= 0.6
    plain = point.z_t - point.sigma.view(-1, 1, 1, 1, 1) * point.minus
    torch.testing.assert_close(point.clean(point.minus, 1.0), plain)


def test_through_phi_a_vector_cannot_move_the_answer_by_the_caption(
    batch: Batch, reader: Reader
) -> None:
    asked = []
    spy = replace(reader)
    object.__setattr__(spy, "through_phi", lambda z, pi: asked.append(pi) or z.flatten(1))
    loss_of("logits", batch, spy, LogitsSettings(path="phi"))(draws(4, L, D, seed=3))
    assert len(asked) == 2
    assert all(pi is batch.pi_minus for pi in asked)


def test_log_odds_are_each_clips_own(batch: Batch, reader: Reader) -> None:
    expected = [
        3 * z.flatten() @ CUES[0 if c is SLOW else 1]
        for z, c in zip(batch.z_0, batch.concepts, strict=True)
    ]
    torch.testing.assert_close(
        log_odds(batch.z_0, batch, reader, "reencoded"), torch.stack(expected)
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mixed_is_the_weighted_sum(share: float, batch: Batch, reader: Reader) -> None:
    q, random = draws(4, L, D, seed=3), torch.Generator().manual_seed(0)
    settings = LogitsSettings(share=share)
    # the velocity's draws come first
    paper, vlm = (
        OBJECTIVES[name](q, batch, reader, settings, random) for name in ("velocity", "logits")
    )
    both = OBJECTIVES["mixed"](q, batch, reader, settings, torch.Generator().manual_seed(0))
    torch.testing.assert_close(both.loss, (1 - share) * paper.loss + share * vlm.loss)
    for name in ("error", "nothing"):
        left = [getattr(score, name) / score.nothing.mean() for score in (paper, vlm)]
        torch.testing.assert_close(getattr(both, name), (1 - share) * left[0] + share * left[1])


def test_what_no_objective_can_work_with_is_refused() -> None:
    with pytest.raises(
        UserError,
        match=(
            r"key bank\.objective: expected one of velocity, answers, logits, mixed, got 'answer'"
        ),
    ):
        BankSettings(form="vector", objective="answer")
    with pytest.raises(
        UserError, match=r"key bank\.logits\.path: expected one of reencoded, phi, got 'both'"
    ):
        LogitsSettings(path="both")
    with pytest.raises(
        UserError,
        match=r"key bank\.logits\.sigma: expected lowest and highest, .* got \(0\.9, 0\.7\)",
    ):
        LogitsSettings(sigma=(0.9, 0.7))
