"""When the frames of a clip are shown: by its packets where these say it, else by its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
PACE = 0.002
"""Seconds by which steps may differ that count as equal; some containers round to thousandths."""
MAX_REORDER = 32
"""Places by which a packet may stand before or after its frame's turn to be shown; codecs keep 16
frames back. What is further off are clips one after another, each with times of its own.
"""
RAW = frozenset({"h264", "hevc", "m4v", "mpegvideo", "obu"})
"""Streams without a container: they are played at the rate that they declare."""


@dataclass(frozen=True)
class Timeline:
    """The frames that a player shows, in the order in which it shows them.

    Attributes:
        times: when each is shown, `(N,)` seconds from the first one.
        end: when the last one goes, in seconds.
        stamps: the time stamps that the decoder gives them, `(N,)` int64; None where these cannot
            be trusted, and frames are known by their order alone.
        plain: whether each packet of the file is one of these frames, with a time stamp.
        keys: the frames from which a decoder can go on, by number, and when each is decoded, in the
            units of `stamps`; none where the file does not say.
    """

    times: np.ndarray
    end: float
    stamps: np.ndarray | None
    plain: bool = False
    keys: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of_stamps(
        cls, stamps: np.ndarray, unit: Fraction, last: float, plain: bool = False
    ) -> Timeline:
        """Of rising time stamps in `unit` seconds, the last of which is shown for `last` seconds;
        if that is 0, for as long as the one before.
        """
        times = (stamps - stamps[0]) * float(unit)
        shown = last or (times[-1] - times[-2] if len(times) > 1 else 0.0)
        return cls(times, float(times[-1] + shown), stamps, plain)

    @classmethod
    def of_rate(cls, count: int, rate: float) -> Timeline:
        """Of so many frames, one every 1 / `rate` seconds."""
        return cls(np.arange(count) / rate, count / rate, None)

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True)
class Packets:
    """The packets of a clip's video, none of them decoded.

    Attributes:
        count: how many there are.
        shown: time stamps of those that are shown, in the order in which they are decoded; None for
            those without one.
        decoded: when these are decoded, in the same units.
        keys: those that need no other to be decoded, by their places in `shown`.
        last: seconds for which the frame that comes last is shown, 0 where that is not known.
        unit: of time stamps, in seconds.
    """

    count: int
    shown: Sequence[int | None]
    decoded: Sequence[int | None]
    keys: Sequence[int]
    last: float
    unit: Fraction

    def timeline(self) -> Timeline | None:
        """The timeline that they tell; None where only the decoder knows it."""
        if not self.shown or None in self.shown:
            return None
        stamps = np.array(self.shown, np.int64)
        order = np.argsort(stamps, kind="stable")
        moved = np.abs(order - np.arange(len(order)))
        stamps = stamps[order]
        if moved.max() > MAX_REORDER or not all(np.diff(stamps) > 0):
            return None
        timeline = Timeline.of_stamps(stamps, self.unit, self.last, len(stamps) == self.count)
        if not timeline.plain:
            return timeline
        begins = [
            shown if decoding is None else decoding
            for decoding, shown in zip(self.decoded, self.shown, strict=True)
        ]
        numbers = np.flatnonzero(np.isin(order, self.keys)).tolist()
        keys = {number: int(begins[order[number]]) for number in numbers}
        return replace(timeline, keys=keys)

    def paced(self) -> Timeline | None:
        """The timeline of frames without time stamps that are decoded at equal steps, and so shown
        at these; None where they are not.
        """
        if not self.decoded or None in self.decoded:
            return None
        steps = np.diff(np.array(self.decoded, np.int64)) * float(self.unit)
        if len(steps) == 0 or steps.min() <= 0 or np.ptp(steps) > PACE:
            return None
        return Timeline.of_rate(len(self.decoded), 1 / float(steps.mean()))


def read_packets(path: Path, deadline: Deadline) -> Packets:
    """Look at every packet of a clip's video.

    Raises:
        VideoError: there is none, or far fewer than the container declares.
    """
    with opened(path) as (container, stream):
        count, shown, decoding, keys = 0, [], [], []
        latest: Packet | None = None
        for packet in container.demux(stream):
            deadline.check()
            if not packet.size:
                continue
            count += 1
            if packet.is_discard:
                continue
            if packet.is_keyframe:
                keys.append(len(shown))
            shown.append(packet.pts)
            decoding.append(packet.dts)
            if packet.pts is not None and (latest is None or packet.pts >= latest.pts):
                latest = packet
        if not shown:
            raise VideoError("expected frames to show, found none")
        unit = stream.time_base or Fraction(1)
        last = float((latest.duration or 0) * unit) if latest else 0.0
        packets = Packets(count, shown, decoding, keys, last, unit)
        _refuse_truncated(container, stream, packets)
        return packets


def _refuse_truncated(container: InputContainer, stream: VideoStream, packets: Packets) -> None:
    # an AVI counts the turns at which nothing new is shown, too
    if stream.frames and container.format.name != "avi":
        if packets.count < (1 - MISSING_FRAMES) * stream.frames:
            raise VideoError(
                f"truncated, it holds {packets.count} of the {stream.frames} frames that it"
                " declares"
            )
        return
    timeline, declared = packets.timeline() or packets.paced(), _declared_seconds(container, stream)
    if timeline is not None and timeline.end < (1 - MISSING_FRAMES) * declared:
        raise VideoError(
            f"truncated, it holds {timeline.end:.3g} of the {declared:.3g} s that it declares"
        )


def _declared_seconds(container: InputContainer, stream: VideoStream) -> float:
    """How long the file says its video lasts, 0 where it does not say."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # a container that only says how long all of it lasts may mean its sound
    if container.duration is None or container.streams.audio:
        return 0.0
    return container.duration / 1_000_000


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
        # the decoder gives frames in the order to show, whatever their stamps
        known = packets.timeline() or packets.paced()
        if known is not None and len(known) == len(stamps):
            return replace(known, stamps=None, plain=False, keys={})
        rate = stream.codec_context.framerate
        if container.format.name in RAW and rate:
            return Timeline.of_rate(len(stamps), float(rate))
    raise VideoError(
        "expected a time at which to show each frame, got frames without one or out of order; write"
        " it anew, for example as mp4"
    )
