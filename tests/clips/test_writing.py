"""Clips keep their pictures and their bytes, and a clip that cannot be read says why."""

import os
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from microworld.attributes import draw_attributes
from microworld.renderer import draw_layout, render
from transporter.clips.fit import resize_and_crop
from transporter.clips.reading import read_video
from transporter.clips.refusals import VideoError
from transporter.clips.writing import write_video
from transporter.support.errors import UserError


def psnr(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(-10 * torch.log10((one - other).square().mean()))


def microworld_clip(seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    attributes = draw_attributes(rng)
    return (
        torch.from_numpy(render(attributes, draw_layout(attributes, rng))[0])
        .permute(0, 3, 1, 2)
        .float()
        / 255
    )


def smooth_clip(frames: int = 17, height: int = 64, width: int = 64) -> torch.Tensor:
    """A gradient that drifts, without the sharp colour edges that 4:2:0 blurs."""
    t, y, x = torch.meshgrid(
        *(torch.linspace(0, 1, size) for size in (frames, height, width)), indexing="ij"
    )
    return torch.stack([(x + t) / 2, (y + t) / 2, (x + y) / 2], 1)


@pytest.mark.parametrize("seed", range(4))
def test_a_round_trip_keeps_the_picture(tmp_path: Path, seed: int) -> None:
    video = microworld_clip(seed)
    write_video(tmp_path / "clip.mp4", video, 8)
    back = read_video(tmp_path / "clip.mp4", 17, 64, 64)
    assert (back.shape, back.dtype) == (video.shape, torch.float32)
    assert back.min() >= 0 and back.max() <= 1
    assert psnr(video, back) > 27
    # what is lost is colour resolution: brightness alone comes back far closer
    assert psnr(video.mean(1).nan_to_num(), back.mean(1)) > 31


def test_smooth_pictures_return_almost_exactly(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", smooth_clip(), 8)
    assert psnr(smooth_clip(), read_video(tmp_path / "clip.mp4", 17, 64, 64)) > 40


@pytest.mark.parametrize(
    "colour", [(0, 0, 0), (1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.5, 0.5)]
)
def test_plain_colours_return(tmp_path: Path, colour: tuple[float, float, float]) -> None:
    video = torch.tensor(colour).view(1, 3, 1, 1).expand(5, 3, 32, 32)
    write_video(tmp_path / "clip.mp4", video, 8)
    assert (read_video(tmp_path / "clip.mp4", 5, 32, 32) - video).abs().max() < 0.02


def test_equal_videos_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one.mp4", "other.mp4"):
        write_video(tmp_path / name, microworld_clip(0), 8)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "other.mp4").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.mp4", "other.mp4"]


def test_the_file_is_what_browsers_play(tmp_path: Path) -> None:
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


def test_values_beyond_the_range_are_clipped(tmp_path: Path) -> None:
    write_video(tmp_path / "one.mp4", smooth_clip() * 3 - 1, 8)
    write_video(tmp_path / "other.mp4", (smooth_clip() * 3 - 1).clamp(0, 1), 8)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "other.mp4").read_bytes()


def test_frames_are_evenly_spaced_from_first_to_last(tmp_path: Path) -> None:
    levels = torch.linspace(0.1, 0.9, 33)
    write_video(tmp_path / "clip.mp4", levels.view(33, 1, 1, 1).expand(33, 3, 32, 32), 8)
    found = read_video(tmp_path / "clip.mp4", 5, 32, 32).mean((1, 2, 3))
    torch.testing.assert_close(found, levels[::8], atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("height", "width"), [(64, 64), (32, 32), (40, 20), (20, 40), (96, 96), (33, 47), (1, 1)]
)
def test_every_size_can_be_had(tmp_path: Path, height: int, width: int) -> None:
    write_video(tmp_path / "clip.mp4", smooth_clip(5, 48, 80), 8)
    assert read_video(tmp_path / "clip.mp4", 5, height, width).shape == (5, 3, height, width)


def test_the_crop_is_central_and_keeps_proportions() -> None:
    wide = torch.zeros(1, 3, 40, 80)
    wide[..., 20:60] = 1  # the middle square
    assert resize_and_crop(wide, 40, 40).min() == 1
    assert resize_and_crop(wide, 20, 20)[..., 2:-2].min() == 1
    assert resize_and_crop(wide.mT, 40, 40).min() == 1
    assert resize_and_crop(wide, 40, 80) is wide or torch.equal(resize_and_crop(wide, 40, 80), wide)


def damaged(name: str, folder: Path) -> Path:
    """A file that is no sound clip."""
    path = folder / f"{name}.mp4"
    if name == "folder":
        path.mkdir()
    elif name == "sound":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=8000)
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
            )
            frame.sample_rate = 8000
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
    elif name != "missing":
        write_video(path, microworld_clip(0), 8)
        whole = path.read_bytes()
        path.write_bytes(
            {
                "empty": b"",
                "text": b"no video at all",
                "half": whole[: len(whole) // 2],
                "head": whole[:100],
            }[name]
        )
    return path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "found no such file"),
        ("folder", "found no such file"),
        ("empty", "the file is empty"),
        ("text", "cannot be decoded"),
        ("half", "truncated, it holds 5 of the 17 frames"),
        ("head", "cannot be decoded"),
        ("sound", "cannot be decoded"),
    ],
)
def test_a_damaged_clip_says_why(tmp_path: Path, name: str, reason: str) -> None:
    path = damaged(name, tmp_path)
    with pytest.raises(VideoError, match=reason) as caught:
        read_video(path, 17, 64, 64)
    assert isinstance(caught.value, UserError)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < len(str(path)) + 250


def test_a_container_that_ends_early_is_truncated(tmp_path: Path) -> None:
    """An AVI without its second half still decodes, up to there."""
    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(40):
            noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode())
    assert read_video(path, 17, 64, 64).shape == (17, 3, 64, 64)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(
        VideoError, match=r"truncated, it holds .* that it declares|cannot be decoded"
    ):
        read_video(path, 5, 64, 64)


def test_a_clip_with_too_few_frames_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", smooth_clip(9), 8)
    with pytest.raises(VideoError, match=r"clip\.mp4: expected at least 17 frames, got 9"):
        read_video(tmp_path / "clip.mp4", 17, 64, 64)


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


def real_clips() -> list[Path]:
    folder = os.environ.get("TRANSPORTER_REFERENCE")
    return sorted((Path(folder) / "clips").glob("*.mp4")) if folder else []


@pytest.mark.skipif(
    "TRANSPORTER_REFERENCE" not in os.environ,
    reason="TRANSPORTER_REFERENCE names no folder of real clips (clips/*.mp4)",
)
def test_real_clips() -> None:
    clips = real_clips()
    assert clips, "TRANSPORTER_REFERENCE holds no clips/*.mp4"
    for path in clips:
        video = read_video(path, 9, 64, 96)
        assert video.shape == (9, 3, 64, 96), path.name
        assert 0.02 < video.mean() < 0.98 and video.std() > 0.02, path.name


@pytest.mark.skipif(
    "TRANSPORTER_REFERENCE" not in os.environ,
    reason="TRANSPORTER_REFERENCE names no folder of real clips (clips/*.mp4)",
)
def test_a_real_clip_survives_writing_and_not_truncation(tmp_path: Path) -> None:
    smallest = min(real_clips(), key=lambda path: path.stat().st_size)
    video = read_video(smallest, 17, 128, 128)
    write_video(tmp_path / "clip.mp4", video, 8)
    assert psnr(video, read_video(tmp_path / "clip.mp4", 17, 128, 128)) > 30
    (tmp_path / "half.mp4").write_bytes(smallest.read_bytes()[: smallest.stat().st_size // 2])
    with pytest.raises(VideoError, match=r"half\.mp4"):
        read_video(tmp_path / "half.mp4", 17, 128, 128)
