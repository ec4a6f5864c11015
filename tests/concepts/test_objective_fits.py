"""Fits to each objective in a linear world, where the best vector is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from linear_world import CUES, LINEAR, SHAPE, SLOW, D, L, draws

from transporter.concepts.bank import ConceptBank
from transporter.concepts.contexts import Contexts
from transporter.concepts.fitting import BankSettings, fit_bank
from transporter.concepts.maps import ConceptMap
from transporter.concepts.refined import RefinedMap
from transporter.concepts.settings import LogitsSettings
from transporter.coupling.reader import Reader
from transporter.generators.condition import Condition


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
