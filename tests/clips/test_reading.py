"""Odd files, each made here, against a plain decode of all that they show: the right frames at the
right times, or one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import encoded
import numpy as np
import pytest
import torch
from encoded import (
    ALL,
    FILES,
    MARKED,
    RATE,
    SIZE,
    X264,
    bare,
    brightness,
    cut,
    drifting_frames,
    encode,
    levels,
    reference,
)

import transporter.clips.av_decoder
import transporter.clips.decord_decoder
from transporter.clips.reading import read_clip, read_video
from transporter.clips.refusals import VideoError
from transporter.clips.window import Window
from transporter.clips.writing import write_video

Clip = Callable[..., torch.Tensor]


@pytest.mark.parametrize("window", [Window(), Window(0.55), Window(0.3, 1.5)])
@pytest.mark.parametrize("name", FILES)
def test_frames_are_those_that_a_player_shows(tmp_path: Path, name: str, window: Window) -> None:
    if MARKED.get(name, "libx264") not in av.codecs_available:
        pytest.skip(f"this PyAV has no encoder {MARKED[name]}")
    path = FILES[name](tmp_path / name)
    clip = read_clip(path, SIZE, 8, window)
    times, bright = reference(path)
    step = 1 / 8 if window.seconds is None else window.seconds / 9
    chosen = [
        np.flatnonzero(times <= window.start + number * step + 6e-4)[-1] for number in range(9)
    ]
    np.testing.assert_allclose(clip.times, times[chosen], atol=2e-3)
    np.testing.assert_allclose(brightness(clip.video), bright[chosen], atol=1.5)


def test_a_cut_without_encoding_shows_what_is_left(tmp_path: Path) -> None:
    """An edit list hides the frames from the key frame to the cut; a decoder of packets alone
    shows them.
    """
    path = encode(tmp_path / "cut.mp4", "libx264", bf="2", g="40", sc_threshold="0", crf="5")
    cut(path, 15)
    with av.open(str(path)) as container:
        assert sum(packet.is_discard for packet in container.demux(video=0)) > 10
    clip = read_clip(path, SIZE, RATE)
    np.testing.assert_allclose(clip.times, np.arange(9) / RATE, atol=1e-3)
    np.testing.assert_allclose(brightness(clip.video), levels()[15:24], atol=2)
    assert clip.reader == "av"


@pytest.mark.parametrize("name", ["bare.h264", "bare.mp4", "without.avi"])
def test_frames_without_time_stamps_are_in_the_decoders_order(tmp_path: Path, name: str) -> None:
    if name == "without.avi":
        path = encode(tmp_path / name, "libx264", **X264)
    else:
        path = bare(encode(tmp_path / "whole.ts", "libx264", **X264), tmp_path / name)
    clip = read_clip(path, SIZE, RATE)
    np.testing.assert_allclose(clip.times, np.arange(9) / RATE, atol=1e-3)
    np.testing.assert_allclose(brightness(clip.video), levels()[:9], atol=2)


def test_streams_one_after_another_are_refused(tmp_path: Path) -> None:
    one = encode(tmp_path / "one.ts", "libx264", **X264)
    (tmp_path / "two.ts").write_bytes(one.read_bytes() * 2)
    with pytest.raises(VideoError, match="expected a time at which to show each frame"):
        read_clip(tmp_path / "two.ts", SIZE, 8, ALL)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_clip_is_turned_upright(tmp_path: Path, degrees: int) -> None:
    path = encode(
        tmp_path / "turned.mp4",
        "libx264",
        change=lambda stream: stream.set_display_rotation(degrees),
        **X264,
    )
    dark = read_clip(path, (9, 64, 64), 8, fit="stretch").video[0, 0] < 0.05
    halves = torch.tensor([[dark[:28, :28].all(), dark[:28, 36:].all()]] * 2)
    halves[1] = torch.tensor([dark[36:, :28].all(), dark[36:, 36:].all()])
    upper_left = torch.tensor([[True, False], [False, False]])
    assert torch.equal(halves, torch.rot90(upper_left, degrees // 90))


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    def wide(stream: av.video.stream.VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(2)

    path = encode(tmp_path / "wide.mp4", "libx264", change=wide, **X264)
    padded = read_clip(path, (9, 64, 64), 8, fit="pad").video[0, 0]
    # 128 x 48 as it is shown: 24 rows of 64
    assert int((padded[:, 40] > 0.05).sum()) == 24


LONG = {
    "closed.mp4": ("libx264", {"bf": "3", "g": "50", "crf": "5"}),
    "open.mkv": ("libx264", {"x264-params": "open-gop=1:bframes=3:keyint=50:min-keyint=50"}),
    "refreshed.mp4": ("libx264", {"x264-params": "intra-refresh=1:keyint=50:bframes=0"}),
    "open.ts": ("mpeg2video", {"bf": "2", "g": "50"}),
    "vp9.webm": ("libvpx-vp9", {"g": "50"}),
}


@pytest.mark.parametrize("name", LONG)
def test_seeking_changes_no_picture(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec, options = LONG[name]
    monkeypatch.setattr(encoded, "frames", drifting_frames)
    path = encode(tmp_path / name, codec, count=300, **options)
    decoded_frames: list[int] = []
    count_frames(monkeypatch, decoded_frames)
    monkeypatch.setattr(transporter.clips.decord_decoder, "decord", None)
    windows = [Window(25.3), Window(12.05, 2), Window(1, "all")]
    by_seeking = [read_clip(path, SIZE, 8, window) for window in windows]
    seen = len(decoded_frames)
    monkeypatch.setattr(transporter.clips.av_decoder, "WORTH_SEEKING", 10_000)
    one_by_one = [read_clip(path, SIZE, 8, window) for window in windows]
    for seeking, whole in zip(by_seeking, one_by_one, strict=True):
        assert torch.equal(seeking.video, whole.video)
        assert seeking.times.tolist() == whole.times.tolist()
    # a picture that is refreshed bit by bit has no frame to begin from
    assert name == "refreshed.mp4" or seen < 0.8 * (len(decoded_frames) - seen)


def count_frames(monkeypatch: pytest.MonkeyPatch, seen: list[int]) -> None:
    """Note every frame that PyAV decodes for pictures."""
    plain = transporter.clips.av_decoder.decoded

    def noted(*arguments: object) -> Iterator[av.VideoFrame]:
        for frame in plain(*arguments):
            seen.append(1)
            yield frame

    monkeypatch.setattr(transporter.clips.av_decoder, "decoded", noted)


@pytest.mark.parametrize("seed", range(3))
def test_both_readers_give_the_same_to_the_last_bit(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("decord")
    noise = torch.rand(17, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
    write_video(tmp_path / "clip.mp4", noise, 8)
    by_decord = read_clip(tmp_path / "clip.mp4", (17, 64, 64), 8)
    monkeypatch.setattr(transporter.clips.decord_decoder, "decord", None)
    by_av = read_clip(tmp_path / "clip.mp4", (17, 64, 64), 8)
    assert (by_decord.reader, by_av.reader) == ("decord", "av")
    assert torch.equal(by_decord.video, by_av.video)
    assert by_av.times.tolist() == [number / 8 for number in range(17)]
    assert by_av.seconds == 17 / 8


def test_frames_are_evenly_spaced_from_first_to_last(tmp_path: Path) -> None:
    levels = torch.linspace(0.1, 0.9, 33)
    write_video(tmp_path / "clip.mp4", levels.view(33, 1, 1, 1).expand(33, 3, 32, 32), 8)
    found = read_video(tmp_path / "clip.mp4", 5, 32, 32).mean((1, 2, 3))
    torch.testing.assert_close(found, levels[::8], atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("height", "width"), [(64, 64), (32, 32), (40, 20), (20, 40), (96, 96), (33, 47), (1, 1)]
)
def test_every_size_can_be_had(tmp_path: Path, smooth_clip: Clip, height: int, width: int) -> None:
    write_video(tmp_path / "clip.mp4", smooth_clip(5, 48, 80), 8)
    assert read_video(tmp_path / "clip.mp4", 5, height, width).shape == (5, 3, height, width)


def test_real_clips(real_clips: list[Path]) -> None:
    for path in real_clips:
        video = read_video(path, 9, 64, 96)
        assert video.shape == (9, 3, 64, 96), path.name
        assert 0.02 < video.mean() < 0.98 and video.std() > 0.02, path.name
