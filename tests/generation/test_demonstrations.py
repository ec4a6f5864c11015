"""Clips of composition, step injection and partial frames, by a generator whose latents show what
it was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.generation.demonstrations import INDEX, write_demonstrations
from transporter.generation.trials import (
    INJECTION,
    OURS,
    PARTIAL_FRAMES,
    SWAPPED,
    in_parts,
    together,
)
from transporter.generators.base import Sampling
from transporter.generators.condition import Condition
from transporter.generators.modulation import WHOLE, Modulation

COLOUR = Concept("red_blue", "object", "red", "blue", "what colour ?")
TIME = Concept("day_night", "scene", "day", "night", "what time ?")
BANK = ConceptBank({"red_blue": torch.full((2, 2), 0.1), "day_night": torch.full((1, 2), 0.2)})
SHOWN = [
    together([COLOUR, TIME], [0, 1]),
    in_parts(INJECTION, COLOUR, 3),
    in_parts(PARTIAL_FRAMES, TIME, 2),
]
CAPTIONS = {each.name: ["a red dot by day", "red by day"] for each in SHOWN}


class _Generator:
    """Brightness is 0.01 per seed and the change of the condition, times the shares of steps and
    frames that it acts in; a caption's condition is 0.4 if it says blue and as much if it says
    night.
    """

    fps = 8
    latent_shape = (1, 5, 1, 1)

    def encode_text(self, captions: Sequence[str]) -> Condition:
        held = [0.4 * (("blue" in text) + ("night" in text)) for text in captions]
        return Condition(torch.tensor(held).view(-1, 1, 1).expand(-1, 2, 2))

    def sample(
        self,
        condition: Condition,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        modulation: Modulation,
    ) -> torch.Tensor:
        assert modulation.steps == WHOLE or modulation.frames == WHOLE
        changed = (
            modulation.delta.embeddings.mean((1, 2))
            * sum(modulation.active(step, steps) for step in range(steps))
            / steps
        )
        latent = changed.view(-1, 1, 1, 1, 1) * modulation.frame_mask(5).view(1, 1, 5, 1, 1)
        return latent + 0.01 * torch.tensor(list(seeds)).view(-1, 1, 1, 1, 1)

    def decode(self, z_xi: torch.Tensor) -> torch.Tensor:
        # (B, 1, 5, 1, 1) -> (B, 5, 3, 16, 16)
        return z_xi.transpose(1, 2).expand(-1, -1, 3, 16, 16)


class _VLM:
    """The log-odds are the mean brightness, ten times that where colour is asked for."""

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video.mean((1, 2, 3, 4))

    def log_probs(self, tokens: torch.Tensor, prompt: str, words: Sequence[str]) -> torch.Tensor:
        assert words in (("red", "blue"), ("day", "night"))
        return torch.stack(
            [torch.zeros_like(tokens), tokens * (10 if "colour" in prompt else 1)], dim=-1
        )


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("made") / "out"
    write_demonstrations(
        folder, SHOWN, CAPTIONS, _Generator(), _VLM(), BANK, Sampling(steps=6, guidance=1.0), seed=3
    )
    table = pd.read_csv(folder / "index.tsv", sep="\t")
    assert tuple(table.columns) == INDEX
    assert all((folder / clip).is_file() for clip in table["clip"])
    return table


def test_every_clip_is_read_for_each_of_its_concepts(index: pd.DataFrame) -> None:
    assert len(index) == 2 * (7 * 2 + 9 + 7)
    assert index["clip"].nunique() == 2 * (7 + 9 + 7)
    assert set(index["seed"]) == {3, 4} and set(index["caption"]) == {
        "a red dot by day",
        "red by day",
    }


def test_concepts_add_up(index: pd.DataFrame) -> None:
    rows = index[(index["figure"] == "several") & (index["seed"] == 3)]
    rows = rows[rows["method"] == OURS]
    odds = rows.pivot(index="clip", columns="concept", values=["phi", "log_odds"])
    for _, row in odds.iterrows():
        brightness = 0.03 + 0.1 * row["phi", "red_blue"] + 0.2 * row["phi", "day_night"]
        assert row["log_odds", "day_night"] == pytest.approx(brightness)
        assert row["log_odds", "red_blue"] == pytest.approx(10 * brightness)


def test_words_are_swapped_where_concepts_act(index: pd.DataFrame) -> None:
    rows = index[(index["method"] == SWAPPED) & (index["seed"] == 3)]
    odds = rows[rows["figure"] == "several"].pivot(
        index="clip", columns="concept", values=["phi", "log_odds"]
    )
    assert len(odds) == 3
    for _, row in odds.iterrows():
        brightness = 0.03 + 0.4 * (row["phi", "red_blue"] + row["phi", "day_night"])
        assert row["log_odds", "day_night"] == pytest.approx(brightness)
    parts = rows[rows["figure"] == PARTIAL_FRAMES]
    share = (parts["last"] - parts["first"] + 1) / parts["of"]
    assert parts["log_odds"].tolist() == pytest.approx((0.03 + 0.4 * share).tolist())


def test_a_concept_acts_where_it_is_said_to(index: pd.DataFrame) -> None:
    index = index[index["method"] == OURS]

    def spans(figure: str) -> list[tuple[int, ...]]:
        rows = index[(index["figure"] == figure) & (index["seed"] == 3)]
        return list(rows[["first", "last", "of"]].itertuples(index=False, name=None))

    assert spans(INJECTION) == [(1, 6, 6), (1, 6, 6), (1, 2, 6), (3, 4, 6), (5, 6, 6)]
    # latent frames 1 to 3 of 5 begin in the first half
    assert spans(PARTIAL_FRAMES) == [(1, 5, 5), (1, 5, 5), (1, 3, 5), (4, 5, 5)]
    rows = index[(index["figure"] != "several") & (index["seed"] == 3)]
    share = (rows["last"] - rows["first"] + 1) / rows["of"] * rows["phi"]
    colour = rows["concept"] == "red_blue"
    expected = (0.03 + share * colour.map({True: 0.1, False: 0.2})) * colour.map(
        {True: 10, False: 1}
    )
    assert rows["log_odds"].tolist() == pytest.approx(expected.tolist())
