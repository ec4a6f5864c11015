"""Do a VLM's answers need time? The three questions of TOMATO (Shangguan et al. 2024, arXiv
2410.23266) about its accuracy.

All frames against one, frames in order against shuffled ones, and the most telling frame against
any other. An answer that neither loses without time nor changes without it is no answer about time,
whatever its word means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from transporter.statistics.bootstrap import Interval, bootstrap
from transporter.statistics.proportions import mean_share
from transporter.support.errors import UserError

TIMELESS = 0.95
"""An answer that stays the same in at least this share of clips does not depend on what was taken
from them.
"""


@dataclass(frozen=True)
class Readings:
    """A VLM's probabilities of K words about n clips: as they are, with their frames shuffled, and
    one frame all the time.

    Attributes:
        whole: `(n, K)`.
        shuffled: `(n, K)`.
        still: `(n, F, K)`, about each of F frames.
        true: index of the true word `(n,)`.

    Raises:
        UserError: no clips, no frames, or shapes that do not fit.
    """

    whole: np.ndarray
    shuffled: np.ndarray
    still: np.ndarray
    true: np.ndarray

    def __post_init__(self) -> None:
        n, k = self.whole.shape
        shapes = (self.shuffled.shape, self.still.shape[:1] + self.still.shape[2:], self.true.shape)
        if (
            not n
            or self.still.ndim != 3
            or not self.still.shape[1]
            or shapes != ((n, k), (n, k), (n,))
        ):
            got = ", ".join(
                str(part.shape) for part in (self.whole, self.shuffled, self.still, self.true)
            )
            raise UserError(
                "temporal: expected readings (n, K), (n, K), (n, F, K) and words (n,), n and F at"
                f" least 1, got {got}"
            )

    def correct(self) -> dict[str, np.ndarray]:
        """Per clip how often the likeliest word is the true one, in [0, 1], `(n,)` each.

        `whole`, `shuffled`; `random_frame`: the mean over frames, which is what a frame drawn at
        random gives on average; `surest_frame`: the frame about which the VLM is surest, so that
        the choice knows nothing of the truth.
        """
        right = self.still.argmax(-1) == self.true[:, None]  # (n, F)
        surest = self.still.max(-1).argmax(1)
        return {
            "whole": (self.whole.argmax(-1) == self.true).astype(float),
            "shuffled": (self.shuffled.argmax(-1) == self.true).astype(float),
            "random_frame": right.mean(1),
            "surest_frame": right[np.arange(len(right)), surest].astype(float),
        }

    def same(self) -> dict[str, np.ndarray]:
        """Per clip how often the likeliest word stays what it is about the whole clip, right or
        wrong, in [0, 1], `(n,)` each.
        """
        word = self.whole.argmax(-1)
        return {
            "same_shuffled": (self.shuffled.argmax(-1) == word).astype(float),
            "same_still": (self.still.argmax(-1) == word[:, None]).mean(1),
        }


def relative_gain(better: np.ndarray, worse: np.ndarray, seed: int = 0) -> Interval:
    """Accuracy with something, divided by that without, minus 1; the interval is over clips.

    `better` and `worse` `(n,)` are the shares of right answers about the same clips. Without any
    right answer in `worse` the value is nan.
    """

    def gain(rows: np.ndarray) -> float:
        without = worse[rows].mean()
        return float(better[rows].mean() / without - 1) if without else float("nan")

    return bootstrap(gain, len(better), seed) if worse.any() else Interval(*[float("nan")] * 3)


def multi_frame_gain(correct: Mapping[str, np.ndarray], seed: int = 0) -> Interval:
    """kappa: all frames against one at random; 0 where one frame is enough."""
    return relative_gain(correct["whole"], correct["random_frame"], seed)


def order_sensitivity(correct: Mapping[str, np.ndarray], seed: int = 0) -> Interval:
    """tau: frames in order against shuffled; 0 where their order does not matter."""
    return relative_gain(correct["whole"], correct["shuffled"], seed)


def frame_disparity(correct: Mapping[str, np.ndarray], seed: int = 0) -> Interval:
    """rho: the most informative frame against one at random; 0 where what is asked for is spread
    over the frames alike.

    The authors have the most informative frame chosen for them; here it is the one about which the
    VLM is surest.
    """
    return relative_gain(correct["surest_frame"], correct["random_frame"], seed)


def temporal_honesty(readings: Readings, seed: int = 0) -> dict[str, float]:
    """One row of a table: clips, accuracies, the three gains, and the shares of answers that stay;
    intervals as `_low`, `_high`.
    """
    correct = readings.correct()
    numbers = {name: mean_share(values) for name, values in (correct | readings.same()).items()}
    numbers["multi_frame_gain"] = multi_frame_gain(correct, seed)
    numbers["order_sensitivity"] = order_sensitivity(correct, seed)
    numbers["frame_disparity"] = frame_disparity(correct, seed)
    columns = (interval.row(name).items() for name, interval in numbers.items())
    return {
        "clips": len(readings.true),
        **{key: value for pairs in columns for key, value in pairs},
    }


def timeless(row: Mapping[str, float]) -> bool:
    """Whether the answers of a row of `temporal_honesty` depend on no time: they stay, without
    order and with one frame alone.
    """
    return min(row["same_shuffled"], row["same_still"]) >= TIMELESS
