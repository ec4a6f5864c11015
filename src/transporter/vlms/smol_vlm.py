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

    `fps` is what the prompt's time stamps tell, in whole seconds. Its processor scales frames by
    Lanczos' filter on a CPU, and in its place by a bicubic one on a GPU.
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
        # for padding and leaves it out; here no patch is padding
        tower = self.model.model.vision_model
        rows, columns = (side // tower.patch_size for side in frames.shape[-2:])
        all_of_them = torch.ones(len(frames), rows, columns, dtype=torch.bool, device=frames.device)
        patches = tower.embeddings(pixel_values=frames, patch_attention_mask=all_of_them)
        hidden = tower.encoder(inputs_embeds=patches).last_hidden_state
        return self.model.model.connector(tower.post_layernorm(hidden))
