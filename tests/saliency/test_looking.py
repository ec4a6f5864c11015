"""Where a VLM looks: one that looks at a known place, and the shipped one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from microworld.world import MICROWORLD
from transporter.clips.contrast import Concept, read_concepts
from transporter.clips.world import Placed
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.saliency.looking import (
    GRADIENT,
    TIMES_INPUT,
    Question,
    answer_odds,
    looks,
    looks_table,
    questions,
)
from transporter.saliency.report import CHOOSING, REPORTED
from transporter.saliency.scoring import average_precision, rank_correlation, top_overlap
from transporter.saliency.settings import MapSettings, ReadingSettings

ROOT = Path(__file__).parents[2]
GRID = (2, 2, 2)


class Corner:
    """Answers by the upper left quarter of the last two of three frames: the third counts twice."""

    device = torch.device("cpu")

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        half = video.shape[-1] // 2
        corner = video[..., :half, :half].mean((2, 3, 4))
        return corner[:, 1] + 2 * corner[:, 2]

    def log_probs(self, tokens: torch.Tensor, prompt: str, words: Sequence[str]) -> torch.Tensor:
        scores = torch.stack([(place + 1) * tokens for place in range(len(words))], 1)
        return scores.log_softmax(1)


def test_gradients_lie_where_the_answer_comes_from() -> None:
    draws = torch.Generator().manual_seed(0)
    video = torch.rand(3, 3, 8, 8, generator=draws)
    clips = [Placed(video, "", {}, {}, torch.ones(3)) for _ in range(3)]
    asked = [Question("what ?", ("red", "blue")), Question("how ?", ("a", "b", "c"))]
    found = looks(Corner(), clips, asked, GRID)
    gradient = found[GRADIENT]
    assert gradient.shape == (3, 2, *GRID)
    assert (gradient[..., 0, 0] > 0)[:, :, 1].all()
    elsewhere = gradient.flatten(-2)[..., 1:]
    assert (elsewhere == 0).all() and (gradient[:, :, 0] == 0).all()
    # the mean of the two frames of the second token, by hand
    times = found[TIMES_INPUT][0, 0, 1, 0, 0]
    weighed = (video[1, :, :4, :4].sum(0) + 2 * video[2, :, :4, :4].sum(0)).mean() / 2
    size = gradient[0, 0, 1, 0, 0] / (3 * 1.5)  # of a channel, per frame of weight 1
    assert float(times) == pytest.approx(float(size * weighed), rel=1e-5)


def test_odds_are_of_the_likeliest_word_against_all_others() -> None:
    video = torch.rand(2, 3, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    log_p = Corner().log_probs(Corner().encode(video), "", ("a", "b", "c"))
    best = log_p.exp().amax(1)
    odds = answer_odds(Corner(), Corner().encode(video), Question("", ("a", "b", "c")))
    assert torch.allclose(odds, (best / (1 - best)).log(), atol=1e-4)


def test_likeness_of_maps_is_that_of_scipy_and_of_sets() -> None:
    draws = torch.Generator().manual_seed(2)
    one, other = torch.randn(2, 4, 20, generator=draws)
    other[0] = 2 * one[0].exp()
    other[3] = torch.nan
    found, overlap = rank_correlation(one, other), top_overlap(one, other, 0.2)
    for row in range(3):
        assert float(found[row]) == pytest.approx(spearmanr(one[row], other[row])[0], abs=1e-6)
        tops = [set(some[row].topk(4).indices.tolist()) for some in (one, other)]
        assert float(overlap[row]) == pytest.approx(len(tops[0] & tops[1]) / len(tops[0] | tops[1]))
    assert found[3].isnan() and overlap[3].isnan() and overlap[0] == 1
    truth = torch.zeros(4, 20, dtype=torch.bool)
    truth[:, :5] = True
    assert average_precision(other, truth).isnan().tolist() == [False, False, False, True]


def test_attributes_are_asked_by_the_concepts_questions() -> None:
    concept = Concept("red_blue", "object", "red", "blue", "what colour is it ?")
    found = questions({"colour": ("red", "blue"), "shape": ("circle",)}, [concept])
    assert found == {"colour": Question("what colour is it ?", ("red", "blue"))}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    config = load_config(ROOT / "config/config.yaml")
    models = {}
    for kind, name in (("generators", "microworld"), ("vlms", "qwen2_vl")):
        own = config[kind][name]
        models[kind] = own | {"path": str(ROOT / own["path"])}
    generator = load_generator(models["generators"], torch.device("cpu"))
    vlm = load_vlm(models["vlms"], generator.video_shape, torch.device("cpu"), generator.fps)
    clips = {
        CHOOSING: list(MICROWORLD.placed(3, 0, held_out=False)),
        REPORTED: list(MICROWORLD.placed(4, 0, held_out=True)),
    }
    concepts = read_concepts(ROOT / "config/concepts.tsv")
    settings, reading = MapSettings(), ReadingSettings()
    return looks_table(generator, vlm, clips, MICROWORLD.words, concepts, settings, reading)


def test_the_shipped_vlm_looks_at_the_sprite(table: pd.DataFrame) -> None:
    part = table[table["part"] == REPORTED].set_index(["reading", "kind"])
    assert (part.loc["default"]["correlation"] > 0.999).all()
    for reading in (GRADIENT, TIMES_INPUT):
        for kind in ("shape", "motion"):
            row, other = part.loc[(reading, kind)], part.loc[(f"{reading}, another clip", kind)]
            assert row["ap"] > row["base"] + 0.1 and row["ap"] > other["ap"]
            assert row["correlation"] > 0
    ranks = table.set_index("reading")["rank"].dropna()
    assert set(ranks.index) == {GRADIENT, TIMES_INPUT} and set(ranks) == {1, 2}
