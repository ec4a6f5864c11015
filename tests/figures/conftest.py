"""The gallery of made-up readings, which several files of tests open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from gallery_pages import (
    SHOWN,
    Page,
    colour,
    rows,
    write,
)

from transporter.clips.writing import write_video
from transporter.figures.gallery import Clip


@pytest.fixture(scope="session")
def inputs(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[pd.DataFrame, dict[Clip, Path], pd.DataFrame]:
    """Readings of a world with probes and of one without, a plain-coloured clip for each, and a
    summary.
    """
    folder = tmp_path_factory.mktemp("clips")
    readings = pd.DataFrame(
        rows("microworld", "microworld", True) + rows("other", "real model", False)
    )
    clips = {}
    for row in readings[readings["seed"] < SHOWN].itertuples():
        path = folder / f"{row.concept}-{row.method}-{row.seed}-{row.phi}.mp4"
        if not path.exists():
            value = torch.tensor(
                colour(row.concept, row.method, row.seed, row.phi), dtype=torch.float32
            )
            write_video(path, value[None, :, None, None].expand(17, 3, 32, 32), 8)
        clips[Clip(row.generator, row.vlm, row.concept, row.method, row.seed, row.phi)] = path
    keys = readings[["concept", "kind", "generator", "vlm", "method"]].drop_duplicates()
    # as a table read from a file has them: text where a cell is empty
    probed, moved = keys["vlm"] == "microworld", keys["method"] == "transporter"
    kept = np.where(probed, "0.9", "")
    hits = np.where(probed, np.where(moved, "0.875", "0"), "")
    return readings, clips, keys.assign(seeds=5, spearman=0.98, hit_rate=hits, others_kept=kept)


@pytest.fixture(scope="session")
def gallery(inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("elsewhere") / "gallery", inputs)


@pytest.fixture
def size(browser) -> Iterator[Callable[[int, int], None]]:
    """Sets the size of the screen in pixels."""

    def to(width: int, height: int, mobile: bool = False) -> None:
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)

    yield to
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture
def opened(browser, gallery: Path) -> Iterator[Page]:
    """The page; afterwards it must have asked nothing of a network and have complained of
    nothing.
    """
    page = Page(browser, gallery)
    yield page.open()
    page.media()
    assert browser.get_log("browser") == []
    asked = [
        entry["message"]
        for entry in browser.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert asked
    assert not [message for message in asked if '"url":"http' in message or '"url":"ws' in message]
