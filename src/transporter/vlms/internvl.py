"""InternVL through `transformers`: frames of a video at one size, its own processor and template;
visual tokens enter as computed features.
"""

from __future__ import annotations

import torch
from transformers import InternVLForConditionalGeneration

from transporter.vlms.video_vlm import SquareVideoVLM


class InternVL(SquareVideoVLM):
    """A frozen InternVL; the arguments are those of `VideoVLM`.

    The format must be that of `transformers` (model type `internvl`; on the hub the repositories
    whose names end in `-hf`). Its prompt numbers the frames and tells no time.
    """

    model_classes = (InternVLForConditionalGeneration,)
    # it knows no videos, but images of which a prompt may have many
    taken_as = "image"

    @property
    def visual_token(self) -> int:
        return self.model.config.image_token_id

    def features(self, frames: torch.Tensor) -> torch.Tensor:
        return self.model.model.get_image_features(frames).pooler_output
