"""The self-test of a generator: what is right passes, and what is wrong is found."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.generators.families import ADAPTERS
from transporter.generators.self_test import generator_checks
from transporter.support.self_test import findings


def test_a_whole_pipeline_passes(generator: DiffusersGenerator) -> None:
    found = list(findings(generator_checks(generator)))
    assert [one.check for one in found] == ["captions", "latents", "gradients", "pipeline"]
    assert [one.words for one in found if not one.passed] == []


def test_the_family_is_known(name: str, generator: DiffusersGenerator) -> None:
    assert ADAPTERS[type(generator.pipeline).__name__] == name


def test_other_clips_are_found(
    generator: DiffusersGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = generator.sample

    def later(*arguments: Any) -> torch.Tensor:
        return sample(*arguments) * 1.01

    monkeypatch.setattr(generator, "sample", later)
    found = {one.check: one for one in findings(generator_checks(generator))}
    assert [name for name, one in found.items() if not one.passed] == ["pipeline"]
    assert "expected the clips of the plain pipeline, got" in found["pipeline"].words
