"""What video models share: which frames of a clip they are shown, how large, and when each is."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from transformers.video_utils import VideoMetadata

from transporter.vlms.transformers_vlm import TransformersVLM


def middles(count: int, frames: int) -> list[int]:
    """The middle frame of each of `count` equal stretches of a clip of so many frames.

    Raises:
        ValueError: `count` is not between 1 and `frames`.
    """
    if not 1 <= count <= frames:
        raise ValueError(
            f"Expected from 1 to {frames} frames, as many as the clip has, got {count}"
        )
    return [(2 * index + 1) * frames // (2 * count) for index in range(count)]


class VideoVLM(TransformersVLM):
    """A frozen VLM whose processor takes a clip as a video.

    Args:
        path: folder or hub name that `from_pretrained` loads, model and processor.
        video_shape: (T, C, H, W) of the videos to come; with the next two it fixes the number of
            visual tokens.
        frames: frames of a clip that the model is shown, from 1 to T: the middle frame of each of
            that many equal stretches. By default those that its own processor picks, which may be
            all.
        max_pixels: pixels of a frame that the model is shown, at most; larger ones are scaled down.
            By default as many as its processor allows.
        fps: frames per second of the videos; by default 1, as processors have it where nothing is
            known.
        others: `describe`, `caption_tokens`, `revision`, `dtype` and `device`, as in
            `TransformersVLM`.

    Raises:
        ValueError: `frames` is not between 1 and T.
    """

    def __init__(
        self,
        path: str,
        video_shape: tuple[int, int, int, int],
        frames: int | None = None,
        max_pixels: int | None = None,
        fps: float = 1.0,
        **others: Any,
    ) -> None:
        self.frames = None if frames is None else middles(frames, video_shape[0])
        self.max_pixels, self.fps = max_pixels, fps
        super().__init__(path, video_shape, **others)

    def _load_processor(self, path: str, revision: str) -> Any:
        processor = super()._load_processor(path, revision)
        video = processor.video_processor
        if self.frames is not None:
            video.do_sample_frames = False
        if self.max_pixels is not None:
            least = min(video.size["shortest_edge"], self.max_pixels)
            video.size = {"shortest_edge": least, "longest_edge": self.max_pixels}
        return processor

    def _shown(self, video: torch.Tensor) -> torch.Tensor:
        """Of clips `(B, T, C, H, W)` the frames that the processor is given."""
        return video if self.frames is None else video[:, self.frames]

    def _metadata(self, video: torch.Tensor) -> list[VideoMetadata]:
        """When the frames of each clip are; one for each, since processors write into them."""
        count = video.shape[1]
        shown = list(range(count)) if self.frames is None else self.frames
        return [VideoMetadata(count, fps=self.fps, frames_indices=list(shown)) for _ in video]

    def _inputs(self, video: torch.Tensor) -> dict[str, Any]:
        return super()._inputs(self._shown(video))

    @cached_property
    def _grid(self) -> torch.Tensor:
        """Patches of a clip in time, height and width, `(1, 3)`."""
        return self._pixels(self._blank)["video_grid_thw"]
