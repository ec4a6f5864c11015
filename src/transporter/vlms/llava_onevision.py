"""LLaVA-OneVision through `transformers`: frames of a video at one size, its own processor and
template; visual tokens enter as computed features.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlavaOnevisionForConditionalGeneration

from transporter.vlms.video_vlm import SquareVideoVLM


class LlavaOnevision(SquareVideoVLM):
    """A frozen LLaVA-OneVision; the arguments are those of `VideoVLM`. Its prompt tells no time.

    A clip ends in a token that is the same for all (its `image_newline`); it is no part of
    `z_omega`.
    """

    model_classes = (LlavaOnevisionForConditionalGeneration,)

    def __init__(self, path: str, video_shape: tuple[int, int, int, int], **others: Any) -> None:
        super().__init__(path, video_shape, **others)
        count, width = self.tokens_shape
        self.tokens_shape = (count - 1, width)

    def features(self, frames: torch.Tensor) -> torch.Tensor:
        found = self.model.model.get_video_features(frames[:, None]).pooler_output
        return found[:, :-1]

    def _with_tokens(self, tokens: torch.Tensor, ids: torch.Tensor) -> dict[str, Any]:
        end = self.model.model.image_newline.float().expand(len(tokens), 1, -1)
        return super()._with_tokens(torch.cat([tokens, end], dim=1), ids)
