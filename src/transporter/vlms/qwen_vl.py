"""Qwen2-VL and Qwen2.5-VL through `transformers`: their own processors, template and position ids;
visual tokens enter as computed features.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2VLForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling

from transporter.vlms.video_vlm import ScaledVideoVLM

VIDEO_TYPE = 2
"""What `mm_token_type_ids` calls a video token."""
SECONDS = "second_per_grid_ts"
"""What Qwen2.5-VL calls the seconds that a step of visual tokens lasts."""


class QwenVL(ScaledVideoVLM):
    """A frozen Qwen2-VL or Qwen2.5-VL; the arguments are those of `ScaledVideoVLM`.

    Qwen2.5-VL places visual tokens by seconds, so it goes by `fps`; Qwen2-VL knows no time but the
    order.
    """

    model_classes = (Qwen2VLForConditionalGeneration, Qwen2_5_VLForConditionalGeneration)

    def _load_processor(self, path: str, revision: str) -> Any:
        processor = super()._load_processor(path, revision)
        # as it is; releases of the library differ in the default
        processor.video_processor.cap_pixels_per_frame = False
        return processor

    @property
    def _timed(self) -> bool:
        return self.model_class is Qwen2_5_VLForConditionalGeneration

    def _seconds(self, clips: int) -> dict[str, torch.Tensor]:
        """How long a step of visual tokens lasts, for each of so many clips."""
        if not self._timed:
            return {}
        [metadata] = self._metadata(self._blank)
        step = self.processor.video_processor.temporal_patch_size / metadata.sampled_fps
        return {SECONDS: torch.full((clips,), step, device=self.device)}

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        pixels = self._pixels(video)
        features = self.model.model.get_video_features(
            pixels["pixel_values_videos"], pixels["video_grid_thw"]
        )
        return torch.stack(list(features.pooler_output)).float()

    def _with_tokens(self, tokens: torch.Tensor, ids: torch.Tensor) -> dict[str, Any]:
        return {
            "input_ids": ids,
            "mm_encoder_outputs": {
                "video": BaseModelOutputWithPooling(
                    pooler_output=tuple(tokens.to(self.model.dtype))
                )
            },
            "video_grid_thw": self._grid.expand(len(tokens), -1),
            "mm_token_type_ids": (ids == self.visual_token).int() * VIDEO_TYPE,
            **self._seconds(len(tokens)),
        }
