"""The gallery with maps over its clips, driven in headless Chromium as a person would."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from gallery_pages import (
    METHODS,
    PHIS,
    SEEDS,
    SHOWN,
    Page,
    write,
)
from matplotlib.image import imread

from transporter.figures.gallery import page_data
from transporter.figures.gallery_maps import ConceptMaps, write_mapped_gallery
from transporter.support.errors import UserError

MAPPED = ("microworld", "microworld", "red_blue")
BRIGHT, DARK = (0.99, 0.91, 0.13), (0.0, 0.13, 0.30)
"""Both ends of the scale, about."""


def made_up_maps() -> ConceptMaps:
    """High on the left half while phi is below 0.5, on the right half above; the last of the five
    latent frames is the other way round.
    """
    rows = [("transporter", seed, 0.0) for seed in SEEDS]
    rows += [(name, seed, phi) for name in METHODS for seed in SEEDS for phi in PHIS[1:]]
    index = pd.DataFrame(rows, columns=["method", "seed", "phi"])
    index["inside"], index["base"] = (0.25 + index["phi"] / 2).astype(str), 0.1
    index.loc[(index["seed"] == 1) & (index["phi"] == 0), "inside"] = ""  # nothing was found
    left = torch.tensor([[3.0, -1.0], [3.0, -1.0]])
    later = torch.tensor((index["phi"] > 0.5).to_numpy())
    found = torch.where(later[:, None, None], left.flip(1), left)[:, None].repeat(1, 5, 1, 1)
    found[:, 4] = found[:, 4].flip(2)
    return ConceptMaps(index, found, 17)


@pytest.fixture(scope="module")
def mapped(inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mapped")
    write(folder / "plain", inputs)
    write_mapped_gallery(folder / "with", folder / "plain", {MAPPED: made_up_maps()})
    return folder


@pytest.fixture
def opened_maps(browser, mapped: Path) -> Iterator[Page]:
    page = Page(browser, mapped / "with")
    yield page.open("stop=0")
    assert browser.get_log("browser") == []


def sides(page: Page) -> list[np.ndarray]:
    """The colours left and right on the screen of the first tile."""
    time.sleep(0.2)
    [screen, *_] = page.browser.find_elements("css selector", ".screen")
    image = imread(io.BytesIO(screen.screenshot_as_png))[..., :3]
    row = image[image.shape[0] // 2]
    return [row[5], row[-6]]


def stop_at(page: Page, seconds: float) -> None:
    page.run("play(false)")
    page.run(f"for (const video of videosOnShow()) video.currentTime = {seconds}")
    page.until(lambda: not page.run("return videosOnShow().some(video => video.seeking)"))


def nearer(colour: np.ndarray, one: tuple, other: tuple) -> bool:
    return np.linalg.norm(colour - one) < np.linalg.norm(colour - other)


def test_a_map_lies_over_the_clip_and_follows_strength_and_time(opened_maps: Page) -> None:
    opened_maps.until(lambda: len(opened_maps.videos()) == SHOWN)
    before = sides(opened_maps)
    assert np.allclose(before[0], before[1], atol=0.05)  # off at first: a plain clip
    opened_maps.press("w")
    assert opened_maps.state()["map"] == "on"
    opened_maps.until(
        lambda: opened_maps.run("return !document.querySelector('canvas.map').hidden")
    )
    for phi, second, bright in ((0, 0.2, 0), (1, 0.2, 1), (1, 2.05, 0)):
        opened_maps.run(f"choose({{stop: {phi}}})")
        opened_maps.until(lambda: opened_maps.run("return settled()"))
        stop_at(opened_maps, second)
        found = sides(opened_maps)
        assert nearer(found[bright], BRIGHT, DARK), (phi, second)
        assert nearer(found[1 - bright], DARK, BRIGHT), (phi, second)
    assert opened_maps.texts(".scale") == ["“blue” \u22121.003.00"]
    opened_maps.press("w")
    assert opened_maps.run("return document.querySelector('canvas.map').hidden")


def test_the_curve_says_how_much_lies_on_the_thing(opened_maps: Page) -> None:
    label = opened_maps.run("return document.getElementById('inside').getAttribute('aria-label')")
    assert "mean 25 %, 38 %, 55 %, 75 %; of all tokens 10 %, 10 %, 10 %, 10 %" in label
    opened_maps.run("choose({concept: 'day_night'})")
    for name in ("inside-figure", "map-choice", "map-hint"):
        assert opened_maps.run(f"return document.getElementById('{name}').hidden")


def test_a_page_without_maps_hides_them(browser, mapped: Path) -> None:
    page = Page(browser, mapped / "plain").open("stop=0&map=on")
    page.until(lambda: len(page.videos()) == SHOWN)
    for name in ("inside-figure", "map-choice", "map-hint"):
        assert page.run(f"return document.getElementById('{name}').hidden")
    assert page.run("return [...document.querySelectorAll('canvas.map')].every(one => one.hidden)")
    assert browser.get_log("browser") == []


def test_all_but_the_maps_is_the_page_itself(mapped: Path) -> None:
    plain, full = (
        page_data((mapped / name / "index.html").read_text()) for name in ("plain", "with")
    )
    del full["map_colours"]
    for sweep in full["sweeps"]:
        sweep.pop("map", None)
        for run in sweep["runs"]:
            for name in ("map", "inside", "base"):
                run.pop(name, None)
    assert full == plain
    pictures = [path.name for path in (mapped / "with/maps").rglob("*.png")]
    assert len(pictures) == len(METHODS) * SHOWN


def test_maps_that_lack_a_clip_are_told(mapped: Path, tmp_path: Path) -> None:
    whole = made_up_maps()
    few = ConceptMaps(whole.index.iloc[:-1], whole.maps[:-1], 17)
    with pytest.raises(UserError, match="red_blue: expected one for random, seed 4, phi 1"):
        write_mapped_gallery(tmp_path / "few", mapped / "plain", {MAPPED: few})
    assert not (tmp_path / "few").exists()
    (tmp_path / "index.html").write_text("<html></html>")
    with pytest.raises(UserError, match="expected a page of an earlier run"):
        write_mapped_gallery(tmp_path / "none", tmp_path, {MAPPED: whole})
