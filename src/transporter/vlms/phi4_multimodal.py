"""Phi 4 multimodal through `transformers`: frames as images, its own processor and template; visual
tokens enter as embeddings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import Phi4MultimodalForCausalLM, PreTrainedModel

from transporter.networks.pretrained import refused_in_one_line
from transporter.support.errors import UserError
from transporter.vlms.frames_vlm import FramesVLM

_PIXELS = ("image_pixel_values", "image_sizes", "image_attention_mask")


class Phi4Multimodal(FramesVLM):
    """A frozen Phi 4 multimodal.

    Each frame is a thumbnail and up to the processor's `dynamic_hd` crops at full resolution:
    several hundred tokens.

    Args:
        path: folder or hub name that `from_pretrained` loads, model and processor.
        video_shape: (T, C, H, W) of the videos to come; with `frames` it fixes the number of visual
            tokens.
        lora: folder within `path` of low-rank weights to add (`vision-lora` in the published model,
            which was trained to see with them); needs the package `peft`.
        others: `frames`, `describe`, `revision`, `dtype` and `device`, as in `FramesVLM`.
    """

    model_classes = (Phi4MultimodalForCausalLM,)

    def __init__(
        self,
        path: str,
        video_shape: tuple[int, int, int, int],
        lora: str | None = None,
        **others: Any,
    ) -> None:
        self._lora = lora
        super().__init__(path, video_shape, **others)

    def _load(self, path: str, revision: str, dtype: torch.dtype) -> PreTrainedModel:
        model = super()._load(path, revision, dtype)
        if self._lora is not None:
            self._refuse_pickles(Path(path, self._lora))
            with refused_in_one_line(path, f"low-rank weights as safetensors in {self._lora}"):
                model.load_adapter(
                    path,
                    adapter_name="vision",
                    adapter_kwargs={"subfolder": self._lora, "revision": revision},
                )
                model.set_adapter("vision")
        return model

    def _refuse_pickles(self, folder: Path) -> None:
        """Without safetensors the library would take a pickle."""
        if folder.is_dir() and not (folder / "adapter_model.safetensors").is_file():
            raise UserError(f"{folder}: expected low-rank weights in adapter_model.safetensors")

    def _content(self, prompt: str) -> list[dict[str, str]] | str:
        # its template takes a turn to be text, in which placeholders are written out
        return self.processor.image_token * len(self.frames) + prompt

    @property
    def visual_token(self) -> int:
        return self.model.config.vision_config.image_token_id

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        pixels = self._pixels(video)
        # the model has no method that gives its features away, but puts them where a prompt has
        # placeholders: here, everywhere
        ids = torch.full((len(video), self.tokens_shape[0]), self.visual_token, device=self.device)
        shape = *ids.shape, self.tokens_shape[1]
        room = pixels["image_pixel_values"].new_zeros(shape, dtype=self.model.dtype)
        embed = self.model.model.embed_tokens_extend.image_embed
        return embed(ids, room, **{key: pixels[key] for key in _PIXELS}).float()

    def _with_tokens(self, tokens: torch.Tensor, ids: torch.Tensor) -> dict[str, Any]:
        text = self.model.get_input_embeddings()(ids)
        places = (ids == self.visual_token)[..., None]
        return {"inputs_embeds": text.masked_scatter(places, tokens.to(text.dtype))}
