"""What the gallery page plays, driven in headless Chromium as a person would."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from gallery_pages import (
    PHIS,
    SHOWN,
    Page,
    write,
)


def test_slider_changes_the_video_shown(opened: Page) -> None:
    opened.shows(concept="red_blue", method="transporter", phi=0)
    for step, phi in enumerate(PHIS):
        opened.slide(step)
        opened.shows(concept="red_blue", method="transporter", phi=phi)


def test_videos_play_in_step(opened: Page) -> None:
    opened.slide(2)
    opened.shows(concept="red_blue", method="transporter", phi=0.6)
    before = opened.videos()
    opened.until(lambda: abs(opened.videos()[0]["time"] - before[0]["time"]) > 0.3)
    after = opened.videos()
    lag = abs(after[0]["time"] - after[1]["time"])
    assert not any(video["paused"] for video in after) and all(video["small"] for video in after)
    assert min(lag, 17 / 8 - lag) < 0.125


def test_keyboard(opened: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    for key, name, value in [
        (Keys.ARROW_RIGHT, "stop", 0.25),
        (Keys.ARROW_RIGHT, "stop", 0.6),
        (Keys.ARROW_LEFT, "stop", 0.25),
        ("c", "concept", "slowly_quickly"),
        ("c", "concept", "day_night"),
        ("c", "concept", "day_night"),
        ("C", "concept", "slowly_quickly"),
        ("s", "seed", 1),
        ("s", "seed", 0),
        ("m", "method", "random"),
        ("k", "playing", False),
    ]:
        opened.press(key)
        assert opened.state()[name] == value
    opened.shows(concept="slowly_quickly", method="random", phi=0.25)
    assert all(video["paused"] for video in opened.videos())
    opened.press("k")
    opened.until(lambda: not any(video["paused"] for video in opened.videos()))
    opened.run("document.getElementById('stop').focus()")
    opened.press(Keys.ARROW_RIGHT)
    assert opened.state()["stop"] == 0.6
    assert (
        opened.run("return document.getElementById('stop').getAttribute('aria-valuetext')")
        == "φ = 0.6"
    )
    assert opened.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


OWN = {0.25: (0.45, 0.46, 0.5, 0.4, 0.44), 0.6: (0.46, 0.5, 0.7, 0.41, 0.48)}
"""Strengths of each seed at two stops, spaced by its answer."""


def own(stop: float, seed: int) -> float:
    return OWN[stop][seed] if stop in OWN else stop


@pytest.fixture(scope="module")
def spaced(inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of clips whose strengths at a stop are their own."""
    readings, clips, summary = inputs
    moved = {clip._replace(phi=own(clip.phi, clip.seed)): path for clip, path in clips.items()}
    phis = [own(row.stop, row.seed) for row in readings.itertuples()]
    folder = tmp_path_factory.mktemp("spaced")
    return write(folder / "page", (readings.assign(phi=phis), moved, summary))


def test_a_slider_of_own_strengths_has_equal_stops(spaced: Path, browser: object) -> None:
    opened = Page(browser, spaced).open()
    assert opened.texts("#ticks span") == ["0 % of the way", "25 %", "60 %", "100 %"]
    opened.slide(1)
    assert opened.state()["stop"] == 0.25
    strengths = [f"φ = {phi:g}" for phi in OWN[0.25][:SHOWN]]
    assert opened.texts('[data-fact="Strength"] dd') == strengths
    assert opened.run("return !document.getElementById('spacing').hidden")
    names = [f"transporter-{seed}-{OWN[0.25][seed]:g}.mp4" for seed in range(SHOWN)]
    opened.until(lambda: [Path(str(video["src"])).name for video in opened.videos()] == names)


def test_curves_stand_at_the_strengths_of_the_clips(spaced: Path, browser: object) -> None:
    opened = Page(browser, spaced).open()
    found = opened.run(
        "const xs = one => one.getAttribute('points').split(' ').map(p => Number(p.split(',')[0]));"
        " const all = name => [...document.querySelectorAll(`#answer .${name}[data-curve]`)];"
        " return [all('seed').map(xs), all('mean').map(xs)]"
    )
    (*seeds,), (mean,) = found
    left, right = mean[0], mean[-1]
    stops = (0.0, 0.25, 0.6, 1.0)
    for seed, points in enumerate(seeds):
        expected = [left + own(stop, seed) * (right - left) for stop in stops]
        np.testing.assert_allclose(points, expected, atol=0.11)
    middle = np.mean([OWN[0.25], OWN[0.6]], axis=1)
    np.testing.assert_allclose(mean[1:3], left + middle * (right - left), atol=0.11)


def test_strengths_that_are_given_are_named_as_such(opened: Page) -> None:
    assert opened.texts('[data-fact="Strength"]') == []
    assert opened.run("return document.getElementById('spacing').hidden")


def test_labels_of_strengths_that_lie_close_do_not_overlap(spaced: Path, browser: object) -> None:
    opened = Page(browser, spaced).open()
    labels = opened.run(
        "const boxes = [...document.querySelectorAll('#answer text')].filter(one =>"
        " /^[0-9.]+$/.test(one.textContent) && one.getAttribute('text-anchor') === 'middle');"
        " return boxes.map(one => [one.textContent, one.getBoundingClientRect().left,"
        " one.getBoundingClientRect().right])"
    )
    assert [text for text, *_ in labels] == ["0", "0.45", "1"]
    assert all(one[2] < other[1] for one, other in pairwise(labels))


def test_table_opens_a_concept_and_the_address_remembers_it(opened: Page) -> None:
    cells = opened.run(
        "return [...document.querySelectorAll('#summary tr[data-concept=red_blue] td')].map(c =>"
        " c.textContent)"
    )
    assert cells == ["0.98", "88 %", "90 %", "0.98", "0 %", "90 %"]
    opened.browser.find_element(
        "css selector", "#summary tr[data-concept=day_night] button"
    ).click()
    opened.slide(3)
    address = opened.browser.current_url
    opened.browser.get("about:blank")
    opened.browser.get(address)
    assert (opened.state()["concept"], opened.state()["stop"]) == ("day_night", 1)
    opened.shows(concept="day_night", method="transporter", phi=1)


def test_opens_with_a_turn_of_phi(opened: Page) -> None:
    """Phi goes from its first value to its last, once, through all others."""
    opened.open("")
    seen: list[float] = []

    def ended() -> bool:
        state = opened.state()
        if seen[-1:] != [state["stop"]]:
            seen.append(state["stop"])
        return not state["turning"]

    opened.until(ended, seconds=20)
    assert seen == list(PHIS)
    opened.shows(concept="red_blue", method="transporter", phi=1)


def test_whoever_takes_hold_of_the_page_stops_the_turn(opened: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    opened.open("")
    assert opened.state()["turning"]
    opened.press(Keys.ARROW_RIGHT)
    phi = opened.state()["stop"]
    time.sleep(1.5)
    assert (opened.state()["turning"], opened.state()["stop"]) == (False, phi)
    button = opened.browser.find_element("id", "turn")
    assert button.text == "Play φ"
    button.click()
    assert (opened.state()["turning"], opened.state()["stop"]) == (True, 0)
    button.click()
    assert not opened.state()["turning"]


def test_no_motion_for_those_who_want_none(opened: Page) -> None:
    opened.media(prefers_reduced_motion="reduce")
    opened.open("")
    opened.shows(concept="red_blue", method="transporter", phi=0)
    time.sleep(1.5)
    assert opened.state()["stop"] == 0
    assert all(video["paused"] for video in opened.videos())


def test_the_address_is_listened_to_and_names_the_models(opened: Page) -> None:
    opened.run("location.hash = 'generator=other&concept=day_night&method=random&seed=1&stop=0.6'")
    opened.until(lambda: opened.state()["concept"] == "day_night")
    opened.shows(concept="day_night", method="random", phi=0.6)
    address = opened.browser.current_url
    for part in ("generator=other", "vlm=real+model", "seed=1", "stop=0.6"):
        assert part in address
    opened.run("choose({generator: 'microworld'})")
    assert "generator=microworld&vlm=microworld" in opened.browser.current_url
    opened.browser.get("about:blank")
    opened.browser.get(address)
    state = opened.state()
    assert [state[name] for name in ("generator", "vlm", "method", "seed")] == [
        "other",
        "real model",
        "random",
        1,
    ]


def test_a_row_of_the_table_brings_its_videos_into_view(opened: Page, size) -> None:
    size(1280, 500)
    opened.open()
    top = "return document.querySelector('.screen').getBoundingClientRect().top"
    row = opened.browser.find_element("css selector", "#summary tr[data-concept=day_night]")
    opened.run("window.scrollTo(0, document.body.scrollHeight)")
    assert opened.run(top) < 0
    row.find_element("css selector", "td").click()
    opened.until(lambda: 0 < opened.run(top) < 400)
    assert opened.run("return document.activeElement.id") == "videos"
    opened.shows(concept="day_night", method="transporter", phi=0)


def test_the_page_scrolls_by_keys(opened: Page, size) -> None:
    from selenium.webdriver.common.keys import Keys

    size(1280, 500)
    for key in (" ", Keys.ARROW_DOWN, Keys.PAGE_DOWN):
        opened.open()
        opened.press(key)
        opened.until(lambda: opened.run("return window.scrollY") > 10)
        assert (opened.state()["concept"], opened.state()["playing"]) == ("red_blue", True)


@pytest.mark.parametrize(
    ("choice", "concept", "method"),
    [("method:random", "red_blue", "random"), ("concept:day_night", "day_night", "transporter")],
)
def test_compares_side_by_side(choice: str, concept: str, method: str, opened: Page, size) -> None:
    from selenium.webdriver.support.ui import Select

    size(1280, 800)
    opened.open("stop=1")
    Select(opened.browser.find_element("id", "compare")).select_by_value(choice)
    wanted = [
        f"/{name}-{seed}-1.mp4"
        for name in ("red_blue/transporter", f"{concept}/{method}")
        for seed in range(SHOWN)
    ]

    def sources() -> list[bool]:
        found = opened.videos()
        return [v["src"].endswith(name) for v, name in zip(found, wanted, strict=False)]

    opened.until(lambda: sources() == [True] * 2 * SHOWN)
    assert opened.run("return document.querySelectorAll('#numbers thead th').length") == 3
    ends = opened.run(
        "return [...document.querySelectorAll('.tiles')].map(t => t.getBoundingClientRect().top)"
    )
    assert len(ends) == 2 and ends[1] < 800
    times = [video["time"] for video in opened.videos()]
    assert max(times) - min(times) < 0.2 or max(times) - min(times) > 17 / 8 - 0.2
    opened.browser.refresh()
    assert opened.state()["compare"] == choice
    opened.run("choose({compare: ''})")
    assert len(opened.videos()) == SHOWN


def test_every_clip_can_be_downloaded(opened: Page) -> None:
    opened.slide(2)
    links = opened.run(
        "return [...document.querySelectorAll('.download')].map(a => [a.getAttribute('href'),"
        " a.hasAttribute('download')])"
    )
    names = [f"clips/microworld/microworld/red_blue/transporter-{s}-0.6.mp4" for s in range(SHOWN)]
    assert links == [[name, True] for name in names]
    assert all((opened.folder / name).is_file() for name in names)
