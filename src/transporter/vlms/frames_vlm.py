"""What image models share that see a video as some of its frames."""

from __future__ import annotations

from math import isqrt
from typing import Any, ClassVar

import torch

from transporter.vlms.transformers_vlm import TransformersVLM
from transporter.vlms.video_vlm import middles


class FramesVLM(TransformersVLM):
    """A frozen VLM that is given a clip as several images, in order of time.

    Args:
        path: folder or hub name that `from_pretrained` loads, model and processor.
        video_shape: (T, C, H, W) of the videos to come; with `frames` it fixes the number of visual
            tokens.
        frames: images per clip, from 1 to T: the middle frame of each of that many equal stretches
            of the clip.
        others: `describe`, `revision`, `dtype` and `device`, as in `TransformersVLM`.

    Raises:
        ValueError: `frames` is not between 1 and T.
    """

    medium: ClassVar[str] = "image"

    def __init__(
        self, path: str, video_shape: tuple[int, int, int, int], frames: int = 8, **others: Any
    ) -> None:
        self.frames = middles(frames, video_shape[0])
        super().__init__(path, video_shape, **others)

    @property
    def time_steps(self) -> int:
        return len(self.frames)

    @property
    def token_grid(self) -> tuple[int, int, int] | None:
        """Frames, rows and columns of the visual tokens, where each frame is a square of them."""
        side = isqrt(self.tokens_shape[0] // len(self.frames))
        square = len(self.frames) * side**2 == self.tokens_shape[0]
        return (len(self.frames), side, side) if square else None

    def _content(self, prompt: str) -> list[dict[str, str]] | str:
        return [{"type": "image"}] * len(self.frames) + [{"type": "text", "text": prompt}]

    def _inputs(self, video: torch.Tensor) -> dict[str, Any]:
        # in [0, 255], as the processors take images to be: one that pads them to a shape pads with
        # a white of 255
        return {"images": [list(clip) for clip in video[:, self.frames].to(self.device) * 255]}
