"""Gemma 3 through `transformers`: frames as images, its own processor, template and attention
within images.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import Gemma3ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling

from transporter.vlms.frames_vlm import FramesVLM


class Gemma3(FramesVLM):
    """A frozen Gemma 3; the arguments are those of `FramesVLM`.

    Pan and scan, which adds crops of oblong images, is off, as it is by default: each frame is one
    image.
    """

    model_classes = (Gemma3ForConditionalGeneration,)

    def _inputs(self, video: torch.Tensor) -> dict[str, Any]:
        return {**super()._inputs(video), "do_pan_and_scan": False}

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        features = self.model.model.get_image_features(self._pixels(video)["pixel_values"])
        return features.pooler_output.float().reshape(len(video), *self.tokens_shape)

    def _with_tokens(self, tokens: torch.Tensor, ids: torch.Tensor) -> dict[str, Any]:
        return {
            "input_ids": ids,
            "mm_encoder_outputs": {
                "image": BaseModelOutputWithPooling(pooler_output=tokens.to(self.model.dtype))
            },
            # tokens of one image attend to each other both ways, and only these ids say which they
            # are
            "token_type_ids": (ids == self.visual_token).int(),
        }
