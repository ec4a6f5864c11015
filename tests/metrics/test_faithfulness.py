"""Readings by models that count, and on tables small enough to work out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import pandas as pd
import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generation.sweeps import METHODS, Generated
from transporter.generators.condition import Condition
from transporter.metrics.faithfulness import kept, read_concept

CONCEPT = Concept("slowly_quickly", "action", "slowly", "quickly", "how fast does it move ?")
WORDS = {"speed": ("slowly", "quickly"), "colour": ("red", "blue"), "ground": ("grass", "snow")}


def test_only_attributes_named_in_the_caption_count_as_kept() -> None:
    table = pd.DataFrame(
        {
            "method": "transporter",
            "caption": "a red circle moves slowly",
            "seed": [0, 0, 1, 1],
            "phi": [0.0, 1.0] * 2,
            "speed": "slowly",
            "colour": ["red", "blue", "red", "red"],
            "ground": ["grass", "snow"] * 2,
        }
    )
    # ground changes too but the caption does not name it; colour is lost by one seed of two
    assert kept(table, CONCEPT, WORDS) == [1.0, 0.0, 1.0, 1.0]


@dataclass
class _Generator:
    """A caption is its length, a video its latent."""

    device: str = "cpu"
    decoded: list[float] = field(default_factory=list)

    def encode_text(self, captions: Sequence[str]) -> Condition:
        letters = torch.tensor([float(len(caption)) for caption in captions])
        return Condition(letters.view(-1, 1, 1))

    def decode(self, z_xi: torch.Tensor) -> torch.Tensor:
        self.decoded += z_xi.flatten().tolist()
        return z_xi


class _VLM:
    """Tokens are the pixels and say themselves."""

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        return torch.stack([torch.zeros(len(tokens)), tokens.flatten()], 1)

    def caption(self, tokens: torch.Tensor) -> list[str]:
        return [f"{value:.3f}" for value in tokens.flatten().tolist()]


def _sum_of_all(
    z_xi: torch.Tensor, condition: torch.Tensor, z_reencoded: torch.Tensor
) -> torch.Tensor:
    """In place of Phi."""
    return z_xi + 10 * condition.view_as(z_xi) + 100 * z_reencoded


def test_a_clip_that_methods_share_is_read_once_and_reads_the_same() -> None:
    captions, others = ("it moves slowly", "a red circle moves slowly"), count(2)
    index = [
        {
            "row": next(others) if phi else seed,
            "method": method,
            "seed": seed,
            "stop": phi,
            "phi": phi,
            "caption": caption,
            "clip": "",
        }
        for method in METHODS
        for seed, caption in enumerate(captions)
        for phi in (0.0, 0.5, 1.0)
    ]
    shared = Generated(
        pd.DataFrame(index), torch.rand(14, 1, 1, generator=torch.Generator().manual_seed(0))
    )
    apart = Generated(shared.index.assign(row=range(18)), shared.z_xi[shared.index["row"].tolist()])
    bank, tables = ConceptBank({"slowly_quickly": torch.tensor([[3.0]])}, {}), []
    for generated in (shared, apart):
        generator = _Generator()
        tables.append(
            read_concept(
                generated, CONCEPT, Reader(generator, _VLM(), _sum_of_all), bank, None, batch=5
            )
        )
        assert sorted(generator.decoded) == sorted(generated.z_xi.flatten().tolist())
    pd.testing.assert_frame_equal(*tables)
    plain = read_concept(shared, CONCEPT, Reader(_Generator(), _VLM()), bank, None, batch=5)
    by_phi = ["log_odds_phi", "caption_phi"]
    pd.testing.assert_frame_equal(plain, tables[0].drop(columns=by_phi))
    assert tables[0]["log_odds"].tolist() == pytest.approx(apart.z_xi.flatten().tolist())
    last = tables[0].query("method == 'transporter' and phi == 1").iloc[0]
    assert last["log_odds_phi"] == pytest.approx(
        101 * last["log_odds"] + 10 * (len(captions[0]) + 3)
    )
