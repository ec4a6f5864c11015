"""How the networks of a pipeline are run: `diffusers` and `accelerate` do what the settings ask."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from accelerate import cpu_offload, cpu_offload_with_hook
from accelerate.hooks import UserCpuOffloadHook
from diffusers import (
    DiffusionPipeline,
    FirstBlockCacheConfig,
    TaylorSeerCacheConfig,
)
from diffusers.hooks import apply_group_offloading
from diffusers.models.attention_dispatch import attention_backend
from torch import nn

from transporter.generators.settings import Running
from transporter.networks.frozen import frozen
from transporter.networks.pretrained import is_hollow
from transporter.networks.running import asked_for
from transporter.support.errors import UserError
from transporter.support.settings import read_settings

CACHES = {
    "first_block": FirstBlockCacheConfig,
    # otherwise the library looks for layers by names that Wan's have not
    "taylorseer": partial(TaylorSeerCacheConfig, use_lite_mode=True),
}
FEW = 8
"""Sampling steps for which low-rank weights are made that do with few."""


class Runner:
    """Does what the settings `running` ask, to one network of a pipeline after the other."""

    def __init__(self, settings: Mapping[str, Any] | None, device: torch.device) -> None:
        self.settings = read_settings(Running, dict(settings or {}), "running")
        self._device = device
        self._before: UserCpuOffloadHook | None = None
        if self.settings.lora and self.settings.quantisation:
            raise UserError(
                "running.lora: expected weights that are not quantised, got running.quantisation:"
                f" {self.settings.quantisation}; leave one out"
            )
        if self.settings.cache:
            _tell(
                f"running.cache: {self.settings.cache} changes clips, and not as much at every"
                " strength; compare no strengths with it"
            )

    def prepare(self, network: nn.Module, denoises: bool, pipeline: DiffusionPipeline) -> None:
        """Freeze a network and run it as the settings say; one without weights only stands for
        what takes as much room.
        """
        asked, hollow = self.settings, is_hollow()
        if denoises and asked.lora and not hollow:
            _merge(network, pipeline, asked.lora, asked.lora_scale)
        stays = asked.offload or (asked.quantisation or "").startswith("bitsandbytes")
        frozen(network, None if stays else self._device)
        if denoises and asked.storage:
            network.enable_layerwise_casting(getattr(torch, asked.storage), network.dtype)
        if hollow:
            return
        if denoises and asked.attention:
            # the library would have all other networks of this process follow
            with (
                asked_for("attention", asked.attention),
                attention_backend(asked.attention),
            ):
                network.set_attention_backend(asked.attention)
        if asked.offload:
            self._offload(network, denoises)
        if denoises and asked.compile:
            network.compile_repeated_blocks(fullgraph=True)

    def _offload(self, network: nn.Module, denoises: bool) -> None:
        if self.settings.offload == "model":
            # what was used before goes when this one comes
            _, self._before = cpu_offload_with_hook(network, self._device, self._before)
        elif self.settings.offload == "sequential":
            cpu_offload(network, self._device, offload_buffers=True)
        else:
            kind = {"offload_type": "leaf_level"}
            if denoises:
                kind = {"offload_type": "block_level", "num_blocks_per_group": 1}
            apply_group_offloading(network, self._device, torch.device("cpu"), **kind)

    @contextmanager
    def sampling(self, networks: Sequence[nn.Module], steps: int) -> Iterator[None]:
        """While open, steps of sampling take from those before what the settings allow."""
        if self.settings.lora and steps <= FEW:
            _tell(
                f"running.lora: low-rank weights for {steps} steps slow what moves; make no"
                " question of speed of these clips"
            )
        with ExitStack() as stack:
            for network in networks if self.settings.cache else ():
                network.enable_cache(CACHES[self.settings.cache]())
                stack.callback(network.disable_cache)
            yield

    def refuse_gradients(self, *inputs: torch.Tensor) -> None:
        """Raise a `UserError` where a gradient is wanted, for which weights would have to stay."""
        asked = self.settings.offload
        if asked and torch.is_grad_enabled() and any(part.requires_grad for part in inputs):
            raise UserError(
                "running.offload: expected null where an objective follows a gradient, got"
                f" {asked}; or take bank.form: map"
            )


def _merge(network: nn.Module, pipeline: DiffusionPipeline, place: str, scale: float) -> None:
    """Add low-rank weights to those of a network, which stays of the same layers."""
    with asked_for("lora", place):
        weights = pipeline.lora_state_dict(place, use_safetensors=True)
        weights = weights[0] if isinstance(weights, tuple) else weights
        pipeline.load_lora_into_transformer(weights, network)
        network.fuse_lora(scale)
        network.unload_lora()


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
