"""The command line: what it refuses, in one line; `generate` with a real bank is part of the
workflow's tests.
"""

from __future__ import annotations

import subprocess
import sys

import pytest


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from transporter.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--concept", "slowly_quickly"],
            "--concept: expected NAME=PHI such as slowly_quickly=0.5, got 'slowly_quickly'",
        ),
        (["--concept", "slowly_quickly=much"], "--concept: expected a number, got 'much'"),
        (["--steps", "0.5"], "--steps: expected FIRST:LAST such as 0.5:1, got '0.5'"),
        (["--frames", "1:0"], "--frames: expected 0 <= FIRST < LAST <= 1, got '1:0'"),
    ],
)
def test_generate_refuses_in_one_line(options: list[str], message: str) -> None:
    result = _run("generate", "a red circle", *options)
    assert result.returncode == 2
    assert result.stderr.strip() == f"transporter: {message}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--vlm", "other"], "--vlm: expected one of qwen2_vl, video_llama3, gemma3, got 'other'"),
        (
            ["--weights", "nowhere"],
            "--weights: expected a model's folder, got nowhere, which is not there",
        ),
        ([], "clip.mp4: expected a video, found no such file"),
    ],
)
def test_discover_refuses_in_one_line(options: list[str], message: str) -> None:
    result = _run("discover", "clip.mp4", "--question", "how fast does it move ?", *options)
    assert result.returncode == 2
    assert result.stderr.strip().splitlines()[-1] == f"transporter: {message}"
