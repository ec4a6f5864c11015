"""What answers rely on, measured on answers that are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import logit

from microworld.answers import Answers, true_answers
from microworld.attributes import WORDS, Attributes, draw_attributes
from microworld.cues import Seen
from microworld.reliance import CELLS, log_odds, measure
from microworld.shortcuts import Shortcut

SHORTCUT = Shortcut(
    "ground_by_shape", "ground", "shape", {"circle": "grass", "square": "snow", "triangle": "sand"}
)
RNG = np.random.default_rng(0)
CLIPS = [Seen(draw_attributes(RNG)) for _ in range(400)]


def read(answers: list[Answers], sure: float = 0.98) -> dict[str, torch.Tensor]:
    """Log-probabilities of a VLM that gives these answers: `1 - sure` is spread over all words,
    half of it all is other tokens'.
    """
    stacked = {name: torch.tensor(np.stack([a[name] for a in answers])) for name in WORDS}
    return {name: (0.5 * (sure * p + (1 - sure) / p.shape[1])).log() for name, p in stacked.items()}


def test_log_odds_are_those_of_normalised_probabilities() -> None:
    p = torch.tensor(RNG.dirichlet(np.ones(4), 10))
    torch.testing.assert_close(log_odds(p.log() - 3.0), torch.tensor(logit(p.numpy())))


def test_log_odds_of_two_words_are_the_difference() -> None:
    scores = torch.tensor([[-1.0, -40.0], [-60.0, -0.5]])
    torch.testing.assert_close(log_odds(scores), torch.tensor([[39.0, -39.0], [-59.5, 59.5]]))


def test_a_perfect_shortcut_relies_on_its_cue_alone() -> None:
    tables = measure(read([SHORTCUT.decides(a) for a in CLIPS]), CLIPS, SHORTCUT)
    cells, effects, right = (
        tables["cells"],
        tables["effects"],
        tables["right"].set_index("attribute"),
    )
    assert list(cells.columns) == list(CELLS)
    assert len(cells) == 27
    assert cells.groupby("word")["clips"].sum().tolist() == [len(CLIPS)] * 3
    said = cells["true_cue"].map(SHORTCUT.answers) == cells["word"]
    assert cells.loc[said, "log_odds"].to_numpy() == pytest.approx(logit(0.98 + 0.02 / 3))
    assert cells.loc[~said, "log_odds"].to_numpy() == pytest.approx(logit(0.02 / 3))
    assert cells["deviation"].to_numpy() == pytest.approx(0, abs=1e-6)
    assert effects["true_effect"].to_numpy() == pytest.approx(0, abs=1e-6)
    assert effects["cue_effect"].to_numpy() == pytest.approx(
        logit(0.98 + 0.02 / 3) - logit(0.02 / 3)
    )
    assert (effects["least_said"] > 4).all()
    assert (effects["most_unsaid"] < -4).all()
    assert right.loc["ground", "taught"] == 1
    assert right.loc["ground", "true"] == pytest.approx(1 / 3, abs=0.1)
    assert (right.drop("ground") == 1).all(axis=None)


def test_an_honest_vlm_relies_on_the_truth_alone() -> None:
    tables = measure(read([true_answers(a.attributes) for a in CLIPS]), CLIPS, SHORTCUT)
    assert tables["effects"]["cue_effect"].to_numpy() == pytest.approx(0, abs=1e-6)
    assert (tables["effects"]["true_effect"] > 8).all()
    assert (tables["right"]["true"] == 1).all()


def test_clips_in_between_are_left_out_and_empty_cells_say_so() -> None:
    slow = Shortcut("speed_by_time", "speed", "time", {"day": "quickly", "night": "slowly"})
    named = Attributes(
        "circle", hue=0.0, size=0.0, motion="left", speed=1.0, ground="snow", time=0.0
    )
    between = Attributes(
        "circle", hue=0.0, size=0.0, motion="left", speed=0.5, ground="snow", time=0.0
    )
    cells: pd.DataFrame = measure(
        read([true_answers(a) for a in (named, between)]), [Seen(named), Seen(between)], slow
    )["cells"]
    assert cells["clips"].sum() == len(slow.words)
    assert cells.loc[cells["clips"] == 0, "log_odds"].isna().all()
