"""Qwen2-VL through `transformers`: its own processor, template and position ids; visual tokens
enter as computed features.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from transformers import Qwen2VLForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling

from transporter.vlms.transformers_vlm import TransformersVLM

VIDEO_TYPE = 2
"""What `mm_token_type_ids` calls a video token."""


class QwenVL(TransformersVLM):
    """A frozen Qwen2-VL; the arguments are those of `TransformersVLM`."""

    model_class = Qwen2VLForConditionalGeneration

    @cached_property
    def _grid(self) -> torch.Tensor:
        """Patches of a clip in time, height and width, `(1, 3)`, from which the model makes
        position ids.
        """
        return self._pixels(self._blank)["video_grid_thw"]

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        features = self.model.model.get_video_features(**self._pixels(video))
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
            "mm_token_type_ids": (ids == self._visual_token).int() * VIDEO_TYPE,
        }
