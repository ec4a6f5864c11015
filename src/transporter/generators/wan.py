"""Wan 2.1 and 2.2 text-to-video models through `diffusers.WanPipeline`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from diffusers import WanPipeline
from torch import nn

from transporter.generators.condition import Condition
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.networks.recompute import again


class WanGenerator(DiffusersGenerator):
    """A frozen Wan pipeline; the arguments are those of `DiffusersGenerator`.

    Prompts shorter than L tokens are padded with zeros, as the pipeline does. Where a pipeline has
    two transformers, each is asked at its own noise levels; where it tells a timestep of every
    token (TI2V, which also continues an image), all of a clip's are the same.
    """

    pipeline_class = WanPipeline
    block_lists = ("blocks",)

    def _statistics(self) -> tuple[Sequence[float], Sequence[float]]:
        config = self.config("vae")
        return config.latents_mean, config.latents_std

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str]) -> Condition:
        self.load_text_encoders()
        embeddings, _ = self.pipeline.encode_prompt(
            prompt=list(captions),
            do_classifier_free_guidance=False,
            max_sequence_length=self.condition_shape[0],
            device=self.device,
        )
        return Condition(embeddings.float())

    @contextmanager
    def _recomputed(self, name: str, network: nn.Module) -> Iterator[None]:
        decoder = _decoded_again(network.decoder) if name == "vae" else nullcontext()
        with super()._recomputed(name, network), decoder:
            yield

    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        boundary = self.pipeline.config.boundary_ratio
        # where nothing has values, either transformer stands for both: they are of one size
        if boundary is None or sigma.is_meta or bool((sigma >= boundary).all()):
            return self._velocity(self.part("transformer"), z_t, sigma, condition)
        if bool((sigma < boundary).all()):
            return self._velocity(self.part("transformer_2"), z_t, sigma, condition)
        rows = [slice(row, row + 1) for row in range(len(sigma))]
        return torch.cat([self.velocity(z_t[r], sigma[r], condition[r]) for r in rows])

    def _velocity(
        self, model: nn.Module, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        timestep = sigma * self.pipeline.scheduler.config.num_train_timesteps
        if self.pipeline.config.expand_timesteps:
            # (B,) -> (B, tokens)
            timestep = timestep[:, None].expand(-1, math.prod(self.block_grid))
        return self._predicted(model, z_t, condition, timestep=timestep)

    def _inputs(self, latents: torch.Tensor, pi: Condition, guidance: float) -> dict[str, Any]:
        second = {} if self._guidance_2 is None else {"guidance_scale_2": self._guidance_2}
        return {
            **second,
            "latents": latents,
            "prompt_embeds": self._cast(pi.embeddings),
            "negative_prompt_embeds": self._cast(
                self.unconditional().expand(len(latents)).embeddings
            ),
        }


@contextmanager
def _decoded_again(decoder: nn.Module) -> Iterator[None]:
    """While open, the backward pass decodes each latent frame again; kept are the last frames of
    every convolution's input, which the next latent frame starts from.

    The VAE has no gradient checkpointing of its own.
    """
    decode = decoder.forward

    def act(
        x: torch.Tensor, first_chunk: bool, *before: Any
    ) -> tuple[torch.Tensor, tuple[Any, ...]]:
        frames = list(before)
        video = decode(x, feat_cache=frames, feat_idx=[0], first_chunk=first_chunk)
        return video, tuple(frames)

    def forward(
        x: torch.Tensor, feat_cache: list[Any], feat_idx: list[int], first_chunk: bool = False
    ) -> torch.Tensor:
        video, feat_cache[:] = again(act, x, first_chunk, *feat_cache)
        return video

    decoder.forward = forward
    try:
        yield
    finally:
        del decoder.forward
