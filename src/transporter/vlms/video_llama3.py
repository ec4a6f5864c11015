"""VideoLLaMA 3 through `transformers`: its own processor, template and time stamps; visual tokens
enter as computed features.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import VideoLlama3ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling

from transporter.vlms.video_vlm import ScaledVideoVLM

_PIXELS = ("pixel_values_videos", "video_grid_thw", "video_merge_sizes")


class VideoLlama3(ScaledVideoVLM):
    """A frozen VideoLLaMA 3.

    `fps` is what the prompt's time stamps tell, and what a processor that samples by time goes by:
    at one frame a second the model sees 4 of 49 frames at 16 a second, and `frames` shows it more.

    Its token compression, which drops patches that hardly differ from the frame before, is off: all
    videos of a shape must have one number of tokens, and a choice by threshold would hide the
    dropped patches from gradients.

    Args:
        path: folder or hub name that `from_pretrained` loads, model and processor. The format must
            be that of `transformers` (model type `video_llama_3`).
        others: as in `ScaledVideoVLM`.
    """

    model_classes = (VideoLlama3ForConditionalGeneration,)
    bounds_all_frames = True

    def _inputs(self, video: torch.Tensor) -> dict[str, Any]:
        return {**super()._inputs(video), "use_token_compression": False}

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        pixels = self._pixels(video)
        features = self.model.model.get_video_features(**{key: pixels[key] for key in _PIXELS})
        return torch.stack(list(features.pooler_output)).float()

    def _with_tokens(self, tokens: torch.Tensor, ids: torch.Tensor) -> dict[str, Any]:
        features = BaseModelOutputWithPooling(pooler_output=tuple(tokens.to(self.model.dtype)))
        return {"input_ids": ids, "mm_encoder_outputs": {"video": features}}

    def _model_logits(self, keep: int, **inputs: Any) -> torch.Tensor:
        hidden = self.model.model(**inputs).last_hidden_state
        # the whole model would give logits at every position, too many for its vocabulary
        return self.model.lm_head(hidden[:, -keep:])
