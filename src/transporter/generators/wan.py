"""Wan 2.1 and 2.2 text-to-video models through `diffusers.WanPipeline`, its scheduler and
its loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext

import torch
from diffusers import WanPipeline
from torch.nn.attention import SDPBackend, sdpa_kernel

from transporter.generators.base import Generator
from transporter.generators.modulation import WHOLE, Modulation, frame_mixing
from transporter.networks.frozen import frozen, kernels_to
from transporter.support.errors import UserError


class WanGenerator(Generator):
    """A frozen Wan pipeline.

    Args:
        path: folder or hub name that `WanPipeline.from_pretrained` loads.
        frames, height, width, fps: the videos to make; frames must be 4 k + 1, height and width
            divisible by 16.
        max_tokens: prompt length L; shorter prompts are padded with zeros, as the pipeline does.
        dtype: precision of transformer and text encoder.

    Raises:
        UserError: a size that the model cannot make.
    """

    def __init__(
        self,
        path: str,
        frames: int,
        height: int,
        width: int,
        fps: float,
        max_tokens: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.pipeline = WanPipeline.from_pretrained(path, dtype=dtype)
        self.pipeline.set_progress_bar_config(disable=True)
        self._check(path, frames, height, width)
        pipeline = self.pipeline
        for module in (
            pipeline.text_encoder,
            pipeline.vae,
            pipeline.transformer,
            pipeline.transformer_2,
        ):
            if module is not None:
                frozen(module, self.device)
        if self.device.type == "cpu":
            kernels_to(pipeline.vae, torch.channels_last_3d)
        else:
            # one clip of full size is work enough, and a batch of them may not fit in memory
            pipeline.vae.enable_slicing()
        temporal, spatial = pipeline.vae_scale_factor_temporal, pipeline.vae_scale_factor_spatial
        self.fps = fps
        self.video_shape = (frames, 3, height, width)
        self.latent_shape = (
            pipeline.vae.config.z_dim,
            (frames - 1) // temporal + 1,
            height // spatial,
            width // spatial,
        )
        self.condition_shape = (max_tokens, pipeline.text_encoder.config.d_model)
        statistics = (pipeline.vae.config.latents_mean, pipeline.vae.config.latents_std)
        self._mean, self._std = (
            torch.tensor(s, device=self.device).view(1, -1, 1, 1, 1) for s in statistics
        )

    def _check(self, path: str, frames: int, height: int, width: int) -> None:
        temporal, spatial = (
            self.pipeline.vae_scale_factor_temporal,
            self.pipeline.vae_scale_factor_spatial,
        )
        patch = self.pipeline.transformer.config.patch_size
        if frames % temporal != 1:
            raise UserError(
                f"{path}: expected frames = {temporal} k + 1, got {frames};"
                f" {frames // temporal * temporal + 1} works"
            )
        for name, size, step in (
            ("height", height, spatial * patch[1]),
            ("width", width, spatial * patch[2]),
        ):
            if size % step:
                raise UserError(
                    f"{path}: expected {name} divisible by {step}, got {size};"
                    f" {size // step * step} works"
                )
        if self.pipeline.config.expand_timesteps:
            raise UserError(
                f"{path}: expected a text-to-video model with one timestep per clip, got one with a"
                " timestep per token"
            )

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str]) -> torch.Tensor:
        length = self.condition_shape[0]
        return self.pipeline.encode_prompt(
            prompt=list(captions),
            do_classifier_free_guidance=False,
            max_sequence_length=length,
            device=self.device,
        )[0]

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        # (B, T, C, H, W) in [0, 1] -> (B, C, T, H, W) in [-1, 1]
        pixels = (video * 2 - 1).transpose(1, 2).to(self.pipeline.vae.dtype)
        z = self.pipeline.vae.encode(pixels).latent_dist.mode()
        return (z.float() - self._mean) / self._std

    def decode(self, z_xi: torch.Tensor) -> torch.Tensor:
        z = (z_xi * self._std + self._mean).to(self.pipeline.vae.dtype)
        # (B, C, T, H, W) in [-1, 1] -> (B, T, C, H, W) in [0, 1]
        return self.pipeline.vae.decode(z).sample.float().transpose(1, 2) / 2 + 0.5

    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: torch.Tensor
    ) -> torch.Tensor:
        boundary = self.pipeline.config.boundary_ratio
        if boundary is None or bool((sigma >= boundary).all()):
            return self._velocity(self.pipeline.transformer, z_t, sigma, condition)
        if bool((sigma < boundary).all()):
            return self._velocity(self.pipeline.transformer_2, z_t, sigma, condition)
        return torch.cat(
            [
                self.velocity(*row)
                for row in zip(z_t.split(1), sigma.split(1), condition.split(1), strict=True)
            ]
        )

    def _velocity(
        self,
        model: torch.nn.Module,
        z_t: torch.Tensor,
        sigma: torch.Tensor,
        condition: torch.Tensor,
    ) -> torch.Tensor:
        steps = self.pipeline.scheduler.config.num_train_timesteps
        # on a CPU the fused attention's backward pass is the slower one
        plain = self.device.type == "cpu" and torch.is_grad_enabled()
        with sdpa_kernel(SDPBackend.MATH) if plain else nullcontext():
            return model(
                hidden_states=z_t.to(model.dtype),
                timestep=sigma * steps,
                encoder_hidden_states=condition.to(model.dtype),
                return_dict=False,
            )[0].float()

    def noise(self, seeds: Sequence[int]) -> torch.Tensor:
        """Starting noise `(B, c, t, h, w)`, each clip's from its own seed."""
        draws = [
            torch.randn(self.latent_shape, generator=torch.Generator().manual_seed(seed))
            for seed in seeds
        ]
        return torch.stack(draws).to(self.device)

    @torch.no_grad()
    def sample(
        self,
        condition: torch.Tensor,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        modulation: Modulation | None = None,
    ) -> torch.Tensor:
        if len(seeds) != len(condition):
            raise ValueError(
                f"Expected one seed per condition, got {len(seeds)} seeds for {len(condition)}"
                " conditions"
            )
        run = _Run(self, condition, modulation, steps)
        with ExitStack() as stack:
            if run.doubled:
                mask = modulation.frame_mask(self.latent_shape[1])
                for model in (self.pipeline.transformer, self.pipeline.transformer_2):
                    if model is not None:
                        stack.enter_context(frame_mixing(model, self.condition_shape[0], mask))
            return self.pipeline(
                **run.tensors(0, self.noise(seeds)),
                height=self.video_shape[2],
                width=self.video_shape[3],
                num_frames=self.video_shape[0],
                num_inference_steps=steps,
                guidance_scale=guidance,
                callback_on_step_end=lambda pipeline, step, timestep, tensors: run.tensors(
                    step + 1, tensors["latents"]
                ),
                callback_on_step_end_tensor_inputs=["latents"],
                output_type="latent",
            ).frames.float()


class _Run:
    """What the pipeline works on at each step of one call.

    Until the modulation begins, the rows that share a condition and a noise run as one; then the
    batch grows to one row per delta. With partial frames, base and modulated condition stand side
    by side (2 L tokens).
    """

    def __init__(
        self,
        generator: WanGenerator,
        condition: torch.Tensor,
        modulation: Modulation | None,
        steps: int,
    ) -> None:
        self.modulation, self.steps = modulation, steps
        self.doubled = modulation is not None and modulation.frames != WHOLE
        self.copies = 1 if modulation is None else len(modulation.delta) // len(condition)
        self.rows, self.condition = len(condition), condition.repeat_interleave(self.copies, dim=0)
        self.empty = generator.encode_text([""])
        self.scheduler = generator.pipeline.scheduler

    def tensors(self, step: int, latents: torch.Tensor) -> dict[str, torch.Tensor]:
        """The pipeline's tensors for `step`, its batch grown once the modulation is active (or the
        last step is over).
        """
        active = self.modulation is not None and self.modulation.active(step, self.steps)
        if (active or step == self.steps) and len(latents) == self.rows:
            latents = latents.repeat_interleave(self.copies, dim=0)
            self._grow_scheduler()
        condition = (
            self.condition
            if len(latents) == len(self.condition)
            else self.condition[:: self.copies]
        )
        if active:
            modulated = condition + self.modulation.delta
            condition = torch.cat([condition, modulated], dim=1) if self.doubled else modulated
        negative = self.empty.expand(len(latents), -1, -1)
        return {"latents": latents, "prompt_embeds": condition, "negative_prompt_embeds": negative}

    def _grow_scheduler(self) -> None:
        """Multistep schedulers remember earlier outputs, one row per row of the batch."""

        def grown(value: object) -> object:
            if isinstance(value, list):
                return [grown(item) for item in value]
            batch = isinstance(value, torch.Tensor) and value.ndim > 1 and len(value) == self.rows
            return value.repeat_interleave(self.copies, dim=0) if batch else value

        for name, value in list(vars(self.scheduler).items()):
            setattr(self.scheduler, name, grown(value))
