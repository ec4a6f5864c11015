"""Qwen3-VL through `transformers`: its own processor, template, time stamps and position ids;
visual tokens enter as computed features.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import Qwen3VLForConditionalGeneration
from transformers.models.qwen3_vl.modeling_qwen3_vl import BaseModelOutputWithDeepstackFeatures

from transporter.vlms.qwen_vl import VIDEO_TYPE
from transporter.vlms.video_vlm import ScaledVideoVLM


class Qwen3VL(ScaledVideoVLM):
    """A frozen Qwen3-VL; the arguments are those of `ScaledVideoVLM`.

    Its language model takes in a visual token at several depths (DeepStack): before its first
    layer, and again after each of the first few. A token of `z_omega` is all of these side by side,
    so D is a multiple of the model's width.

    `fps` is what the prompt's time stamps tell, and what its processor samples by.
    """

    model_classes = (Qwen3VLForConditionalGeneration,)
    bounds_all_frames = True

    def __init__(self, path: str, video_shape: tuple[int, int, int, int], **others: Any) -> None:
        super().__init__(path, video_shape, **others)
        count, width = self.tokens_shape
        depths = 1 + len(self.model.config.vision_config.deepstack_visual_indexes)
        self.tokens_shape = (count, depths * width)

    def _load_processor(self, path: str, revision: str) -> Any:
        processor = super()._load_processor(path, revision)
        # as it is; releases of the library differ in the default
        processor.video_processor.cap_pixels_per_frame = False
        return processor

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        pixels = self._pixels(video)
        found = self.model.model.get_video_features(
            pixels["pixel_values_videos"], pixels["video_grid_thw"]
        )
        depths = [found.pooler_output, *found.deepstack_features]
        # per depth a tuple of (N, width) -> (B, N, depths * width)
        return torch.cat([torch.stack(list(clips)) for clips in depths], dim=-1).float()

    def _with_tokens(self, tokens: torch.Tensor, ids: torch.Tensor) -> dict[str, Any]:
        width = self.model.config.get_text_config().hidden_size
        first, *deeper = tokens.to(self.model.dtype).split(width, dim=-1)
        features = BaseModelOutputWithDeepstackFeatures(
            pooler_output=tuple(first), deepstack_features=[tuple(depth) for depth in deeper]
        )
        return {
            "input_ids": ids,
            "mm_encoder_outputs": {"video": features},
            "video_grid_thw": self._grid.expand(len(tokens), -1),
            "mm_token_type_ids": (ids == self.visual_token).int() * VIDEO_TYPE,
        }
