"""The gallery page, driven in headless Chromium as a person would."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.image import imread

from microworld.attributes import WORDS
from microworld.world import MICROWORLD
from transporter.clips.contrast import Concept
from transporter.clips.writing import write_video
from transporter.concepts.bank import ConceptBank
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.figures.gallery import Clip, LeftOut, Origin, page, page_data, write_gallery
from transporter.figures.gallery_maps import ConceptMaps, write_mapped_gallery
from transporter.generation.sweeps import Generated, write_concept
from transporter.generators.base import Sampling
from transporter.metrics.faithfulness import label, read_concept
from transporter.metrics.summary import summarise
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.errors import UserError
from transporter.support.files import read_table, write_table

MODELS = Path(__file__).parents[2] / "models"
CONCEPTS = [
    Concept("red_blue", "object", "red", "blue", "what colour is it ?"),
    Concept("slowly_quickly", "action", "slowly", "quickly", "how fast does it move ?"),
    Concept("day_night", "scene", "day", "night", "what time is it ?"),
]
METHODS, PHIS, SEEDS, SHOWN = ("transporter", "random"), (0.0, 0.25, 0.6, 1.0), range(5), 2
TIMELESS = {("microworld", "slowly"), ("microworld", "quickly")}
ORIGIN = Origin("2026-11-29", "1.2.3", "0123456789", "Apache-2.0")
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
                            "stop": phi,
                            "phi": phi,
                            "log_odds": sign,
                        }
                        | {
                            "caption_reencoded": read,
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
    # as a table read from a file has them: text where a cell is empty
    probed, moved = keys["vlm"] == "microworld", keys["method"] == "transporter"
    kept = np.where(probed, "0.9", "")
    hits = np.where(probed, np.where(moved, "0.875", "0"), "")
    return readings, clips, keys.assign(seeds=5, spearman=0.98, hit_rate=hits, others_kept=kept)


def write(folder: Path, inputs: tuple, **options: object) -> Path:
    """The page of the made-up readings."""
    readings, clips, summary = inputs
    options = {"seeds": SHOWN, "timeless": TIMELESS, "origin": ORIGIN, **options}
    write_gallery(folder, readings, clips, CONCEPTS, summary, ["shape"], **options)
    return folder


@pytest.fixture(scope="module")
def gallery(inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("elsewhere") / "gallery", inputs)


class Page:
    """The open page, as a person sees it."""

    def __init__(self, browser: object, folder: Path) -> None:
        self.browser, self.folder = browser, folder
        browser.get_log("browser"), browser.get_log("performance")

    def open(self, fragment: str = "stop=0") -> Page:
        """Whoever comes with a strength in the address sees it at once; others see phi turn."""
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

    def texts(self, selector: str) -> list[str]:
        return self.run(
            f"return [...document.querySelectorAll('{selector}')].map(one => one.textContent)"
        )

    def media(self, **features: str) -> None:
        """What the reader's system asks for: `prefers-color-scheme`, `prefers-reduced-motion`."""
        asked = [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
        ]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": asked})

    def slide(self, step: int) -> None:
        self.run(
            f"const slider = document.getElementById('stop'); slider.value = {step};"
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
    assert opened.run(strength)[0] < 0.6
    assert opened.texts(".facts dd b")[0] == "blue"


def test_words_in_an_answer_are_marked_whatever_their_case(opened: Page) -> None:
    text = "A RED ball, an infrared one, a red-hot one; then Blue."
    found = opened.run(
        f"return marked({text!r}, current()).map(part => part.outerHTML ?? part).join('')"
    )
    assert found == text.replace("RED", "<b>RED</b>").replace("Blue", '<b class="to">Blue</b>')


def test_captions_are_text_and_never_markup(opened: Page) -> None:
    assert opened.texts(".prompt")[1] == EVIL.replace("red", "red → blue")
    assert opened.run(
        "return window.broken === undefined && document.querySelectorAll('.prompt b').length === 0"
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


def test_fits_a_phone(opened: Page, size) -> None:
    size(375, 740, mobile=True)
    opened.open()
    assert opened.run("return document.documentElement.scrollWidth") <= 375
    opened.shows(concept="red_blue", method="transporter", phi=0)


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


def test_says_where_it_comes_from(opened: Page) -> None:
    assert opened.texts("#origin > span") == [
        "Generator microworld, VLM microworld",
        "results of 2026-11-29",
        "Transporter 1.2.3, commit 0123456789",
        "Apache-2.0",
        "how it works: docs/method.md",
    ]
    assert opened.texts("#origin a") == []  # away from the project a link would lead nowhere


def test_links_to_the_guide_beside_the_project(opened: Page, inputs, tmp_path: Path) -> None:
    folder = write(tmp_path / "results" / "gallery", inputs, origin=None)
    page = Page(opened.browser, folder).open()
    link = page.run("return document.querySelector('#origin a').href")
    assert link == (tmp_path / "docs" / "method.md").as_uri()
    assert page.texts("#origin > span")[1:] == ["how it works: docs/method.md"]


def test_numbers_and_curve_are_above_the_fold(opened: Page, size) -> None:
    size(1280, 800)
    opened.open()
    for selector in ("#numbers", "#answer", ".screen", "#stop"):
        bottom = f"return document.querySelector('{selector}').getBoundingClientRect().bottom"
        assert 0 < opened.run(bottom) <= 800
    opened.slide(2)
    found = dict(zip(opened.texts("#numbers tbody th"), opened.texts("#numbers td"), strict=True))
    # of the rows: log-odds 10 (phi - 0.5) + seed, kept 1 - phi / 6
    assert found == {
        "Log-odds of “blue”": "+3.0",
        "VLM answers “blue”": "5 of 5",
        "Probes see “blue”": "60 %",
        "Other attributes kept": "90 %",
    }


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


def test_captions_of_seeds_keep_their_spaces(opened: Page) -> None:
    screen = opened.browser.find_element("css selector", ".screen")
    assert screen.accessible_name == f"Seed 0: {CAPTION}. Choose this seed."
    assert opened.texts("#seed option")[0] == f"0: {CAPTION}"


def test_a_rank_correlation_without_hits_is_grey(opened: Page) -> None:
    moot = "return [...document.querySelectorAll('#summary td.moot')].map(c => c.dataset.column)"
    assert opened.run(moot) == ["random spearman"] * len(CONCEPTS)
    opened.run("choose({generator: 'other'})")
    assert opened.run(moot) == []  # no probes, no hits to miss


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


def test_everything_that_can_be_reached_has_a_name(opened: Page) -> None:
    kinds = ("button", "select", "input", "a", "[tabindex]:not(video)")
    selector = ", ".join(f"{kind}:not([hidden] *)" for kind in kinds)
    reached = opened.browser.find_elements("css selector", selector)
    assert len(reached) > 15
    assert [one.get_attribute("outerHTML") for one in reached if not one.accessible_name] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(scheme: str, opened: Page) -> None:
    """Contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    opened.media(prefers_color_scheme=scheme)
    pixels = opened.run(
        "const pen = document.createElement('canvas').getContext('2d', {willReadFrequently: true});"
        "return Object.fromEntries(['paper', 'faint', 'ink', 'quiet', 'source', 'target', 'kept']"
        ".map(name => { pen.fillStyle = getComputedStyle(document.documentElement)"
        ".getPropertyValue('--' + name); pen.fillRect(0, 0, 1, 1);"
        "return [name, [...pen.getImageData(0, 0, 1, 1).data]]; }))"
    )

    def luminance(name: str) -> float:
        value = np.array(pixels[name][:3]) / 255
        linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    for text in ("ink", "quiet", "source", "target", "kept"):
        for ground in ("paper", "faint"):
            low, high = sorted((luminance(text), luminance(ground)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


def test_only_the_clips_shown_are_copied_and_bytes_are_stable(
    inputs, gallery: Path, tmp_path: Path
) -> None:
    assert len(list(gallery.rglob("*.mp4"))) == len(inputs[1])
    write(tmp_path / "again", inputs)
    assert (tmp_path / "again" / "index.html").read_bytes() == (gallery / "index.html").read_bytes()
    assert "http" not in (gallery / "index.html").read_text().replace(
        "http://www.w3.org/2000/svg", ""
    )


def test_data_cannot_end_its_script_element() -> None:
    text = page({"title": "<b>&", "caption": "</script><!--"})
    assert text.count("</script>") == 3 and "<!--" not in text and "<b>&" not in text


def test_replaces_an_older_gallery(inputs, tmp_path: Path) -> None:
    (tmp_path / "gallery").mkdir()
    (tmp_path / "gallery" / "stale").write_text("")
    write(tmp_path / "gallery", inputs, seeds=1)
    assert sorted(path.name for path in (tmp_path / "gallery").iterdir()) == ["clips", "index.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["gallery"]


def test_errors_say_what_is_wrong(inputs, tmp_path: Path) -> None:
    readings, clips, summary = inputs
    with pytest.raises(UserError, match="missing: log_odds"):
        write(tmp_path / "g", (readings.drop(columns="log_odds"), clips, summary))
    with pytest.raises(UserError, match="missing: shape"):
        write(tmp_path / "g", (readings.drop(columns="shape"), clips, summary))
    with pytest.raises(UserError, match="at least one row"):
        write(tmp_path / "g", (readings[:0], clips, summary))
    with pytest.raises(UserError, match="no concept named day_night"):
        write_gallery(tmp_path / "g", readings, clips, CONCEPTS[:2], summary)
    with pytest.raises(UserError, match=r"'seed': 2.*generate the clips again"):
        write(tmp_path / "g", inputs, seeds=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("caption", "parts", "pair"),
    [
        ("a ball, at night, on grass", ["a ball, ", ", on grass"], ["at night", "by day"]),
        ("At night a ball rolls", ["", " a ball rolls"], ["At night", "By day"]),
        ("a ball rolls by day.", ["a ball rolls ", "."], ["at night", "by day"]),
        ("a ball rolls", ["a ball rolls"], []),
        ("at night, at night", ["at night, at night"], []),
        ("at night, at night, by day", ["at night, at night, by day"], []),
    ],
)
def test_a_caption_is_cut_at_its_word(
    caption: str, parts: list[str], pair: list[str], inputs, tmp_path: Path
) -> None:
    """Words may be phrases, commas may follow them, and a caption in which it is not clear what is
    changed stays whole.
    """
    readings, clips, summary = inputs
    night = Concept("red_blue", "scene", "at night", "by day", "when is it ?")
    rows = readings[readings["concept"] == "red_blue"].assign(caption=caption)
    write_gallery(tmp_path / "g", rows, clips, [night], summary, seeds=1)
    [run, *_] = data_of(tmp_path / "g")["sweeps"][0]["runs"]
    assert (run["caption"], run["pair"]) == (parts, pair)


def test_warns_of_a_concept_that_was_not_fitted(inputs, browser, tmp_path: Path) -> None:
    generator, vlm = inputs[0].loc[0, ["generator", "vlm"]]
    failed = {(generator, vlm, "slowly_quickly"): "separation 0.01 (at least <b>0.2</b>)"}
    write(tmp_path / "g", inputs, failed=failed)
    opened = Page(browser, tmp_path / "g").open()
    shown = "const note = document.getElementById('failed'); return note.hidden || note.textContent"
    assert opened.run(shown) is True
    opened.run("choose({concept: 'slowly_quickly'})")
    assert opened.run(shown).startswith(
        "This concept was not fitted (separation 0.01 (at least <b>0.2</b>)): its clips"
    )


def test_clips_left_out_are_told_and_listed(inputs, browser, tmp_path: Path) -> None:
    readings, clips, summary = inputs
    lost = [("day1/a.mp4", "truncated"), ("<b>b</b>.mp4", "the file is empty")]
    left_out = LeftOut(lost, 24)
    write_gallery(tmp_path / "g", readings, clips, CONCEPTS, summary, seeds=2, left_out=left_out)
    opened = Page(browser, tmp_path / "g").open()
    assert opened.texts("#left-out summary") == [
        "2 of 24 clips were left out because they could not be read."
    ]
    opened.run("document.getElementById('left-out').open = true")
    assert opened.texts("#left-out li") == [f"{clip}: {reason}" for clip, reason in lost]


def test_a_page_of_all_clips_lists_none(opened: Page) -> None:
    assert opened.run("return document.getElementById('left-out').hidden")


def data_of(folder: Path) -> dict:
    """What the page holds."""
    text = (folder / "index.html").read_text()
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    """Readings of two clips by the shipped models, as the pipeline makes and stores them, and the
    page of them. The coupling has learnt nothing, and the vector is the difference of two
    captions.
    """
    folder, cpu, concept = tmp_path_factory.mktemp("real"), torch.device("cpu"), CONCEPTS[0]
    shape = {"frames": 17, "height": 64, "width": 64, "fps": 8, "max_tokens": 16}
    generator = load_generator({"adapter": "wan", "path": str(MODELS / "generator"), **shape}, cpu)
    vlm = load_vlm(
        {"adapter": "qwen_vl", "path": str(MODELS / "vlms/qwen2_vl")}, generator.video_shape, cpu
    )
    coupling = Coupling(generator.latent_shape, generator.condition_shape, vlm.tokens_shape).eval()
    pair = concept.pair("a large red circle moves slowly left on grass during the day")
    minus, plus = generator.encode_text(list(pair)).embeddings
    bank = ConceptBank({concept.name: plus - minus})
    made = folder / "generated"
    write_concept(
        made, concept, [pair], generator, bank, (0.0, 1.0), ["transporter"], Sampling(4, 2.0)
    )
    probes = MICROWORLD.probes(MODELS / "probes")
    read = read_concept(
        Generated.load(made), concept, Reader(generator, vlm, coupling), bank, probes
    )
    write_table(label(read, concept, "microworld", "qwen2_vl"), folder / "readings.tsv")
    readings = read_table(folder / "readings.tsv", ("concept",))
    clips = {
        Clip(row.generator, row.vlm, row.concept, row.method, row.seed, row.phi): made / row.clip
        for row in readings.itertuples()
    }
    write_gallery(folder / "page", readings, clips, [concept], summarise(readings), list(WORDS))
    return readings, folder / "page"


def test_what_the_probes_see_is_attributes_and_nothing_else(real, browser) -> None:
    readings, folder = real
    opened = Page(browser, folder)
    for phi, row in readings.set_index("phi").iterrows():
        opened.open(f"stop={phi}")
        seen = opened.run(
            "return [...document.querySelectorAll('[data-fact=\"Probes see\"] dd span')].map("
            "one => [one.dataset.attribute, one.textContent])"
        )
        assert seen == [[name, row[name]] for name in WORDS]
        assert opened.texts('[data-fact="Probes see"] dd') == [", ".join(row[list(WORDS)])]
        assert opened.texts('[data-fact="VLM says"] dd') == [row["caption_reencoded"]]
    # the words that differ from those of the first clip are marked, and no others
    first, last = (readings.iloc[k] for k in (0, 1))
    changed = [last[name] for name in WORDS if last[name] != first[name]]
    assert opened.texts("dd .changed") == changed


def test_a_column_that_is_no_attribute_is_not_on_the_page(real) -> None:
    readings, folder = real
    data = data_of(folder)
    assert data["attributes"] == list(WORDS)
    [run] = data["sweeps"][0]["runs"]
    known = {word for words in WORDS.values() for word in words}
    assert {word for words in run["words"] for word in words} <= known
    assert run["answers"] == readings["caption_reencoded"].tolist()


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
