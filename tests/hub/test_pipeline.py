"""The default target in the hub's shape: models in bfloat16, and clips as people have them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
from hub_project import FILES, VLM
from odd_clips import UNREADABLE
from pipeline import planned, snakemake
from safetensors.torch import load_file

from transporter.support.files import read_table


def bank(finished: Path) -> Path:
    return finished / "results" / "concepts" / "wan" / VLM


def test_a_rare_word_is_told_and_left_out(finished: Path) -> None:
    said = (finished / "said.txt").read_text()
    assert "concepts left out for want of captions: day_night (no new caption with 'day'" in said
    assert read_table(bank(finished) / "separation.tsv", ("concept",))["concept"].tolist() == [
        "slowly_quickly"
    ]


def test_clips_that_cannot_be_read_are_left_out_of_everything(finished: Path) -> None:
    failed = read_table(finished / "results" / "clips" / "failed.tsv", ("clip", "reason"))
    assert set(failed["clip"]) == set(UNREADABLE)
    # nothing that is made waits for them, and a dry run tells what the captions lack
    dry = snakemake(finished, "--dry-run", *FILES, "--", "all", "truth").stdout
    assert "concepts left out for want of captions: day_night" in dry
    assert "truth: left out for want of captions: day_night" in dry
    assert not {"own_split", "embed_vlm", "coupling", "generation"} & set(planned(dry))
    used = [
        clip
        for split in ("train", "validation", "held_out")
        for clip in read_table(finished / f"results/clips/{split}.tsv", ("clip",))["clip"]
    ]
    assert len(used) == 16 and not set(used) & set(UNREADABLE)


def test_a_failed_fit_is_told_at_the_end_and_on_the_page(finished: Path) -> None:
    """An untrained VLM's answers hardly move."""
    [row] = read_table(bank(finished) / "separation.tsv", ("status",)).to_dict("records")
    assert row["status"].startswith("failed: ")
    said = (finished / "said.txt").read_text()
    assert f"do not show what the VLM goes by: slowly_quickly of {VLM} (" in said
    page = (finished / "results" / "gallery" / "index.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    [fit] = data["failed"]
    assert (fit["vlm"], fit["concept"]) == (VLM, "slowly_quickly")


def test_answers_are_no_steps_of_half_precision(finished: Path) -> None:
    readings = pd.read_csv(finished / "results" / "evaluation" / "readings.tsv", sep="\t")
    odds = readings["log_odds"]
    assert odds.notna().all() and odds.nunique() == len(readings)
    assert ((odds * 32) % 1 > 0.01).any()
    vectors = load_file(bank(finished) / "bank.safetensors")
    assert {str(tensor.dtype) for tensor in vectors.values()} == {"torch.float32"}
