"""The guide's metric works as the guide says: its code is taken from the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from transporter.metrics.base import INPUTS, Metric
from transporter.metrics.scoring import COLUMNS, score
from transporter.metrics.systems import make_all, protocols

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


@pytest.fixture(scope="module")
def names() -> dict[str, object]:
    """What the page's code defines, all of it run."""
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "docs/metrics.md", "exec"), names)
    return names


@pytest.fixture
def flicker(names: dict[str, object]) -> type[Metric]:
    return names["Flicker"]


def test_the_page_has_every_input_and_no_other() -> None:
    table = PAGE.split("| parameter |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(INPUTS)


def test_numbers_made_by_hand(flicker: type[Metric]) -> None:
    """Black, white, black: every pixel changes wholly, twice; a still clip does not."""
    metric, blinking = flicker(), torch.zeros(1, 3, 3, 4, 4)
    blinking[:, 1] = 1
    metric.update(torch.cat([blinking, torch.full_like(blinking, 0.3)]))
    assert metric.per_clip()["flicker"].tolist() == [1, 0]
    assert metric.compute() == {"flicker": 0.5}


def test_the_scorer_takes_it_as_it_is(
    flicker: type[Metric], clips: Callable[..., torch.Tensor]
) -> None:
    video = clips(3, frames=4, size=8)
    videos = {f"{index}.mp4": clip for index, clip in enumerate(video)}
    rows = [
        ("s", "c", seed, "a red sun", name, name, name, 0.5) for seed, name in enumerate(videos)
    ]
    made, left_out = make_all({"flicker": flicker})
    scores = score(
        pd.DataFrame(rows, columns=list(COLUMNS)), [], made, videos.__getitem__, lambda clip: clip
    )
    expected = (video[:, 1:] - video[:, :-1]).abs().flatten(1).mean(1)
    assert scores.table["flicker"].tolist() == pytest.approx(expected.tolist())
    assert protocols(made, 5, 3, left_out).to_dict("records") == [
        {
            "metric": "flicker",
            "better": "lower",
            "protocol": "clips 3, frames neighbours",
            "warning": "",
        }
    ]
