"""Odd files, each made here, against a plain decode of all that they show: the right frames at the
right times, or one line.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import transporter.clips.av_decoder
import transporter.clips.decord_decoder
from transporter.clips.reading import read_clip, read_video
from transporter.clips.refusals import VideoError
from transporter.clips.window import Window
from transporter.clips.writing import write_video
from transporter.support.errors import UserError

Clip = Callable[..., torch.Tensor]
COUNT, RATE, SIZE = 40, 10, (9, 48, 64)
ALL = Window(0, "all")


def levels(count: int = COUNT) -> np.ndarray:
    """How bright each frame is; no two alike."""
    return np.linspace(30, 220, count).round()


def frames(count: int = COUNT, height: int = 48, width: int = 64) -> Iterator[np.ndarray]:
    """Grey frames that tell their number, the upper left quarter of them black."""
    for level in levels(count):
        picture = np.full((height, width, 3), level, np.uint8)
        picture[: height // 2, : width // 2] = 0
        yield picture


def encode(
    path: Path,
    codec: str,
    times: Sequence[int] | None = None,
    pixels: str = "yuv420p",
    change: Callable[[av.video.stream.VideoStream], object] = lambda stream: None,
    count: int = COUNT,
    **options: str,
) -> Path:
    """A file of `count` `frames`, shown at `times` in units of 1 / RATE seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=options)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pixels
        stream.codec_context.time_base = Fraction(1, RATE)
        stream.codec_context.thread_count = 1
        change(stream)
        for number, picture in enumerate(frames(count)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = times[number] if times else number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def bare(path: Path, out: Path) -> Path:
    """The packets of a file alone, as a raw stream."""
    with av.open(str(path)) as source, av.open(str(out), "w", format="h264") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    return out


def cut(path: Path, number: int) -> None:
    """Let the edit list of an mp4 hide its first frames, as a cut without encoding does."""
    data = bytearray(path.read_bytes())
    entry = data.index(b"elst") + 12
    with av.open(str(path)) as container:
        unit = round(1 / (container.streams.video[0].time_base * RATE))
    duration, begin, rate = struct.unpack(">III", data[entry : entry + 12])
    shown = duration * (COUNT - number) // COUNT
    data[entry : entry + 12] = struct.pack(">III", shown, begin + number * unit, rate)
    path.write_bytes(data)


def brightness(video: torch.Tensor) -> np.ndarray:
    return (video[:, :, 30:, 40:].mean((1, 2, 3)) * 255).numpy()


def reference(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """When each frame is shown and how bright it is, by a decode of the whole file."""
    with av.open(str(path)) as container:
        shown = [
            (frame.time, frame.to_ndarray(format="rgb24")[30:, 40:].mean())
            for frame in container.decode(video=0)
        ]
    times, bright = np.array(shown, float).T
    return times - times[0], bright


X264 = {"bf": "3", "g": "12", "crf": "5"}
VARIABLE = [*range(20), *range(20, 220, 10)]
"""Two seconds at 10 a second, then one frame a second."""

FILES: dict[str, Callable[[Path], Path]] = {
    "constant.mp4": lambda path: encode(path, "libx264", **X264),
    "variable.mp4": lambda path: encode(path, "libx264", VARIABLE, **X264),
    "variable.mkv": lambda path: encode(path, "libx264", VARIABLE, **X264),
    "stream.ts": lambda path: encode(path, "libx264", **X264),
    "vp9.webm": lambda path: encode(path, "libvpx-vp9"),
    "av1.mp4": lambda path: encode(path, "libsvtav1", crf="10", preset="12"),
    "mpeg4.avi": lambda path: encode(path, "mpeg4", bf="2", qmin="1", qmax="2"),
    "animation.gif": lambda path: encode(path, "gif", pixels="rgb8"),
    "deep.mkv": lambda path: encode(path, "ffv1", pixels="yuv420p10le"),
}
MARKED = {"av1.mp4": "libsvtav1"}


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
    monkeypatch.setitem(globals(), "frames", drifting_frames)
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


def drifting_frames(count: int, height: int = 48, width: int = 64) -> Iterator[np.ndarray]:
    """Noise that drifts: a frame cannot be told without the one before it."""
    noise = np.random.default_rng(0).integers(0, 255, (2 * height, 2 * width, 3), np.uint8)
    for number in range(count):
        drifted = np.roll(noise, (number // 5, number // 3), (0, 1))
        yield np.ascontiguousarray(drifted[:height, :width])


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


@pytest.fixture
def server() -> Iterator[tuple[int, list[str]]]:
    """A port of this machine, and what was asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *parts: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield listening.server_port, asked
        listening.shutdown()


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{place}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{place}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet'
        ' mimeType="video/mp4"><Representation id="1"><BaseURL>{place}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    ),
}


@pytest.mark.parametrize("name", ["clip.mp4", "clip.m3u8", "clip.ffconcat", "clip.mpd"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_what_names_other_files_opens_none(
    tmp_path: Path, server: tuple[int, list[str]], kind: str, name: str
) -> None:
    port, asked = server
    secret = encode(tmp_path / "secret.ts", "libx264", **X264)
    for place in (f"http://127.0.0.1:{port}/leak.ts", secret.name, str(secret)):
        (tmp_path / name).write_text(PLAYLISTS[kind].format(place=place))
        with pytest.raises(VideoError, match=r"got a file of another kind|cannot be decoded"):
            read_clip(tmp_path / name, SIZE, 8)
    assert asked == []


@pytest.mark.parametrize("place", ["fifo", "folder", "/dev/zero", "null\0byte"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    if place == "fifo":
        os.mkfifo(path)
    elif place == "folder":
        path.mkdir()
    with pytest.raises(VideoError, match="found no such file"):
        read_clip(path, SIZE, 8)


@pytest.mark.parametrize("name", ["http:clip.mp4", "-i.mp4", "%03d.mp4", "a b'c\".mp4", "日本.mp4"])
def test_any_name_is_a_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / name, torch.rand(17, 3, 32, 32), 8)
    monkeypatch.chdir(tmp_path)
    assert read_video(name, 17, 32, 32, 8).shape == (17, 3, 32, 32)


def test_large_pictures_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "large.mp4", "libx264", **X264)
    monkeypatch.setattr("transporter.clips.container.MAX_PIXELS", 64 * 48 - 1)
    monkeypatch.setattr("transporter.clips.container.decoded", None)
    with pytest.raises(VideoError, match=r"large\.mp4: expected frames of at most .* got 64 x 48"):
        read_clip(path, SIZE, 8)


def test_a_clip_that_takes_too_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "slow.mp4", "libx264", **X264)
    monkeypatch.setattr("transporter.clips.reading.MAX_SECONDS", 0)
    with pytest.raises(VideoError, match=r"slow\.mp4: expected a clip that is read within 0 s"):
        read_clip(path, SIZE, 8)


@pytest.mark.parametrize("name", ["constant.mp4", "vp9.webm", "mpeg4.avi", "stream.ts"])
def test_a_damaged_file_is_a_clip_or_one_line(tmp_path: Path, name: str) -> None:
    whole = FILES[name](tmp_path / name).read_bytes()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        spoilt = bytearray(whole)
        for place in rng.integers(0, len(whole), len(whole) // (30 if seed % 2 else 300)):
            spoilt[place] = rng.integers(256)
        (tmp_path / name).write_bytes(spoilt[: len(whole) if seed % 3 else len(whole) // 2])
        try:
            clip = read_clip(tmp_path / name, SIZE, 8)
        except VideoError as error:
            assert "\n" not in str(error) and str(error).startswith(f"{tmp_path / name}: ")
        else:
            assert clip.video.shape == (9, 3, 48, 64) and all(np.diff(clip.times) >= 0)


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


def damaged(name: str, folder: Path, clip: torch.Tensor) -> Path:
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
        write_video(path, clip, 8)
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
def test_a_damaged_clip_says_why(
    tmp_path: Path, microworld_clip: Clip, name: str, reason: str
) -> None:
    path = damaged(name, tmp_path, microworld_clip(0))
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


def test_a_clip_with_too_few_frames_is_refused(tmp_path: Path, smooth_clip: Clip) -> None:
    write_video(tmp_path / "clip.mp4", smooth_clip(9), 8)
    with pytest.raises(VideoError, match=r"clip\.mp4: expected at least 17 frames, got 9"):
        read_video(tmp_path / "clip.mp4", 17, 64, 64)


def test_real_clips(real_clips: list[Path]) -> None:
    for path in real_clips:
        video = read_video(path, 9, 64, 96)
        assert video.shape == (9, 3, 64, 96), path.name
        assert 0.02 < video.mean() < 0.98 and video.std() > 0.02, path.name
