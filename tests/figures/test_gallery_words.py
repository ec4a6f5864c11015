"""What the gallery page says, driven in headless Chromium as a person would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gallery_pages import (
    CAPTION,
    CONCEPTS,
    EVIL,
    METHODS,
    PHIS,
    SEEDS,
    Page,
    write,
)

from transporter.figures.gallery import LeftOut, write_gallery


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


def test_fits_a_phone(opened: Page, size) -> None:
    size(375, 740, mobile=True)
    opened.open()
    assert opened.run("return document.documentElement.scrollWidth") <= 375
    opened.shows(concept="red_blue", method="transporter", phi=0)


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


def test_captions_of_seeds_keep_their_spaces(opened: Page) -> None:
    screen = opened.browser.find_element("css selector", ".screen")
    assert screen.accessible_name == f"Seed 0: {CAPTION}. Choose this seed."
    assert opened.texts("#seed option")[0] == f"0: {CAPTION}"


def test_a_rank_correlation_without_hits_is_grey(opened: Page) -> None:
    moot = "return [...document.querySelectorAll('#summary td.moot')].map(c => c.dataset.column)"
    assert opened.run(moot) == ["random spearman"] * len(CONCEPTS)
    opened.run("choose({generator: 'other'})")
    assert opened.run(moot) == []  # no probes, no hits to miss


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
