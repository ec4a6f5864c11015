"""The whole table, on a few clips of the microworld and its shipped generator."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from microworld.world import MICROWORLD
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator
from transporter.saliency.report import CHOOSING, REPORTED, truth_table
from transporter.saliency.settings import chosen, read_reading
from transporter.support.errors import UserError

ROOT = Path(__file__).parents[2]
CLIPS = 10


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    config = load_config(ROOT / "config/config.yaml")
    settings = config["generators"]["microworld"]
    path = str(ROOT / settings["path"])
    generator = load_generator(settings | {"path": path}, torch.device("cpu"))
    clips = {
        CHOOSING: list(MICROWORLD.placed(4, 0, held_out=False)),
        REPORTED: list(MICROWORLD.placed(CLIPS, 0, held_out=True)),
    }
    own = config["saliency"]
    return truth_table(generator, clips, chosen(own), read_reading(own), [0.5], 1)


def test_the_default_finds_words_that_controls_do_not(table: pd.DataFrame) -> None:
    part = table[table["part"] == REPORTED].set_index(["reading", "kind"])
    for kind in ("shape", "colour", "motion"):
        best = part.loc[("default", kind)]
        assert best["ap"] > best["base"] + 0.5
        for control, margin in (("another clip", 0.3), ("another word", 0.05)):
            assert part.loc[(f"default, {control}", kind), "ap"] < best["ap"] - margin
        assert part.loc[("imap as released", kind), "more_high"] < 0
    assert part.loc[("default", "shape"), "clips"] == CLIPS


def test_readings_are_ranked_where_they_are_chosen(table: pd.DataFrame) -> None:
    ranks = table.dropna(subset="rank").drop_duplicates("reading").set_index("reading")["rank"]
    assert sorted(ranks) == list(range(1, len(ranks) + 1))
    assert {"default", "gramcol", "imap as released", "cross-attention"} < set(ranks.index)
    assert not any("layer" in name or "another" in name for name in ranks.index)


def test_settings_name_their_key() -> None:
    wrong = {"preset": None, "map": {"method": "gramm"}}
    with pytest.raises(UserError, match=r"saliency\.map\.method: expected"):
        chosen(wrong)
    assert chosen({"preset": "imap_released", "map": {}}).heads == "chi"
