"""CogVideoX text-to-video models through `diffusers.CogVideoXPipeline`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXPipeline

from transporter.generators.condition import Condition
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.support.errors import UserError


class CogVideoXGenerator(DiffusersGenerator):
    """A frozen CogVideoX pipeline; the arguments are those of `DiffusersGenerator`.

    The model is no flow: it takes in `x = alpha z_0 + beta noise` with `alpha^2 + beta^2 = 1` and
    predicts `v = alpha noise - beta z_0` (Salimans and Ho, "Progressive distillation", 2022). The
    two paths are the same up to scale. With `n^2 = (1 - sigma)^2 + sigma^2`,

        x = z_t / n at alpha = (1 - sigma) / n, beta = sigma / n,

    and solving for noise and `z_0` gives the velocity of flow matching

        noise - z_0 = (alpha + beta) v + (beta - alpha) x = (v + (2 sigma - 1) x) / n.

    The timestep is where the scheduler's table has this noise level, between two of its entries
    where need be, and its first or last entry beyond them.

    Clips are sampled by the pipeline's DDIM scheduler, also where the folder names the one that
    adds noise at every step: a clip must come from its seed alone.

    Raises:
        UserError: besides a size, a length of prompts or a kind of prediction that is not the
            model's.
    """

    pipeline_class = CogVideoXPipeline
    block_lists = ("transformer_blocks",)
    frame_axis = 1

    def _check(self, path: str, max_tokens: int) -> None:
        config = self.config("transformer")
        if max_tokens != config.max_text_seq_length:
            raise UserError(
                f"{path}: expected max_tokens = {config.max_text_seq_length}, the length that the"
                f" model was trained with, got {max_tokens}"
            )
        prediction = self.pipeline.scheduler.config.prediction_type
        if prediction != "v_prediction":
            raise UserError(f"{path}: expected a model of v_prediction, got {prediction}")
        latent_frames = (self.video_shape[0] - 1) // self._scales[0] + 1
        if latent_frames % self._patch[0]:
            raise UserError(
                f"{path}: expected frames whose number of latent frames is divisible by"
                f" {self._patch[0]}, got {self.video_shape[0]};"
                f" {self.video_shape[0] + self._scales[0]} works"
            )
        self.pipeline.scheduler = CogVideoXDDIMScheduler.from_config(self.pipeline.scheduler.config)

    def _statistics(self) -> tuple[Sequence[float], Sequence[float]]:
        return [0.0], [1 / self.pipeline.vae_scaling_factor_image]

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str]) -> Condition:
        self.load_text_encoders()
        embeddings, _ = self.pipeline.encode_prompt(
            list(captions),
            do_classifier_free_guidance=False,
            max_sequence_length=self.condition_shape[0],
            device=self.device,
        )
        return Condition(embeddings.float())

    @cached_property
    def _levels(self) -> torch.Tensor:
        """sigma of every timestep, rising."""
        alpha_squared = self.pipeline.scheduler.alphas_cumprod.double()
        alpha, beta = alpha_squared.sqrt(), (1 - alpha_squared).sqrt()
        return (beta / (alpha + beta)).float().to(self.device)

    def _timestep(self, sigma: torch.Tensor) -> torch.Tensor:
        last = len(self._levels) - 1
        above = torch.searchsorted(self._levels, sigma.contiguous()).clamp(1, last)
        low, high = self._levels[above - 1], self._levels[above]
        return (above - 1 + (sigma - low) / (high - low)).clamp(0, last)

    @cached_property
    def _rotary(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        if not self.config("transformer").use_rotary_positional_embeddings:
            return None
        _, frames, *_ = self.latent_shape
        return self.pipeline._prepare_rotary_positional_embeddings(
            *self.video_shape[2:], frames, self.device
        )

    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        level = sigma.view(-1, 1, 1, 1, 1)
        n = ((1 - level) ** 2 + level**2).sqrt()
        x = z_t / n
        transformer = self.part("transformer")
        v = self._predicted(
            transformer,
            self._layout(x),
            condition,
            timestep=self._timestep(sigma),
            image_rotary_emb=self._rotary,
        )
        return (self._layout(v) + (2 * level - 1) * x) / n

    def _negative(self, pi: Condition) -> torch.Tensor:
        """As many rows and tokens as the condition has, which may be two beside each other."""
        empty = self.unconditional().embeddings
        return empty.repeat(1, pi.embeddings.shape[1] // empty.shape[1], 1).expand_as(pi.embeddings)

    def _inputs(self, latents: torch.Tensor, pi: Condition, guidance: float) -> dict[str, Any]:
        return {
            "latents": self._cast(latents),
            "prompt_embeds": self._cast(pi.embeddings),
            "negative_prompt_embeds": self._cast(self._negative(pi)),
        }

    def _renewed(self, latents: torch.Tensor, pi: Condition, guidance: float) -> dict[str, Any]:
        # the loop works on both in one batch
        guided = [self._negative(pi), pi.embeddings] if guidance > 1 else [pi.embeddings]
        return {"latents": latents, "prompt_embeds": self._cast(torch.cat(guided))}
