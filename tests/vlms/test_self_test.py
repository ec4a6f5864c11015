"""`transporter check-model` on folders in the hub's layout: what is right passes, and what is wrong
is found.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from transporter.cli import main
from transporter.pipeline.loading import load_vlm
from transporter.support.self_test import findings
from transporter.vlms.internvl import InternVL
from transporter.vlms.self_test import vlm_checks

SHAPE = (5, 3, 40, 96)
CLIP = "5x40x96"
Published = Callable[[str], Path]


def test_a_whole_model_passes(published: Published, capfd: pytest.CaptureFixture[str]) -> None:
    folder = published("qwen3_vl")
    with pytest.raises(SystemExit) as ended:
        main(["check-model", str(folder), "--clip", CLIP, "--frames", "4"])
    said = capfd.readouterr()
    assert ended.value.code == 0, said.err
    first, _, *rows = said.out.strip().splitlines()
    assert first == f"{folder}: this folder is a qwen3_vl: use adapter qwen3_vl"
    assert [row.split("  ")[0].strip() for row in rows] == [
        "loads",
        "tokens",
        "batches",
        "gradients",
        "forward pass",
        "generate",
    ]
    # 2 steps of 1 x 3 cells, at three depths of 64
    assert "6 x 192 per clip, in 2 steps of time" in rows[1]
    assert "finite, in 4 of 5 frames" in rows[3]


class Swapped(InternVL):
    """Gives each of two clips the other's tokens."""

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return super().encode(video).flip(0)


class Detached(InternVL):
    """Lets no gradient through."""

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return super().encode(video).detach()


class Halved(InternVL):
    """Gives away tokens that are not those of the language model."""

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return super().encode(video) / 2


class Deaf(InternVL):
    """Answers whatever the clip."""

    def logits(self, tokens: torch.Tensor, prompt: str) -> torch.Tensor:
        return super().logits(tokens * 0, prompt)


@pytest.mark.parametrize(
    ("adapter", "failing"),
    [
        (InternVL, []),
        (Swapped, ["batches", "forward pass", "generate"]),
        (Detached, ["gradients"]),
        (Halved, ["forward pass", "generate"]),
        (Deaf, ["gradients", "forward pass"]),
    ],
)
def test_what_is_wrong_is_found(
    adapter: type[InternVL], failing: list[str], published: Published
) -> None:
    vlm = adapter(str(published("internvl")), SHAPE)
    found = list(findings(vlm_checks(vlm, SHAPE)))
    assert [one.check for one in found if not one.passed] == failing
    assert all("\n" not in one.words and len(one.words) < 200 for one in found)


def test_bfloat16_is_given_room(published: Published) -> None:
    settings = {"adapter": "internvl", "path": str(published("internvl")), "dtype": "bfloat16"}
    vlm = load_vlm(settings, SHAPE, torch.device("cpu"))
    assert all(one.passed for one in findings(vlm_checks(vlm, SHAPE)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--clip", "5x40"], "--clip: expected FRAMESxHEIGHTxWIDTH such as 17x240x416"),
        (["--clip", CLIP, "--frames", "6"], "--frames: expected from 1 to 5, got 6"),
        (["--dtype", "int8"], "--dtype: expected one of float32, bfloat16, float16, got 'int8'"),
        (["--fps", "0"], "--fps: expected frames per second, got 0"),
        (["--adapter", "qwen4"], "--adapter: expected module:Class or one of the installed vlms"),
        (["--adapter", "qwen_vl"], "this folder is a internvl: use adapter internvl"),
        (["--adapter", "wan"], "model_index.json: expected a file of JSON, got: No such file"),
    ],
)
def test_bad_words_are_refused_in_one_line(
    options: list[str],
    message: str,
    published: Published,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check-model", str(published("internvl")), *options])
    assert ended.value.code == 2
    assert message in capfd.readouterr().err.splitlines()[-1]


def test_a_family_of_no_adapter(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "internvl_chat"}')
    with pytest.raises(SystemExit):
        main(["check-model", str(tmp_path)])
    said = capfd.readouterr().err.splitlines()[-1]
    assert f"{tmp_path}: this folder is a internvl_chat: no adapter here loads it" in said
