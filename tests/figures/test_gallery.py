"""The gallery page, driven in headless Chromium as a person would."""

from __future__ import annotations

import io
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.image import imread

from transporter.clips.contrast import Concept
from transporter.clips.video import write_video
from transporter.figures.gallery import Clip, page, write_gallery
from transporter.support.errors import UserError

CONCEPTS = [
    Concept("red_blue", "object", "red", "blue", "what colour is it ?"),
    Concept("slowly_quickly", "action", "slowly", "quickly", "how fast does it move ?"),
    Concept("day_night", "scene", "day", "night", "what time is it ?"),
]
METHODS, PHIS, SEEDS, SHOWN = ("transporter", "random"), (0.0, 0.25, 0.6, 1.0), range(5), 2
TIMELESS = {("microworld", "slowly"), ("microworld", "quickly")}
CAPTION = "a large red circle moves slowly left on grass during the day"
EVIL = "a red <b>x</b></script><script>window.broken=1</script> & square"


def colour(concept: str, method: str, seed: int, phi: float) -> np.ndarray:
    """A colour that no other clip has."""
    return np.array(
        [
            0.15 + 0.7 * phi,
            0.2 + 0.6 * seed / 4,
            0.2 + 0.3 * (method == "random") + 0.3 * (concept == "red_blue"),
        ]
    )


def rows(generator: str, vlm: str, probes: bool) -> list[dict[str, object]]:
    result = []
    for concept in CONCEPTS:
        for method in METHODS:
            for seed in SEEDS:
                for phi in PHIS:
                    sign = 10 * (phi - 0.5) + seed if method == "transporter" else -5.0
                    measured = (
                        {
                            "p_source": 1 - phi,
                            "p_target": phi,
                            "shape": "circle",
                            "kept": 1 - phi / 6,
                        }
                        if probes
                        else {}
                    )
                    caption = EVIL if seed == 1 and concept.name == "red_blue" else CAPTION
                    read = caption.replace(concept.source, concept.target) if phi > 0.5 else caption
                    result.append(
                        {
                            "generator": generator,
                            "vlm": vlm,
                            "concept": concept.name,
                            "kind": concept.kind,
                            "method": method,
                        }
                        | {
                            "caption": caption,
                            "seed": seed,
                            "phi": phi,
                            "log_odds": sign,
                            "log_odds_phi": sign - 1,
                        }
                        | {
                            "caption_phi": read,
                            "p_source": "",
                            "p_target": "",
                            "shape": "",
                            "kept": "",
                            **measured,
                        }
                    )
    return result


@pytest.fixture(scope="module")
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
    kept = np.where(keys["vlm"] == "microworld", "0.9", "")  # as a table read from a file has them
    return readings, clips, keys.assign(seeds=5, spearman=0.98, hit_rate=0.875, others_kept=kept)


@pytest.fixture(scope="module")
def gallery(inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "gallery"
    readings, clips, summary = inputs
    write_gallery(folder, readings, clips, CONCEPTS, summary, seeds=SHOWN, timeless=TIMELESS)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    programs = [shutil.which("chromium"), shutil.which("chromedriver")]
    if None in programs:
        message = (
            "the gallery is not tested in a browser: install chromium and chromedriver (Debian:"
            " chromium, chromium-driver)"
        )
        if os.environ.get("TRANSPORTER_REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    off = [
        f"disable-{name}"
        for name in ("gpu", "quic", "background-networking", "component-update", "sync")
    ]
    profile = f"user-data-dir={tmp_path_factory.mktemp('profile')}"
    for flag in ("headless", "no-sandbox", "no-first-run", *off, "window-size=1280,1000", profile):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1]))
    yield driver
    driver.quit()


class Page:
    """The open page, as a person sees it."""

    def __init__(self, browser: object, folder: Path) -> None:
        self.browser, self.folder = browser, folder
        browser.get_log("browser"), browser.get_log("performance")

    def open(self, fragment: str = "") -> Page:
        self.browser.get("about:blank")
        self.browser.get(f"{(self.folder / 'index.html').as_uri()}#{fragment}")
        return self

    def run(self, script: str) -> object:
        return self.browser.execute_script(script)

    def state(self) -> dict[str, object]:
        return self.run("return {...state}")

    def press(self, key: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(key).perform()

    def slide(self, step: int) -> None:
        self.run(
            f"const slider = document.getElementById('phi'); slider.value = {step};"
            " slider.dispatchEvent(new Event('input'))"
        )

    def until(self, condition: Callable[[], bool], seconds: float = 8) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, (
                f"did not happen within {seconds} s; the page says {self.state()}, {self.videos()}"
            )
            time.sleep(0.05)

    def videos(self) -> list[dict[str, object]]:
        return self.run(
            "return [...document.querySelectorAll('.screen video.shown')].map(v => ({src:"
            " v.currentSrc, ready: v.readyState, time: v.currentTime, paused: v.paused, width:"
            " v.videoWidth, small: v.classList.contains('small')}))"
        )

    def shows(self, *, concept: str, method: str, phi: float) -> None:
        """Wait until every tile plays the clip asked for, then look at the pixels on the screen."""
        names = [f"/{concept}/{method}-{seed}-{phi:g}.mp4" for seed in range(SHOWN)]

        def there(found):
            return [
                v["src"].endswith(name) and v["ready"] >= 2
                for v, name in zip(found, names, strict=False)
            ]

        self.until(lambda: there(self.videos()) == [True] * SHOWN)
        time.sleep(0.15)
        for seed, screen in enumerate(self.browser.find_elements("css selector", ".screen")):
            image = imread(io.BytesIO(screen.screenshot_as_png))
            middle = image[image.shape[0] // 2, image.shape[1] // 2, :3]
            np.testing.assert_allclose(middle, colour(concept, method, seed, phi), atol=0.05)


@pytest.fixture
def opened(browser, gallery: Path) -> Iterator[Page]:
    """The page; afterwards it must have asked nothing of a network and have complained of
    nothing.
    """
    page = Page(browser, gallery)
    yield page.open()
    assert browser.get_log("browser") == []
    asked = [
        entry["message"]
        for entry in browser.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert asked
    assert not [message for message in asked if '"url":"http' in message or '"url":"ws' in message]


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
        (Keys.ARROW_RIGHT, "phi", 0.25),
        (Keys.ARROW_RIGHT, "phi", 0.6),
        (Keys.ARROW_LEFT, "phi", 0.25),
        (Keys.ARROW_DOWN, "concept", "slowly_quickly"),
        (Keys.ARROW_DOWN, "concept", "day_night"),
        (Keys.ARROW_DOWN, "concept", "day_night"),
        (Keys.ARROW_UP, "concept", "slowly_quickly"),
        ("s", "seed", 1),
        ("s", "seed", 0),
        ("m", "method", "random"),
        (" ", "playing", False),
    ]:
        opened.press(key)
        assert opened.state()[name] == value
    opened.shows(concept="slowly_quickly", method="random", phi=0.25)
    assert all(video["paused"] for video in opened.videos())
    opened.press(" ")
    opened.until(lambda: not any(video["paused"] for video in opened.videos()))
    opened.run("document.getElementById('phi').focus()")
    opened.press(Keys.ARROW_RIGHT)
    assert opened.state()["phi"] == 0.6
    assert (
        opened.run("return document.getElementById('phi').getAttribute('aria-valuetext')")
        == "phi 0.6"
    )
    assert opened.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_curves_have_every_point(opened: Page) -> None:
    points = opened.run(
        "return Object.fromEntries(['answer', 'probe'].map(id => [id,"
        " [...document.querySelectorAll(`#${id} polyline`)].map(l =>"
        " [l.getAttribute('class').split(' ')[0], l.dataset.curve ?? null,"
        " l.getAttribute('points').split(' ').length])]))"
    )
    count = len(PHIS)
    assert points["answer"].count(["seed", "log_odds", count]) == len(SEEDS)
    assert points["answer"].count(["mean", "log_odds", count]) == 1
    assert points["answer"].count(["coupled", "log_odds_phi", count]) == 1
    assert points["answer"].count(["other", None, count]) == len(METHODS) - 1
    for name in ("p_target", "kept"):
        assert points["probe"].count(["seed", name, count]) == len(SEEDS)
        assert points["probe"].count(["mean", name, count]) == 1
    assert opened.run("return document.querySelectorAll('#answer circle').length") == count
    assert opened.run("return document.querySelectorAll('#probe circle').length") == 2 * count


def test_marker_and_caption_follow_phi(opened: Page) -> None:
    place = "return Number(document.querySelector('#answer .now').getAttribute('x1'))"
    strength = (
        "return ['.from', '.to'].map(c => Number(getComputedStyle(document.querySelector('.slot ' +"
        " c)).opacity))"
    )
    places = []
    for step in range(len(PHIS)):
        opened.slide(step)
        places.append(opened.run(place))
    assert places == sorted(places) and len(set(places)) == len(PHIS)
    opened.until(lambda: opened.run(strength)[1] == 1)
    assert opened.run(strength)[0] < 0.3
    assert opened.run("return document.querySelector('.facts dd b').textContent") == "blue"


def test_captions_are_text_and_never_markup(opened: Page) -> None:
    said = opened.run("return document.querySelectorAll('.said')[1].textContent")
    assert said == EVIL.replace("red", "red → blue")
    assert opened.run(
        "return window.broken === undefined && document.querySelectorAll('.said b').length === 0"
    )


def test_without_probes_the_page_still_works(opened: Page) -> None:
    opened.run("choose({generator: 'other'})")
    assert opened.state()["vlm"] == "real model"
    assert opened.run("return document.getElementById('probe-figure').hidden")
    assert opened.run("return document.querySelectorAll('#answer circle').length") == len(PHIS)
    assert (
        opened.run(
            "return document.querySelector('[data-column=\"transporter others_kept\"]').textContent"
        )
        == "\N{EN DASH}"
    )
    opened.shows(concept="red_blue", method="transporter", phi=0)


def test_warns_of_answers_that_need_no_time(opened: Page) -> None:
    warning = (
        "const note = document.getElementById('timeless'); return note.hidden ? null :"
        " note.textContent"
    )
    assert opened.run(warning) is None
    opened.run("choose({concept: 'slowly_quickly'})")
    assert opened.run(warning).startswith(
        "microworld needs no time to say quickly or slowly: its answer stays the same"
    )
    opened.run("choose({generator: 'other'})")
    assert (opened.state()["concept"], opened.state()["vlm"]) == ("slowly_quickly", "real model")
    assert opened.run(warning) is None


def test_table_opens_a_concept_and_the_address_remembers_it(opened: Page) -> None:
    cells = opened.run(
        "return [...document.querySelectorAll('#summary tr[data-concept=red_blue] td')].map(c =>"
        " c.textContent)"
    )
    assert cells == ["0.98", "88 %", "90 %"] * len(METHODS)
    opened.browser.find_element(
        "css selector", "#summary tr[data-concept=day_night] button"
    ).click()
    opened.slide(3)
    address = opened.browser.current_url
    opened.browser.get("about:blank")
    opened.browser.get(address)
    assert (opened.state()["concept"], opened.state()["phi"]) == ("day_night", 1)
    opened.shows(concept="day_night", method="transporter", phi=1)


def test_fits_a_phone(opened: Page) -> None:
    phone = {"width": 375, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    opened.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        opened.open()
        assert opened.run("return document.documentElement.scrollWidth") <= 375
        opened.shows(concept="red_blue", method="transporter", phi=0)
    finally:
        opened.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_only_the_clips_shown_are_copied_and_bytes_are_stable(
    inputs, gallery: Path, tmp_path: Path
) -> None:
    readings, clips, summary = inputs
    assert len(list(gallery.rglob("*.mp4"))) == len(clips)
    write_gallery(
        tmp_path / "again", readings, clips, CONCEPTS, summary, seeds=SHOWN, timeless=TIMELESS
    )
    assert (tmp_path / "again" / "index.html").read_bytes() == (gallery / "index.html").read_bytes()
    assert "http" not in (gallery / "index.html").read_text().replace(
        "http://www.w3.org/2000/svg", ""
    )


def test_data_cannot_end_its_script_element() -> None:
    text = page({"title": "<b>&", "caption": "</script><!--"})
    assert text.count("</script>") == 2 and "<!--" not in text and "<b>&" not in text


def test_replaces_an_older_gallery(inputs, tmp_path: Path) -> None:
    readings, clips, summary = inputs
    (tmp_path / "gallery").mkdir()
    (tmp_path / "gallery" / "stale").write_text("")
    write_gallery(tmp_path / "gallery", readings, clips, CONCEPTS, summary, seeds=1)
    assert sorted(path.name for path in (tmp_path / "gallery").iterdir()) == ["clips", "index.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["gallery"]


def test_errors_say_what_is_wrong(inputs, tmp_path: Path) -> None:
    readings, clips, summary = inputs
    with pytest.raises(UserError, match="missing: log_odds"):
        write_gallery(tmp_path / "g", readings.drop(columns="log_odds"), clips, CONCEPTS, summary)
    with pytest.raises(UserError, match="at least one row"):
        write_gallery(tmp_path / "g", readings[:0], clips, CONCEPTS, summary)
    with pytest.raises(UserError, match="no concept named day_night"):
        write_gallery(tmp_path / "g", readings, clips, CONCEPTS[:2], summary)
    with pytest.raises(UserError, match=r"'seed': 2.*generate the clips again"):
        write_gallery(tmp_path / "g", readings, clips, CONCEPTS, summary, seeds=3)
    assert list(tmp_path.iterdir()) == []
