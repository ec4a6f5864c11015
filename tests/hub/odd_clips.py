"""A folder of clips as people have them: phones, screens, browsers, odd names, and some that
cannot be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd

from transporter.support.files import write_table

BLACK = 16


def moving(speed: int, frames: int, height: int, width: int) -> list[np.ndarray]:
    """A bright square that goes to the right on grass, so many pixels a frame."""
    rows = np.linspace(40, 120, height, dtype=np.uint8)[:, None]
    made = []
    for index in range(frames):
        frame = np.zeros((height, width, 3), np.uint8)
        frame[..., 1] = rows
        left = (index * speed) % max(1, width - 12)
        frame[height // 3 : height // 3 + 12, left : left + 12] = (230, 60, BLACK)
        made.append(frame)
    return made


def write(
    path: Path,
    frames: Sequence[np.ndarray],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    fps: int = 24,
    times: Sequence[int] | None = None,
    **options: str,
) -> None:
    """Encode frames; `times` are milliseconds of each, where they are not evenly spaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps), options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for index, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            if times is not None:
                picture.pts, picture.time_base = times[index], Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


UNREADABLE = ("blink.mp4", "notes.mp4", "still.gif")
"""Those that a run leaves out: too short, no video, and a single picture."""
PLAIN = 4


def odd_clips(folder: Path) -> pd.DataFrame:
    """Write `captions.tsv` and `clips/` and give the table: 19 clips that say how fast something
    moves, one of them by a word of its own (`the day`), three of which cannot be read.
    """
    clips = folder / "clips"
    slow, fast = (moving(speed, 40, 72, 96) for speed in (1, 4))
    # browsers drop a frame now and then
    late = [40 * index + (400 if index > 20 else 0) + 7 * (index % 3) for index in range(40)]
    kinds: dict[str, tuple[str, list[np.ndarray], dict[str, Any]]] = {
        "surfing (1) final.MP4": ("a square moves quickly, seen from a board", fast, {}),
        "été – dog's walk.mp4": ("A square moves SLOWLY on grass", slow, {}),
        "狼 #2 & co.mp4": ("the square moves slowly through the snow", slow, {}),
        "-basket.mp4": ("Quickly a square moves right", fast, {}),
        "trip/portrait.mp4": ("a square moves slowly up", moving(1, 40, 128, 64), {}),
        "iphone.MOV": (
            "a square, filmed with a phone, moves quickly",
            fast,
            {"codec": "libx265", "pixels": "yuv420p10le", "x265-params": "log-level=none"},
        ),
        "web.webm": ("a square moves slowly on a page", slow, {"codec": "libvpx-vp9"}),
        "camera.avi": (
            "a square moves quickly in an old film",
            fast,
            {"codec": "mjpeg", "pixels": "yuvj420p"},
        ),
        "screen.mp4": ("a square moves slowly on a screen", slow, {"times": late}),
        "tiny.mp4": ("a tiny square moves slowly", moving(1, 40, 32, 40), {}),
        "twice.mp4": ("a square moves slowly, slowly, on", slow, {}),
        "blink.mp4": ("a square moves quickly for a blink", fast[:3], {}),
        "still.gif": (
            "a square moves slowly in a picture",
            slow[:1],
            {"codec": "gif", "pixels": "rgb8", "fps": 10},
        ),
        "rare.mp4": ("a square moves slowly during the day", slow, {}),
    }
    rows = []
    for name, (caption, frames, options) in kinds.items():
        write(clips / name, frames, **options)
        rows.append({"clip": name, "caption": caption})
    (clips / "notes.mp4").write_text("no video at all")
    rows.append({"clip": "notes.mp4", "caption": "a square moves quickly in my notes"})
    for number in range(PLAIN):
        word, frames = ("slowly", slow) if number % 2 else ("quickly", fast)
        write(clips / f"plain_{number}.mp4", frames)
        caption = f"a square moves {word} past {number + 2} trees"
        rows.append({"clip": f"plain_{number}.mp4", "caption": caption})
    table = pd.DataFrame(rows)
    write_table(table, folder / "captions.tsv")
    return table
