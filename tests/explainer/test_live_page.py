"""`transporter serve` under stand-ins of known behaviour (`greys`), driven in headless Chromium;
skipped aloud without Gradio (`make serve` brings it).
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from greys import LIGHT, GreysExplainer, grey

from transporter.cli import main
from transporter.clips.writing import write_video
from transporter.commands import serving
from transporter.explainer import explainer

ROOT = Path(__file__).parents[2]
EXTRA = ROOT / ".venv" / "serve"
"""Where `make serve` puts Gradio."""
PATIENCE = 120


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a dark clip that later gets bright, and beside it a file that nobody may
    read.
    """
    folder = tmp_path_factory.mktemp("clips")
    write_video(folder / "dark.mp4", torch.cat([grey(0.2), grey(0.8)]), 8)
    (folder / "secret.txt").write_text("a secret")
    return folder


@pytest.fixture(scope="module")
def address(clips: Path) -> Iterator[str]:
    """Of the page of stand-ins, which the verb itself serves from a thread."""
    with pytest.MonkeyPatch.context() as patch:
        if find_spec("gradio") is None and EXTRA.is_dir():
            patch.setattr(sys, "path", [*sys.path, str(EXTRA)])
        if find_spec("gradio") is None:
            pytest.skip("the live explorer's page is not tested: no Gradio; `make serve` brings it")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        patch.setenv("GRADIO_ALLOWED_PATHS", str(clips))  # neither may count
        patch.setenv("GRADIO_SHARE", "True")
        served, over = threading.Event(), threading.Event()
        patch.setattr(serving, "_wait", lambda: (served.set(), over.wait()))
        patch.setattr(explainer.Explainer, "from_pretrained", lambda *settings: GreysExplainer())
        arguments = {"clips": clips, "host": "127.0.0.1", "port": port, "quiet": True}
        thread = threading.Thread(target=serving.serve, kwargs=arguments, daemon=True)
        thread.start()
        assert served.wait(PATIENCE)
        uploads = Path(os.environ["GRADIO_TEMP_DIR"])
        assert uploads.stat().st_mode & 0o777 == 0o700
        yield f"http://127.0.0.1:{port}/"
        over.set()
        thread.join(PATIENCE)
        assert not uploads.exists()
        assert os.environ["GRADIO_ALLOWED_PATHS"] == str(clips)


def wait(browser: object, script: str) -> object:
    """What a script gives once it gives something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := browser.execute_script(script):
            return found
        time.sleep(0.2)
    raise AssertionError(f"{script}: nothing\n{browser.execute_script(SHOWN)}")


SHOWN = "return document.body.innerText"
FIELDS = "[...document.querySelectorAll('textarea, input')].map(o => o.value)"


def type_into(browser: object, label: str, *keys: str) -> object:
    """Into the field of a label, which it gives."""
    named = f"document.querySelector('[aria-label^=\"{label}\"]')"
    labelled = f"[...document.querySelectorAll('label')].find(o => o.innerText == '{label}')"
    field = wait(browser, f"return {named} || {labelled}?.querySelector('input, textarea')")
    field.send_keys(*keys)
    return field


def press(browser: object, name: str) -> None:
    browser.execute_script(
        "[...document.querySelectorAll('button')].find(o => o.innerText == arguments[0]).click()",
        name,
    )


def said(browser: object, words: str) -> str:
    """All that the page says once it says some words."""
    return wait(
        browser,
        f"const said = document.body.innerText; return said.includes({json.dumps(words)}) && said",
    )


def test_a_clip_is_picked_asked_about_and_edited(browser, address: str, clips: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser.get_log("browser"), browser.get_log("performance")
    browser.get(address)
    type_into(browser, "A clip", "dark", Keys.ENTER)
    said(browser, "dark.mp4: 0.00 to 0.62 s of 1.25 s, made to fit by crop")
    type_into(browser, "Question", LIGHT.question, Keys.ENTER, Keys.TAB)
    wait(browser, f"return {FIELDS}.includes('bright')")
    assert {"dark", "bright", "a dark room"} <= set(browser.execute_script(f"return {FIELDS}"))
    strength = type_into(browser, "number input for Strength", Keys.CONTROL, "a")
    strength.send_keys("0.25", Keys.TAB)
    press(browser, "Edit")
    text = said(browser, "strength 0.25")
    assert "The clip: dark 95%" in text
    assert "At strength 0.25: dark" in text
    videos = "return [...document.querySelectorAll('video')].map(o => [o.videoWidth, o.currentSrc])"
    found = browser.execute_script(videos)
    assert [width for width, _ in found] == [16] * 3
    assert all(source.startswith("data:video/mp4;base64,") for _, source in found)
    press(browser, "Least flip")
    assert "bright 5" in said(browser, "The least flip found.")
    _a_part_and_a_word(browser)
    _nothing_from_outside(browser, address)
    broken = clips / "broken.mp4"
    broken.write_text("no video")
    browser.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys(str(broken))
    text = said(browser, "broken.mp4:")
    assert "transporter-" not in text and str(clips) not in text


def _a_part_and_a_word(browser) -> None:
    """The second half of the clip is chosen and a word looked for in it."""
    from selenium.webdriver.common.keys import Keys

    start = type_into(browser, "From, in seconds", Keys.CONTROL, "a")
    start.send_keys("0.625", Keys.TAB)
    press(browser, "Read this part")
    said(browser, "dark.mp4: 0.62 to 1.25 s of 1.25 s")
    assert "The least flip found." not in browser.execute_script(SHOWN)
    type_into(browser, "A word", "room")
    press(browser, "Where is it")
    said(browser, "strongest in latent frame 4 of 5, 1.00 to 1.12 s")
    # the map, on the left, is the scale's bright end; the clip there is grey
    colours = wait(browser, LEFT_AND_RIGHT)
    assert colours[0][0] > colours[0][2] + 60
    assert max(colours[1]) - min(colours[1]) < 40
    press(browser, "Edit")
    assert "The clip: bright 95%" in said(browser, "strength 0.25")


LEFT_AND_RIGHT = """
const video = [...document.querySelectorAll('video')].find(one => one.videoWidth > 256);
if (!video || video.readyState < 2) return null;
const canvas = document.createElement('canvas');
canvas.width = video.videoWidth; canvas.height = video.videoHeight;
const pen = canvas.getContext('2d');
pen.drawImage(video, 0, 0);
return [20, 236].map(x => [...pen.getImageData(x, 128, 1, 1).data].slice(0, 3));
"""
"""Two colours of the clip under its map."""


def _nothing_from_outside(browser, address: str) -> None:
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert urls
    local = (address, "data:", "blob:", "about:")
    assert [url for url in urls if not url.startswith(local)] == []


def test_no_file_of_the_machine_is_served(address: str, clips: Path) -> None:
    for place in (
        clips / "secret.txt",
        clips / "dark.mp4",
        Path("/etc/passwd"),
        ROOT / "README.md",
    ):
        for route in ("gradio_api/file=", "file=", "gradio_api/stream/"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{address}{route}{place}")
            assert refused.value.code in (403, 404, 405)


@pytest.mark.parametrize("path", ["secret.txt", "http://example.com/clip.mp4"])
def test_an_upload_comes_from_the_visitor(address: str, clips: Path, path: str) -> None:
    """Neither from the machine nor from an address."""
    place = path if "://" in path else str(clips / path)
    config = json.loads(urllib.request.urlopen(f"{address}config").read())
    [fn] = [part["id"] for part in config["dependencies"] if part["targets"][0][1] == "upload"]
    file = {"path": place, "meta": {"_type": "gradio.FileData"}}
    body = {"data": [file], "fn_index": fn, "session_hash": path[:4]}
    request = urllib.request.Request(
        f"{address}gradio_api/queue/join?",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request)
    events = urllib.request.urlopen(f"{address}gradio_api/queue/data?session_hash={path[:4]}")
    lines = []
    for line in events:
        lines.append(line.decode())
        if "process_completed" in lines[-1]:
            break
    assert '"success":false' in lines[-1].replace(" ", "")
    assert "a secret" not in "".join(lines)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--clips", "nowhere"), "--clips: expected a folder, got nowhere"),
        (("--host", "192.0.2.1"), "expected a free port of this machine, got 192.0.2.1"),
    ],
)
def test_bad_arguments_are_refused_before_a_model_is_loaded(
    capsys, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], message: str
) -> None:
    monkeypatch.setattr("transporter.commands.serving.find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "transporter.explainer.explainer", None)
    with pytest.raises(SystemExit):
        main(["serve", *options])
    assert message in capsys.readouterr().err


def test_without_gradio_it_says_how_to_get_it(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transporter.commands.serving.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as end:
        main(["serve"])
    assert end.value.code == 2
    assert "`make serve` brings it" in capsys.readouterr().err
