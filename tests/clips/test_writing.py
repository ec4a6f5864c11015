"""Clips keep their pictures and their bytes, and what cannot be written is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest
import torch

from transporter.clips.reading import read_video
from transporter.clips.refusals import VideoError
from transporter.clips.writing import write_video

Clip = Callable[..., torch.Tensor]


def psnr(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(-10 * torch.log10((one - other).square().mean()))


@pytest.mark.parametrize("seed", range(4))
def test_a_round_trip_keeps_the_picture(tmp_path: Path, microworld_clip: Clip, seed: int) -> None:
    video = microworld_clip(seed)
    write_video(tmp_path / "clip.mp4", video, 8)
    back = read_video(tmp_path / "clip.mp4", 17, 64, 64)
    assert (back.shape, back.dtype) == (video.shape, torch.float32)
    assert back.min() >= 0 and back.max() <= 1
    assert psnr(video, back) > 27
    # what is lost is colour resolution: brightness alone comes back far closer
    assert psnr(video.mean(1).nan_to_num(), back.mean(1)) > 31


def test_smooth_pictures_return_almost_exactly(tmp_path: Path, smooth_clip: Clip) -> None:
    write_video(tmp_path / "clip.mp4", smooth_clip(), 8)
    assert psnr(smooth_clip(), read_video(tmp_path / "clip.mp4", 17, 64, 64)) > 40


@pytest.mark.parametrize(
    "colour", [(0, 0, 0), (1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.5, 0.5)]
)
def test_plain_colours_return(tmp_path: Path, colour: tuple[float, float, float]) -> None:
    video = torch.tensor(colour).view(1, 3, 1, 1).expand(5, 3, 32, 32)
    write_video(tmp_path / "clip.mp4", video, 8)
    assert (read_video(tmp_path / "clip.mp4", 5, 32, 32) - video).abs().max() < 0.02


def test_equal_videos_give_equal_bytes(tmp_path: Path, microworld_clip: Clip) -> None:
    for name in ("one.mp4", "other.mp4"):
        write_video(tmp_path / name, microworld_clip(0), 8)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "other.mp4").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.mp4", "other.mp4"]


def test_the_file_is_what_browsers_play(tmp_path: Path, smooth_clip: Clip) -> None:
    write_video(tmp_path / "clip.mp4", smooth_clip(height=48, width=80), 12.5)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.frames, float(stream.average_rate)) == (
            80,
            48,
            17,
            12.5,
        )
    head = (tmp_path / "clip.mp4").read_bytes()
    assert head.index(b"moov") < head.index(b"mdat")


def test_values_beyond_the_range_are_clipped(tmp_path: Path, smooth_clip: Clip) -> None:
    write_video(tmp_path / "one.mp4", smooth_clip() * 3 - 1, 8)
    write_video(tmp_path / "other.mp4", (smooth_clip() * 3 - 1).clamp(0, 1), 8)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "other.mp4").read_bytes()


@pytest.mark.parametrize(
    "shape", [(5, 3, 63, 64), (5, 3, 64, 63), (5, 1, 64, 64), (0, 3, 64, 64), (3, 64, 64)]
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(
        VideoError,
        match=r"clip\.mp4: expected a video \(T, 3, H, W\) of even height and width to write, got",
    ):
        write_video(tmp_path / "clip.mp4", torch.zeros(shape), 8)
    assert not list(tmp_path.iterdir())


def test_a_real_clip_survives_writing_and_not_truncation(
    tmp_path: Path, real_clips: list[Path]
) -> None:
    smallest = min(real_clips, key=lambda path: path.stat().st_size)
    video = read_video(smallest, 17, 128, 128)
    write_video(tmp_path / "clip.mp4", video, 8)
    assert psnr(video, read_video(tmp_path / "clip.mp4", 17, 128, 128)) > 30
    (tmp_path / "half.mp4").write_bytes(smallest.read_bytes()[: smallest.stat().st_size // 2])
    with pytest.raises(VideoError, match=r"half\.mp4"):
        read_video(tmp_path / "half.mp4", 17, 128, 128)
