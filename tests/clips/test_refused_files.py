"""Files that are no clips, name other files, ask for too much or are damaged: one line, at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from encoded import FILES, SIZE, X264, encode

from transporter.clips.reading import read_clip, read_video
from transporter.clips.refusals import VideoError
from transporter.clips.writing import write_video
from transporter.support.errors import UserError

Clip = Callable[..., torch.Tensor]


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
