"""HunyuanVideo text-to-video models through `diffusers.HunyuanVideoPipeline`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from diffusers import HunyuanVideoPipeline
from torch import nn

from transporter.generators.condition import Condition
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.generators.run import Run
from transporter.support.errors import UserError


class HunyuanVideoGenerator(DiffusersGenerator):
    """A frozen HunyuanVideo pipeline; the arguments are those of `DiffusersGenerator`, and

    Args:
        velocity_guidance: the guidance that `velocity` tells the model, see below.

    The condition has the states of a language model with their mask, and a pooled vector of CLIP.
    The model was distilled from a guided one and is told the scale of guidance: `sample` tells it
    `guidance`, and no second, unconditional pass takes place.

    Raises:
        UserError: besides a size, a model that is not told a scale of guidance.
    """

    pipeline_class = HunyuanVideoPipeline
    block_lists = ("transformer_blocks", "single_transformer_blocks")

    def __init__(self, path: str, velocity_guidance: float = 1.0, **others: Any) -> None:
        super().__init__(path, **others)
        self.velocity_guidance = velocity_guidance

    def _check(self, path: str, max_tokens: int) -> None:
        if not self.config("transformer").guidance_embeds:
            raise UserError(
                f"{path}: expected a model that is told a scale of guidance (guidance_embeds), got"
                " one that is not"
            )

    def _statistics(self) -> tuple[Sequence[float], Sequence[float]]:
        return [0.0], [1 / self.config("vae").scaling_factor]

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str]) -> Condition:
        self.load_text_encoders()
        embeddings, pooled, mask = self.pipeline.encode_prompt(
            list(captions), max_sequence_length=self.condition_shape[0], device=self.device
        )
        return Condition(embeddings.float(), mask, pooled.float())

    def _beside_embeddings(self, pi: Condition, guidance: float) -> dict[str, torch.Tensor]:
        """What the transformer takes in of a condition beside its embeddings."""
        dtype = self.part("transformer").dtype
        scale = torch.full((len(pi),), guidance, dtype=dtype, device=self.device)
        return {
            "encoder_attention_mask": pi.mask.to(dtype),
            "pooled_projections": pi.pooled.to(dtype),
            "guidance": scale * 1000.0,
        }

    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        steps = self.pipeline.scheduler.config.num_train_timesteps
        return self._predicted(
            self.part("transformer"),
            z_t,
            condition,
            timestep=sigma * steps,
            **self._beside_embeddings(condition, self.velocity_guidance),
        )

    def _inputs(self, latents: torch.Tensor, pi: Condition, guidance: float) -> dict[str, Any]:
        return {
            "latents": latents,
            "prompt_embeds": self._cast(pi.embeddings),
            "prompt_attention_mask": pi.mask,
            "pooled_prompt_embeds": self._cast(pi.pooled),
        }

    def _steered(self, stack: ExitStack, run: Run, guidance: float) -> None:
        # the loop renews the embeddings alone, so the rest of the condition is put in here
        def complete(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict]:
            return args, {**kwargs, **self._beside_embeddings(run.current, guidance)}

        hook = self.part("transformer").register_forward_pre_hook(complete, with_kwargs=True)
        stack.callback(hook.remove)
