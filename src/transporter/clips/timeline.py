"""When the frames of a clip are shown: by its packets where these say it, else by its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from transporter.clips.container import Deadline, decoded, opened
from transporter.clips.refusals import VideoError

MISSING_FRAMES = 0.1
"""Share of the declared frames that may be missing (declared counts are estimates) before a clip
counts as truncated, and share of the packets that may give no frame before it counts as damaged.
"""
CONSTANT_RATE = frozenset({"avi", "h264", "hevc", "m4v", "mpegvideo"})
"""Containers that are played at one declared rate, whether or not packets have time stamps."""


@dataclass(frozen=True)
class Timeline:
    """The frames that a player shows, in the order in which it shows them.

    Attributes:
        stamps: what a decoded frame is known by, `(N,)` int64: its time stamp in the stream's
            units, or its number where frames have none.
        times: when it is shown, `(N,)` seconds from the first one.
        end: when the last one goes, in seconds.
        numbered: whether `stamps` are numbers.
        plain: whether each packet of the file is one of these frames, with a time stamp.
    """

    stamps: np.ndarray
    times: np.ndarray
    end: float
    numbered: bool = False
    plain: bool = False

    @classmethod
    def of_stamps(
        cls, stamps: np.ndarray, unit: Fraction, last: float, plain: bool = False
    ) -> Timeline:
        """Of rising time stamps in `unit` seconds, the last of which is shown for `last` seconds;
        if that is 0, for as long as the one before.
        """
        times = (stamps - stamps[0]) * float(unit)
        shown = last or (times[-1] - times[-2] if len(times) > 1 else 0.0)
        return cls(stamps, times, float(times[-1] + shown), plain=plain)

    @classmethod
    def of_rate(cls, count: int, rate: Fraction) -> Timeline:
        """Of so many frames, one every 1 / `rate` seconds."""
        numbers = np.arange(count)
        return cls(numbers, numbers / float(rate), count / float(rate), numbered=True)

    def __len__(self) -> int:
        return len(self.stamps)


@dataclass(frozen=True)
class Packets:
    """The packets of a clip's video, none of them decoded.

    Attributes:
        count: how many there are.
        shown: time stamps of those that are shown, in the order of the file; None for those without
            one.
        last: seconds for which the frame that comes last is shown, 0 where that is not known.
        unit: of time stamps, in seconds.
    """

    count: int
    shown: Sequence[int | None]
    last: float
    unit: Fraction

    def timeline(self) -> Timeline | None:
        """The timeline that they tell; None where only the decoder knows it."""
        if not self.shown or None in self.shown:
            return None
        stamps = np.unique(np.array(self.shown, np.int64))
        plain = len(stamps) == self.count
        return Timeline.of_stamps(stamps, self.unit, self.last, plain)


def read_packets(path: Path, deadline: Deadline) -> Packets:
    """Look at every packet of a clip's video.

    Raises:
        VideoError: there is none, or far fewer than the container declares.
    """
    with opened(path) as (container, stream):
        count, shown = 0, []
        latest: Packet | None = None
        for packet in container.demux(stream):
            deadline.check()
            if not packet.size:
                continue
            count += 1
            if packet.is_discard:
                continue
            shown.append(packet.pts)
            if packet.pts is not None and (latest is None or packet.pts >= latest.pts):
                latest = packet
        if not shown:
            raise VideoError("expected frames to show, found none")
        unit = stream.time_base or Fraction(1)
        last = float((latest.duration or 0) * unit) if latest else 0.0
        packets = Packets(count, shown, last, unit)
        _refuse_truncated(container, stream, packets)
        return packets


def _refuse_truncated(container: InputContainer, stream: VideoStream, packets: Packets) -> None:
    if stream.frames:
        if packets.count < (1 - MISSING_FRAMES) * stream.frames:
            raise VideoError(
                f"truncated, it holds {packets.count} of the {stream.frames} frames that it"
                " declares"
            )
        return
    timeline = packets.timeline()
    # a container without frame counts only says how long it lasts, which its sound may stretch
    if timeline is None or container.duration is None or container.streams.audio:
        return
    declared = container.duration / 1_000_000
    if timeline.end < (1 - MISSING_FRAMES) * declared:
        raise VideoError(
            f"truncated, it holds {timeline.end:.3g} of the {declared:.3g} s that it declares"
        )


def decoded_timeline(path: Path, packets: Packets, deadline: Deadline) -> Timeline:
    """The timeline that the decoder tells, from every frame of a clip.

    Raises:
        VideoError: many packets give no frame, or frames have no time at which to show them.
    """
    with opened(path) as (container, stream):
        stamps = [frame.pts for frame in decoded(container, stream, deadline)]
        if not stamps or len(stamps) < (1 - MISSING_FRAMES) * len(packets.shown):
            raise VideoError(
                f"damaged, {len(stamps)} of its {len(packets.shown)} frames can be decoded"
            )
        if None not in stamps and all(np.diff(stamps) > 0):
            return Timeline.of_stamps(np.array(stamps, np.int64), packets.unit, packets.last)
        rate = stream.codec_context.framerate or stream.average_rate
        if container.format.name in CONSTANT_RATE and rate:
            return Timeline.of_rate(len(stamps), rate)
    raise VideoError(
        "expected a time at which to show each frame, got frames without one or out of order; write"
        " it anew, for example as mp4"
    )
