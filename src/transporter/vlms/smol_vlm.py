"""SmolVLM2 through `transformers`: frames of a video at one size, its own processor, template and
time stamps; visual tokens enter as computed features.
"""

from __future__ import annotations

import torch
from transformers import SmolVLMForConditionalGeneration

from transporter.vlms.video_vlm import SquareVideoVLM


class SmolVLM(SquareVideoVLM):
    """A frozen SmolVLM2; the arguments are those of `VideoVLM`. Its processor needs the package
    `num2words`.

    `fps` is what the prompt's time stamps tell, in whole seconds.
    """

    model_classes = (SmolVLMForConditionalGeneration,)
    pixels = "pixel_values"
    taken_as = "image"

    @property
    def visual_token(self) -> int:
        return self.model.config.image_token_id

    @property
    def _template(self) -> str | None:
        # its processor has one of its own for videos, whatever the folder's is
        return None

    def features(self, frames: torch.Tensor) -> torch.Tensor:
        # not by the model's own `get_image_features`, which takes a frame that is grey throughout
        # for padding and leaves it out
        found = self.model.model.vision_model(pixel_values=frames)
        return self.model.model.connector(found.last_hidden_state)
