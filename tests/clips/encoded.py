"""Clips whose every frame tells its number, encoded in many ways, and a plain decode of them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from transporter.clips.window import Window

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


def drifting_frames(count: int, height: int = 48, width: int = 64) -> Iterator[np.ndarray]:
    """Noise that drifts: a frame cannot be told without the one before it."""
    noise = np.random.default_rng(0).integers(0, 255, (2 * height, 2 * width, 3), np.uint8)
    for number in range(count):
        drifted = np.roll(noise, (number // 5, number // 3), (0, 1))
        yield np.ascontiguousarray(drifted[:height, :width])
