"""The command line in the hub's shape, after the default target: each verb ends with what it says,
or with one line where an untrained model cannot serve.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hub_project import CONCEPT, CONFIG, FILES, VLM
from pipeline import transporter

from transporter.clips.reading import read_video

CLIP = "my_clips/clips/screen.mp4"
# every word that the table of concepts knows costs a swap
CAPTION = "it moves slowly on a screen"
SIZE = (9, 32, 48)
CHECKED = ("--clip", "9x32x48", "--dtype", "bfloat16")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(finished: Path) -> Run:
    """A command that ends well."""

    def call(*words: str) -> str:
        done = transporter(finished, *words)
        assert done.returncode == 0, done.stdout
        return done.stdout

    return call


@pytest.fixture
def refused(finished: Path) -> Callable[..., str]:
    """What a command that is refused says, in one line below the libraries' bars."""

    def call(*words: str) -> str:
        done = transporter(finished, *words, *FILES)
        assert done.returncode == 2, done.stdout
        assert "Traceback" not in done.stdout
        line = done.stdout.splitlines()[-1]
        assert line.startswith("transporter: ")
        return line.removeprefix("transporter: ")

    return call


def test_settings_and_concepts(run: Run) -> None:
    assert yaml.safe_load(run("config", CONFIG))["run"]["vlms"] == [VLM]
    lines = run("concepts", *FILES).splitlines()
    banks = {line.split()[0]: line.split()[-1] for line in lines if line.strip()}
    assert (banks[CONCEPT], banks["day_night"]) == ("yes", "no")


def test_a_plan(run: Run) -> None:
    """Of the two concepts that the settings name."""
    said = run("plan", "--memory", "24GB", *FILES)
    jobs = dict(re.findall(rf"wan, {VLM} +(\w+) +(\d+) +\d+ .*fits", said))
    assert (jobs["generation"], jobs["inversion"]) == ("2", "4")


def test_models_are_checked(run: Run, hub: Path) -> None:
    for name, options, adapter in ((VLM, ("--frames", "8"), "qwen_vl"), ("wan", (), "wan")):
        said = run("check-model", str(hub / name), *CHECKED, *options)
        assert f": use adapter {adapter}\n" in said
        assert "FAILS" not in said and " gradients " in said


def test_a_video_is_generated(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "video.mp4"
    options = ("--concept", f"{CONCEPT}=1", "--where", "map", "--out", str(out))
    assert f"wrote {out}\n" in run("generate", CAPTION, *options, *FILES)
    assert read_video(out, *SIZE).std() > 0


def test_a_clip_is_asked_about(run: Run, tmp_path: Path) -> None:
    """What is discovered, located and explained are words of the caption."""
    asked = ("--caption", CAPTION, *FILES)
    said = run("discover", CLIP, "--question", "how fast does it move ?", *asked)
    assert re.search(r"^how fast does it move \? (slowly|quickly)$", said, re.MULTILINE)
    assert re.search(r" slowly +quickly +-?\d", said)
    located = tmp_path / "located"
    said = run("locate", CLIP, "--word", "slowly", "--out", str(located), *asked)
    assert "slowly goes from " in said
    names = {"maps.safetensors", "index.tsv", "overlay.mp4"}
    assert {path.name for path in located.iterdir()} == names
    explained = tmp_path / "explained"
    options = ("--concept", CONCEPT, "--phi", "0", "--phi", "1", "--out", str(explained))
    assert f"wrote {explained / 'page.html'}" in run("explain", CLIP, *options, *asked)
    readings = pd.read_csv(explained / "readings.tsv", sep="\t")
    assert readings["log_odds"].nunique() == len(readings) == 2


def test_what_an_untrained_model_says_serves_for_no_caption(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    """Nor does a concept without captions have a vector, or a text a video."""
    out = ("--out", str(tmp_path / "out"))
    line = refused("explain", CLIP, "--concept", CONCEPT, *out)
    assert line.startswith("caption: expected one that holds 'quickly' or 'slowly', got ")
    line = refused("generate", CAPTION, "--concept", "day_night=1")
    assert line == f"--concept: expected one of {CONCEPT}, got 'day_night'"
    assert not (tmp_path / "out").exists()
