"""What video models share: which frames of a clip they are shown, how large, and when each is."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import Any, ClassVar

import torch
from transformers.modeling_outputs import BaseModelOutputWithPooling
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
        video_shape: (T, C, H, W) of the videos to come; with `frames` it fixes the number of visual
            tokens.
        frames: frames of a clip that the model is shown, from 1 to T: the middle frame of each of
            that many equal stretches. By default those that its own processor picks, which may be
            all.
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
        fps: float = 1.0,
        **others: Any,
    ) -> None:
        self.frames = None if frames is None else middles(frames, video_shape[0])
        self.fps = fps
        super().__init__(path, video_shape, **others)

    def _load_processor(self, path: str, revision: str) -> Any:
        processor = super()._load_processor(path, revision)
        if self.frames is not None:
            processor.video_processor.do_sample_frames = False
        return processor

    def _shown(self, video: torch.Tensor) -> torch.Tensor:
        """Of clips `(B, T, C, H, W)` the frames that the processor is given."""
        return video if self.frames is None else video[:, self.frames]

    def _metadata(self, video: torch.Tensor) -> list[VideoMetadata]:
        """When the frames of each clip are; one for each, since processors write into them."""
        count = video.shape[1]
        shown = list(range(count)) if self.frames is None else self.frames
        return [
            VideoMetadata(
                count, fps=self.fps, duration=count / self.fps, frames_indices=list(shown)
            )
            for _ in video
        ]

    def _inputs(self, video: torch.Tensor) -> dict[str, Any]:
        return {**super()._inputs(self._shown(video)), "video_metadata": self._metadata(video)}


class ScaledVideoVLM(VideoVLM):
    """A frozen VLM that sees frames at their own size, within bounds.

    Args:
        max_pixels: pixels of a frame that the model is shown, at most; larger ones are scaled down.
            By default as many as its processor allows.
        others: as in `VideoVLM`.

    Raises:
        ValueError: `frames` is not between 1 and T.
    """

    bounds_all_frames: ClassVar[bool] = False
    """Whether the processor's bounds are of all frames together."""

    def __init__(
        self,
        path: str,
        video_shape: tuple[int, int, int, int],
        max_pixels: int | None = None,
        **others: Any,
    ) -> None:
        self.max_pixels = max_pixels
        super().__init__(path, video_shape, **others)

    def _load_processor(self, path: str, revision: str) -> Any:
        processor = super()._load_processor(path, revision)
        video = processor.video_processor
        if self.max_pixels is not None:
            most = self.max_pixels * (self._picked(video) if self.bounds_all_frames else 1)
            least = min(video.size["shortest_edge"], most)
            video.size = {"shortest_edge": least, "longest_edge": most}
        return processor

    def _picked(self, processor: Any) -> int:
        """How many frames of a clip the processor goes on with."""
        [metadata] = self._metadata(self._blank)
        if not processor.do_sample_frames:
            return len(metadata.frames_indices)
        return len(processor.sample_frames(metadata))

    @property
    def token_grid(self) -> tuple[int, int, int]:
        """Steps, rows and columns of the visual tokens."""
        steps, height, width = self._grid[0].tolist()
        merged = self.processor.video_processor.merge_size
        return steps, height // merged, width // merged

    @cached_property
    def _grid(self) -> torch.Tensor:
        """Patches of a clip in time, height and width, `(1, 3)`."""
        return self._pixels(self._blank)["video_grid_thw"]


class SquareVideoVLM(VideoVLM):
    """A frozen VLM that sees each frame of a video at one size, apart from the others; the
    arguments are those of `VideoVLM`. How large a frame is shown is no choice: its tower has
    positions for that size alone.

    A family adds `model_classes`, `features` and `_with_features`, where it differs.
    """

    pixels: ClassVar[str] = "pixel_values_videos"
    """What its processor calls the frames that it makes of clips."""
    taken_as: ClassVar[str] = "video"
    """What the model calls its own features of clips."""

    @property
    def time_steps(self) -> int:
        return self._frames(self._blank).shape[1]

    def _frames(self, video: torch.Tensor) -> torch.Tensor:
        """Clips `(B, T, C, H, W)` as the tower takes them in, `(B, frames, C, height, width)`."""
        return self._pixels(video)[self.pixels].to(self.model.dtype)

    @abstractmethod
    def features(self, frames: torch.Tensor) -> torch.Tensor:
        """Of frames `(B, C, height, width)` the features that the language model takes in, `(B, n,
        D)`.
        """

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        frames = self._frames(video)
        return self.features(frames.flatten(0, 1)).float().reshape(len(video), *self.tokens_shape)

    def _with_tokens(self, tokens: torch.Tensor, ids: torch.Tensor) -> dict[str, Any]:
        features = BaseModelOutputWithPooling(pooler_output=tokens.to(self.model.dtype))
        return {"input_ids": ids, "mm_encoder_outputs": {self.taken_as: features}}
