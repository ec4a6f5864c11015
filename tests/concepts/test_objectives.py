"""Objectives in a linear world, where the best vector is known, and their gradients through the
shipped models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.concepts.contexts import Contexts, gather_contexts
from transporter.concepts.fitting import BankSettings, fit_bank
from transporter.concepts.maps import ConceptMap
from transporter.concepts.objectives import (
    OBJECTIVES,
    Batch,
    LogitsSettings,
    Point,
    log_odds,
    noisy,
)
from transporter.concepts.refined import RefinedMap
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.generators.base import Generator
from transporter.generators.condition import Condition
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
SLOW = Concept("slow_quick", "action", "slow", "quick", "how fast ?")
DAY = Concept("day_night", "scene", "day", "night", "what time ?")
L, D, SHAPE = 2, 3, (2, 1, 2, 2)
LINEAR = (
    2
    * torch.linalg.qr(
        torch.randn(8, L * D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    )[0].T
)
SIZE = {"frames": 17, "height": 64, "width": 64, "fps": 8, "max_tokens": 16}
CUES = torch.linalg.qr(
    torch.randn(8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
)[0]
"""What the VLM hangs its answers on: a direction of the latent for each concept."""


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class _LinearGenerator:
    """The velocity without noise is a linear map of the condition, so the clean estimate moves by
    `-sigma LINEAR q`.
    """

    device, condition_shape = torch.device("cpu"), (L, D)

    unconditional = Generator.unconditional

    dtype = torch.float32

    def encode_text(self, captions: Sequence[str]) -> Condition:
        assert set(captions) == {""}
        return Condition(torch.full((len(captions), L, D), 0.1, dtype=torch.float64))

    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        return (condition.embeddings.flatten(1) @ LINEAR).view_as(z_t) + 0.1 * z_t


class _Reader(Reader):
    """Tokens are the latent; the log-odds of a concept are its cue's share of them."""

    def reencoded(self, z_xi: torch.Tensor) -> torch.Tensor:
        return z_xi.flatten(1)

    def through_phi(
        self, z_xi: torch.Tensor, condition: Condition, z_reencoded: torch.Tensor | None = None
    ) -> torch.Tensor:
        return z_xi.flatten(1) + condition.embeddings.flatten(1).mean(1, keepdim=True)

    def log_odds(self, tokens: torch.Tensor, concept: Concept) -> torch.Tensor:
        return 3 * tokens @ CUES[0 if concept is SLOW else 1]

    def answer(self, tokens: torch.Tensor, concept: Concept, support: str = "pair") -> torch.Tensor:
        odds = self.log_odds(tokens, concept) / 2
        return torch.stack([-odds, odds], -1).log_softmax(-1)


@pytest.fixture
def reader() -> Reader:
    return _Reader(_LinearGenerator(), None, None)


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


def planted_contexts() -> Contexts:
    """Captions whose two words differ in a change of velocity that the VLM does not look at."""
    pi_minus = Condition(draws(32, L, D, seed=4) * 0.3)
    word = torch.linalg.lstsq(LINEAR.T, CUES[2])[0].view(L, D)
    # what of the word's change the cue sees is taken out
    cue = torch.linalg.lstsq(LINEAR.T, CUES[0])[0].view(L, D)
    seen = ((word.flatten() @ LINEAR) @ CUES[0]) / ((cue.flatten() @ LINEAR) @ CUES[0])
    z_xi = draws(32, *SHAPE, seed=5) - CUES[0].view(SHAPE)
    return Contexts(pi_minus, pi_minus + (word - seen * cue), z_xi)


def fitted(objective: str, reader: Reader) -> tuple[torch.Tensor, dict[str, float]]:
    settings = BankSettings(
        form="vector",
        objective=objective,
        start="mean" if objective == "velocity" else "zero",
        steps=300 if objective == "velocity" else 1,
        batch=16,
        lr=0.05,
        strengths="unit",
        logits=LogitsSettings(steps=300, trust=0.3),
    )
    torch.set_default_dtype(torch.float64)
    try:
        bank, table = fit_bank([SLOW], {SLOW.name: planted_contexts()}, reader, settings)
    finally:
        torch.set_default_dtype(torch.float32)
    return bank[SLOW.name].flatten() @ LINEAR, table.iloc[0].to_dict()


def test_logits_find_the_cue_that_the_words_do_not_name(reader: Reader) -> None:
    """Of all changes of velocity that move the answer alike, the smallest lies along the cue's
    projection onto what q can do.
    """
    change, row = fitted("logits", reader)
    best = CUES[0] @ torch.linalg.pinv(LINEAR) @ LINEAR
    assert float(torch.nn.functional.cosine_similarity(-change, best, dim=0)) > 0.99
    assert row["separation"] > 0.9
    assert row["effect"] > 0.3
    assert row["status"] == "ok"


def test_the_papers_vector_leaves_such_an_answer_alone(reader: Reader) -> None:
    change, row = fitted("velocity", reader)
    contexts = planted_contexts()
    word = (contexts.pi_plus - contexts.pi_minus).embeddings[0].flatten() @ LINEAR
    torch.testing.assert_close(change, word, atol=0.02, rtol=0.02)
    assert abs(float(change @ CUES[0])) < 0.02 < row["separation"]
    assert row["effect"] < 0.02


@pytest.mark.parametrize(("lr", "refined"), [(0.05, True), (1e3, False)])
def test_a_map_goes_on_along_a_gradient_where_that_leads_further(
    reader: Reader, tmp_path: Path, lr: float, refined: bool
) -> None:
    settings = BankSettings(
        objective="logits", batch=16, lr=lr, logits=LogitsSettings(steps=100, trust=0.3)
    )
    torch.set_default_dtype(torch.float64)
    try:
        contexts = {SLOW.name: planted_contexts()}
        bank, table = fit_bank([SLOW], contexts, reader, settings)
    finally:
        torch.set_default_dtype(torch.float32)
    assert isinstance(bank[SLOW.name], RefinedMap if refined else ConceptMap)
    assert bool(table["separation"][0] > 0.9) is refined
    bank.save(tmp_path / "bank.safetensors")
    again, pi = ConceptBank.load(tmp_path / "bank.safetensors"), contexts[SLOW.name].pi_minus
    assert again.change(SLOW.name, pi).embeddings.equal(bank.change(SLOW.name, pi).embeddings)
    again.check((L, D), "bank")


def test_logits_go_on_from_a_fit_to_answers(
    reader: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fit to answers is the paper's formula on other pairs; a step of `logits` too small to
    matter leaves it as it is.
    """
    free = LogitsSettings(steps=1, directions=0)
    settings = BankSettings(
        form="vector",
        objective="answers",
        steps=30,
        batch=8,
        lr=0.05,
        strengths="unit",
        logits=free,
    )
    contexts = {SLOW.name: planted_contexts()}
    torch.set_default_dtype(torch.float64)
    try:
        fits = {
            name: fit_bank([SLOW], contexts, reader, replace(settings, objective=name))[0]
            for name in ("answers", "velocity")
        }
        further = fit_bank([SLOW], contexts, reader, replace(settings, objective="logits"))[0]
        given = fit_bank(
            [SLOW], contexts, reader, replace(settings, objective="logits"), fits["answers"]
        )[0]
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(fits["answers"][SLOW.name], fits["velocity"][SLOW.name])
    # Adam's first step is the learning rate in every coordinate
    moved = (further[SLOW.name] - fits["answers"][SLOW.name]).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 0.05), atol=1e-6, rtol=0)
    assert torch.equal(given[SLOW.name], further[SLOW.name])
    assert "logits, step 1/1" in capsys.readouterr().out


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
