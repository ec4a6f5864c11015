"""Made-up readings for the gallery, each clip in a colour of its own, and its page as a person
sees it.
"""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.image import imread

from transporter.clips.contrast import Concept
from transporter.figures.gallery import Origin, write_gallery

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


def write(folder: Path, inputs: tuple, **options: object) -> Path:
    """The page of the made-up readings."""
    readings, clips, summary = inputs
    options = {"seeds": SHOWN, "timeless": TIMELESS, "origin": ORIGIN, **options}
    write_gallery(folder, readings, clips, CONCEPTS, summary, ["shape"], **options)
    return folder


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


def data_of(folder: Path) -> dict:
    """What the page holds."""
    text = (folder / "index.html").read_text()
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
