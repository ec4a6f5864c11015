"""Vectors fitted to models in bfloat16, by every objective."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from transporter.clips.contrast import Concept
from transporter.concepts.answered import answered_pairs
from transporter.concepts.contexts import Contexts, gather_contexts
from transporter.concepts.edits import Edits, plan_edits
from transporter.concepts.fitting import BankSettings, fit_bank
from transporter.concepts.settings import LogitsSettings
from transporter.coupling.reader import Reader
from transporter.generators.wan import WanGenerator
from transporter.vlms.transformers_vlm import TransformersVLM

SPEED = Concept("speed", "action", "slowly", "quickly", "how fast does it move?")
CAPTIONS = ["a dog runs slowly on grass", "A man moves Quickly on sand", "the woman runs slowly"]
FEW = {"batch": 2, "control_draws": 2, "lr": 0.03, "form": "vector"}


@pytest.fixture(scope="module")
def reader(
    make_generator: Callable[..., WanGenerator], make_vlm: Callable[..., TransformersVLM]
) -> Reader:
    generator = make_generator(height=32, width=48)
    return Reader(generator, make_vlm("qwen2_vl", generator.video_shape))


@pytest.fixture(scope="module")
def words(reader: Reader) -> dict[str, Contexts]:
    z_xi = reader.generator.noise(range(len(CAPTIONS)))
    return {"speed": gather_contexts(SPEED, CAPTIONS, z_xi, reader.generator)}


@pytest.fixture(scope="module")
def asked(reader: Reader) -> dict[str, Contexts]:
    """Pairs that the VLM answers differently, in whichever direction it does."""
    table = plan_edits(CAPTIONS, [SPEED], 3)
    z_xi = reader.generator.noise([7 * row for row in range(len(table))])
    with torch.no_grad():
        edits = Edits(table, z_xi, reader.reencoded(z_xi))
        odds = reader.log_odds(edits.z_reencoded, SPEED)
    assert odds.dtype == torch.float32
    assert len(odds.unique()) == len(odds)
    turned = Concept("speed", "action", SPEED.target, SPEED.source, SPEED.question)
    concept = SPEED if odds.min() < 0 else turned
    return {"speed": answered_pairs(concept, edits, reader)}


@pytest.mark.parametrize("objective", ["velocity", "answers", "logits"])
def test_vectors_and_their_moments_are_in_single_precision(
    objective: str,
    reader: Reader,
    words: dict[str, Contexts],
    asked: dict[str, Contexts],
    tmp_path: Path,
) -> None:
    settings = BankSettings(
        objective=objective,
        steps=2,
        strengths="unit",
        logits=LogitsSettings(steps=2, directions=4),
        **FEW,
    )
    contexts = asked if objective in ("answers", "logits") else words
    bank, table = fit_bank([SPEED], contexts, reader, settings, None, tmp_path)
    [vector] = bank.vectors.values()
    assert vector.dtype == torch.float32
    assert vector.isfinite().all()
    start = contexts["speed"].pi_plus - contexts["speed"].pi_minus
    assert (vector - start.embeddings.mean(0)).abs().max() > 1e-6
    assert math.isfinite(table["separation"][0])
    for checkpoint in tmp_path.iterdir():
        moments = [
            value
            for name, value in load_file(checkpoint).items()
            if "exp_avg" in name or "weights" in name
        ]
        assert len(moments) == 3
        assert {moment.dtype for moment in moments} == {torch.float32}


def test_a_map_is_fitted(reader: Reader, words: dict[str, Contexts]) -> None:
    bank, table = fit_bank([SPEED], words, reader, BankSettings(batch=2, control_draws=2))
    changed = bank.change("speed", words["speed"].pi_minus)
    wanted = (words["speed"].pi_plus - words["speed"].pi_minus).embeddings
    assert (changed.embeddings - wanted).norm() < 0.5 * wanted.norm()
    assert table["concept"].tolist() == ["speed"]


def test_a_change_below_rounding_is_told_in_words(
    reader: Reader, words: dict[str, Contexts], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scaled by a small d_omega; no separation of -95564."""
    for module in ("fitting", "outcomes"):
        monkeypatch.setattr(f"transporter.concepts.{module}.answer_gap", lambda *parts: 1e-4)
    settings = BankSettings(objective="velocity", steps=2, **FEW)
    _, table = fit_bank([SPEED], words, reader, settings)
    assert math.isnan(table["separation"][0])
    status = "failed: the change that it shall make is lost in bfloat16: set bank.strengths to unit"
    assert table["status"][0].startswith(status)
