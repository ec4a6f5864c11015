"""Fitting on a generator whose velocity is linear in the condition, where the best vector
is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.concepts.contexts import Contexts, gather_contexts
from transporter.concepts.fitting import BankSettings, fit_bank
from transporter.concepts.objectives import OBJECTIVES, Score, velocity
from transporter.concepts.outcomes import answer_gap
from transporter.coupling.reader import Reader
from transporter.generators.condition import Condition
from transporter.support.errors import UserError

RED = Concept("red_blue", "object", "red", "blue", "what colour is it ?")
DAY = Concept("day_night", "scene", "day", "night", "what time is it ?")
NOTHING = Concept("here_there", "scene", "here", "there", "where is it ?")
L, D = 4, 6
WORDS = ["red", "blue", "day", "night", "here", "there", "a", "circle", "square"]
LINEAR = torch.randn(L * D, 2 * 1 * 2 * 2, generator=torch.Generator().manual_seed(1)) / L


class _LinearGenerator:
    """Every word has an embedding at its place; here and there have the same one."""

    device = torch.device("cpu")
    condition_shape = (L, D)
    dtype = torch.float32

    def encode_text(self, captions: Sequence[str]) -> Condition:
        result = torch.zeros(len(captions), L, D)
        for row, caption in enumerate(captions):
            for place, word in enumerate(caption.split()):
                seed = WORDS.index("here" if word == "there" else word)
                result[row, place] = torch.randn(D, generator=torch.Generator().manual_seed(seed))
        return Condition(result)

    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        return (condition.embeddings.flatten(1) @ LINEAR).view_as(z_t) - z_t


class _Reader(Reader):
    """The answer depends on the clean estimate's mean alone."""

    def through_phi(
        self, z_xi: torch.Tensor, condition: Condition, z_reencoded: torch.Tensor | None = None
    ) -> torch.Tensor:
        return z_xi.flatten(1).mean(1)

    def answer(self, tokens: torch.Tensor, concept: Concept, support: str = "pair") -> torch.Tensor:
        """Over the pair, or over a vocabulary of three in which the third word takes what it can
        get.
        """
        logits = torch.stack([tokens, -tokens, 2 * tokens.abs()], dim=-1)
        return logits[..., : 3 if support == "vocab" else 2].log_softmax(-1)


@pytest.fixture
def reader() -> Reader:
    return _Reader(_LinearGenerator(), None, torch.nn.Identity())


CAPTIONS = ["red circle a day", "blue square a night", "red square a night", "a here circle"]
Z = torch.randn(len(CAPTIONS), 2, 1, 2, 2, generator=torch.Generator().manual_seed(0))


def _fit(reader: Reader, concepts: list[Concept], **settings: object) -> tuple:
    contexts = {c.name: gather_contexts(c, CAPTIONS, Z, reader.generator) for c in concepts}
    return contexts, *fit_bank(
        concepts,
        contexts,
        reader,
        BankSettings(**{"form": "vector", "steps": 200, "batch": 8, "lr": 0.1, **settings}),
    )


def test_a_linear_generator_is_explained_completely(reader: Reader) -> None:
    contexts, bank, table = _fit(reader, [RED, DAY])
    assert table.set_index("concept")["status"].to_dict() == {"red_blue": "ok", "day_night": "ok"}
    assert (table["separation"] > 0.98).all()
    whole = contexts["red_blue"].pi_plus - contexts["red_blue"].pi_minus
    change = whole.embeddings[0].flatten() @ LINEAR
    torch.testing.assert_close(bank["red_blue"].flatten() @ LINEAR, change, atol=0.15, rtol=0.1)


def test_maps_are_fitted_without_a_step_and_measured_all_the_same(reader: Reader) -> None:
    contexts, bank, table = _fit(reader, [RED, DAY], form="map", ridge=1e-3)
    assert table.set_index("concept")["status"].to_dict() == {"red_blue": "ok", "day_night": "ok"}
    assert (table["separation"] > 0.98).all()
    minus, plus = contexts["day_night"].pi_minus, contexts["day_night"].pi_plus
    change = bank.change("day_night", minus).embeddings
    torch.testing.assert_close(change, (plus - minus).embeddings, atol=0.05, rtol=0.05)


def test_a_map_of_a_concept_without_any_effect_is_reported(reader: Reader) -> None:
    _, _, table = _fit(reader, [RED, NOTHING], form="map")
    assert table.set_index("concept")["status"]["here_there"].startswith("failed: ")


def paper_vectors(
    contexts: dict[str, Contexts], d_omega: list[float], reader: Reader, settings: BankSettings
) -> torch.Tensor:
    """The paper's fit, as it stood before there were other objectives."""
    vectors = torch.stack(
        [(part.pi_plus - part.pi_minus).embeddings.mean(0) for part in contexts.values()]
    ).requires_grad_()
    optimiser, parts, share = (
        torch.optim.Adam([vectors]),
        list(contexts.values()),
        settings.batch // len(contexts),
    )
    for step in range(settings.steps):
        random = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        chosen = torch.randperm(len(parts), generator=random)
        optimiser.param_groups[0]["lr"] = (
            settings.lr * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        )
        rows = [
            (part, torch.randint(len(part), (share,), generator=random))
            for part in (parts[index] for index in chosen)
        ]
        pi_minus, pi_plus = (
            torch.cat([getattr(part, name).embeddings[row] for part, row in rows])
            for name in ("pi_minus", "pi_plus")
        )
        z_0 = torch.cat([part.z_xi[row] for part, row in rows])
        which = chosen.repeat_interleave(share)
        phi = (torch.rand(len(which), generator=random) * torch.tensor(d_omega)[which]).view(
            -1, 1, 1
        )
        sigma = torch.rand(len(z_0), generator=random).clamp(min=0.02)
        z_t = z_0.lerp(torch.randn(z_0.shape, generator=random), sigma.view(-1, 1, 1, 1, 1))
        minus, plus, changed = (
            reader.generator.velocity(z_t, sigma, Condition(pi))
            for pi in (pi_minus, pi_plus, pi_minus + phi * vectors[which])
        )
        wanted = phi.view(-1, 1, 1, 1, 1) * (plus - minus)
        error = (changed - minus - wanted).square().flatten(1).mean(1)
        (error / wanted.square().flatten(1).mean(1).mean().clamp(min=1e-8)).mean().backward()
        optimiser.step()
        optimiser.zero_grad()
    return vectors.detach()


def test_the_objective_velocity_is_the_papers_to_the_last_bit(reader: Reader) -> None:
    contexts, bank, table = _fit(reader, [RED, DAY], steps=20)
    settings = BankSettings(form="vector", steps=20, batch=8, lr=0.1)
    expected = paper_vectors(contexts, table["answer_gap"].tolist(), reader, settings)
    assert torch.equal(torch.stack([bank["red_blue"], bank["day_night"]]), expected)


def test_a_concept_without_any_effect_is_reported_by_name(
    reader: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, table = _fit(reader, [RED, NOTHING], steps=50)
    assert table.set_index("concept")["status"]["here_there"].startswith("failed: ")
    words = "concept here_there failed: the generator makes no difference between its words"
    assert words in capsys.readouterr().out


def test_the_control_is_the_divergence_of_the_two_answers(reader: Reader) -> None:
    contexts = gather_contexts(RED, CAPTIONS, Z, reader.generator)
    assert answer_gap(
        RED, contexts, reader, BankSettings(), change=lambda pi: pi.along(torch.zeros(L, D))
    ) == pytest.approx(0)
    assert 0 < answer_gap(RED, contexts, reader, BankSettings()) < 1
    full = (contexts.pi_plus - contexts.pi_minus).embeddings[0]
    same = Contexts(contexts.pi_minus[:1], contexts.pi_plus[:1], contexts.z_xi[:1])
    assert answer_gap(
        RED, same, reader, BankSettings(), change=lambda pi: pi.along(full)
    ) == pytest.approx(answer_gap(RED, same, reader, BankSettings()))


class _Blind(_Reader):
    """Sees nothing but what is decoded and encoded again."""

    def reencoded(self, z_xi: torch.Tensor) -> torch.Tensor:
        return super().through_phi(z_xi, z_xi)

    def through_phi(
        self, z_xi: torch.Tensor, condition: Condition, z_reencoded: torch.Tensor | None = None
    ) -> torch.Tensor:
        raise AssertionError("there is no coupling")


def test_without_a_coupling_the_control_is_read_again(reader: Reader) -> None:
    contexts = gather_contexts(RED, CAPTIONS, Z, reader.generator)
    blind = _Blind(reader.generator, None)
    assert answer_gap(RED, contexts, blind, BankSettings()) == answer_gap(
        RED, contexts, reader, BankSettings()
    )


SCIPY = {
    "hellinger": lambda p, q: np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / np.sqrt(2),
    "kl": entropy,
    "js": lambda p, q: jensenshannon(p, q, base=2) ** 2,
}


@pytest.mark.parametrize("support", ["pair", "vocab"])
@pytest.mark.parametrize("divergence", list(SCIPY))
def test_every_divergence_and_support_is_a_control_and_scales_the_strengths(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, divergence: str, support: str
) -> None:
    """One draw, read by hand, against SciPy; then the strengths that a fit asks for."""
    contexts = gather_contexts(RED, CAPTIONS, Z, reader.generator)
    contexts = Contexts(contexts.pi_minus[:1], contexts.pi_plus[:1], contexts.z_xi[:1])
    settings = BankSettings(
        form="vector",
        divergence=divergence,
        support=support,
        control_draws=1,
        control_sigma=(0.9, 0.9),
        steps=40,
        batch=8,
    )
    d_omega = answer_gap(RED, contexts, reader, settings)
    random = torch.Generator().manual_seed(settings.seed)
    torch.randint(1, (1,), generator=random), torch.rand(1, generator=random)
    z_t = 0.1 * contexts.z_xi + 0.9 * torch.randn(1, *Z.shape[1:], generator=random)
    sigma = torch.tensor([0.9])
    cleaned = [
        z_t - 0.9 * reader.generator.velocity(z_t, sigma, pi)
        for pi in (contexts.pi_minus, contexts.pi_plus)
    ]
    p, q = (
        reader.answer(reader.through_phi(z, None), RED, support)[0].exp().double().numpy()
        for z in cleaned
    )
    assert d_omega == pytest.approx(SCIPY[divergence](p / p.sum(), q / q.sum()), rel=1e-4)

    asked = []
    monkeypatch.setitem(
        OBJECTIVES,
        "velocity",
        lambda q, batch, *rest: (
            asked.append(batch.phi * batch.d_omega) or velocity(q, batch, *rest)
        ),
    )
    _, table = fit_bank([RED], {"red_blue": contexts}, reader, settings)
    assert table["answer_gap"].tolist() == pytest.approx([d_omega])
    assert 0.9 * d_omega < float(torch.cat(asked).max()) <= d_omega * (1 + 1e-6)


def test_fitting_is_deterministic_and_shared_vectors_have_one_token(reader: Reader) -> None:
    first, second = (_fit(reader, [RED], steps=5, tokens="shared")[1]["red_blue"] for _ in range(2))
    assert first.shape == (1, D)
    assert torch.equal(first, second)


def test_a_concept_without_captions_is_refused(reader: Reader) -> None:
    with pytest.raises(
        UserError,
        match=r"concept warm_cold: expected captions with 'warm' or 'cold', found none in 4",
    ):
        gather_contexts(
            Concept("warm_cold", "scene", "warm", "cold", "?"), CAPTIONS, Z, reader.generator
        )


@pytest.mark.parametrize("stop", [3, 11, 19])
def test_an_interrupted_fit_ends_as_one_that_was_not(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    contexts = {c.name: gather_contexts(c, CAPTIONS, Z, reader.generator) for c in (RED, DAY)}
    settings = BankSettings(form="vector", steps=20, batch=8, lr=0.1)

    def fit(folder: Path | None) -> tuple[ConceptBank, pd.DataFrame]:
        return fit_bank([RED, DAY], contexts, reader, settings, folder=folder)

    straight, table = fit(None)
    steps = count()

    def broken(*arguments: Any) -> Score:
        if next(steps) == stop:
            raise KeyboardInterrupt
        return velocity(*arguments)

    monkeypatch.setitem(OBJECTIVES, "velocity", broken)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path)
    resumed, again = fit(tmp_path)
    # it went on from the last quarter that was reached
    assert next(steps) == stop + 1 + 20 - stop // 5 * 5
    assert all(torch.equal(straight[name], resumed[name]) for name in straight.vectors)
    pd.testing.assert_frame_equal(table, again)


def test_a_checkpoint_of_another_fit_is_not_gone_on_from(
    reader: Reader, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contexts = {"red_blue": gather_contexts(RED, CAPTIONS, Z, reader.generator)}
    one, other = (BankSettings(form="vector", steps=4, batch=2, lr=lr) for lr in (0.1, 0.2))
    fit_bank([RED], contexts, reader, one, folder=tmp_path)
    fresh, _ = fit_bank([RED], contexts, reader, other)
    again, _ = fit_bank([RED], contexts, reader, other, folder=tmp_path)
    assert "starting afresh" in capsys.readouterr().out
    assert torch.equal(fresh["red_blue"], again["red_blue"])
