"""What the generators of `diffusers` share: the pipeline's own loop and scheduler, its condition
changed while it runs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cached_property
from typing import Any, ClassVar

import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from transporter.generators.base import Generator
from transporter.generators.condition import Condition
from transporter.generators.levels import levels_defined
from transporter.generators.modulation import Modulation, frame_mixing
from transporter.generators.parts import Parts
from transporter.generators.pipelines import load_pipeline, shifted
from transporter.generators.run import Run
from transporter.generators.running import Runner
from transporter.generators.stochastic import seeded_steps
from transporter.networks.frozen import kernels_to
from transporter.networks.hooks import Layer
from transporter.networks.pretrained import is_hollow
from transporter.networks.recompute import recomputed
from transporter.networks.running import quantised
from transporter.support.errors import UserError

TEXT_ENCODERS = ("text_encoder", "text_encoder_2")
TRANSFORMERS = ("transformer", "transformer_2")
SMALL = 10**9
"""Bytes of text encoders that stay when a job turns to videos."""


class DiffusersGenerator(Generator):
    """A frozen pipeline; a family adds `pipeline_class`, `block_lists`, `encode_text`, `velocity`,
    `_statistics` and `_inputs`.

    Its networks are loaded when they are first used: `part` gives them, and `config` what is known
    of them before. Large text encoders go when the first other network comes, and stay where they
    are needed once more after that: a job should encode all of its captions first.

    Args:
        path: folder or hub name that `from_pretrained` loads.
        frames, height, width, fps: the videos to make, at sizes that the model's VAE and patches
            divide.
        max_tokens: prompt length L.
        dtype: precision of the weights, but for the VAE's.
        vae_dtype: precision of the VAE. In bfloat16 clips may come out visibly worse than in
            float32, in which they are published.
        negative_prompt: what classifier-free guidance leads away from; by default no caption.
        revision: branch, tag or commit of a model on the hub.
        flow_shift: of the pipeline's scheduler, in place of its own.
        guidance_2: scale of guidance at the low noise levels of a second transformer, as Wan 2.2's
            A14B has; None is that of the first.
        running: keys of `settings.Running`, by which its networks are run.

    Raises:
        UserError: a size that the model cannot make, or a model of another kind; and when a network
            is first used, weights that are no safetensors or not all there. No code of the folder
            runs.
    """

    pipeline_class: ClassVar[type[DiffusionPipeline]]
    block_lists: ClassVar[tuple[str, ...]]
    """Names of the transformer's lists of blocks, in order."""
    _fused = False
    frame_axis: ClassVar[int] = 2
    """Of the latents as the pipeline has them: `(B, c, t, h, w)`, or 1 for `(B, t, c, h, w)`."""

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
        revision: str | None = None,
        vae_dtype: torch.dtype = torch.float32,
        negative_prompt: str = "",
        flow_shift: float | None = None,
        guidance_2: float | None = None,
        running: Mapping[str, Any] | None = None,
    ) -> None:
        self.device, self.fps, self.dtype = torch.device(device), fps, dtype
        self.negative_prompt, self._guidance_2 = negative_prompt, guidance_2
        self._runner = Runner(running, self.device)
        self.pipeline, loads = load_pipeline(
            self.pipeline_class, path, dtype, revision, {"vae": vae_dtype}, self._quantised
        )
        if flow_shift is not None:
            self.pipeline.scheduler = shifted(self.pipeline.scheduler, flow_shift, path)
        self._turned = is_hollow()
        if self.device.type != "cpu":
            self._fused = True
        self._parts = Parts(self.pipeline, loads, self._prepare)
        self.pipeline.set_progress_bar_config(disable=True)
        self.video_shape = (frames, 3, height, width)
        self._check_size(path)
        self._check_guidance(path)
        self._check(path, max_tokens)
        temporal, spatial = self._scales
        self.latent_shape = (
            self.config("transformer").in_channels,
            (frames - 1) // temporal + 1,
            height // spatial,
            width // spatial,
        )
        self.condition_shape = (max_tokens, self.config("text_encoder").hidden_size)
        self._mean, self._std = (
            torch.tensor(values, device=self.device).view(1, -1, 1, 1, 1)
            for values in self._statistics()
        )

    def _quantised(self, name: str, kind: type[nn.Module]) -> Mapping[str, Any]:
        return {} if name == "vae" else quantised(kind, self._runner.settings.quantisation)

    def _prepare(self, name: str, network: nn.Module) -> None:
        """Freeze a network, and lay out the VAE as the device wants it."""
        if name == "vae":
            self._prepare_vae(network)
        self._runner.prepare(network, name in TRANSFORMERS, self.pipeline)

    def _prepare_vae(self, vae: nn.Module) -> None:
        if self.device.type == "cpu":
            kernels_to(vae, torch.channels_last_3d)
        slicing, tiling = self._runner.settings.slicing, self._runner.settings.tiling
        if self._fused if slicing is None else slicing:
            vae.enable_slicing()
        if tiling:
            vae.enable_tiling()

    def part(self, name: str) -> nn.Module:
        """A network by its name in the pipeline, loaded now if it was not used before.

        Raises:
            UserError: its weights are no safetensors, or not all there.
        """
        if name not in TEXT_ENCODERS and not self._turned:
            self._turn_from_texts()
        return self._parts[name]

    def config(self, name: str) -> Any:
        """The configuration of a network, loaded or not."""
        return self._parts.configs[name]

    def _turn_from_texts(self) -> None:
        """Let go of large text encoders, with what guidance leads away from in hand."""
        present = self._parts.present(TEXT_ENCODERS)
        if sum(map(_bytes, map(self._parts.__getitem__, present))) > SMALL:
            self._turned = True
            self.unconditional()
            self._parts.free(TEXT_ENCODERS)

    def free(self) -> None:
        self._parts.free(tuple(self._parts.configs))

    def _networks(self, *names: str) -> Iterator[tuple[str, nn.Module]]:
        return ((name, self.part(name)) for name in self._parts.among(names))

    def transformers(self) -> Iterator[tuple[str, nn.Module]]:
        """The networks that denoise, by name; two where each has noise levels of its own."""
        return self._networks(*TRANSFORMERS)

    def networks(self) -> Iterator[tuple[str, nn.Module]]:
        """All that have weights, by name."""
        return self._networks(*TEXT_ENCODERS, "vae", *TRANSFORMERS)

    def load_text_encoders(self) -> None:
        """To be called before the pipeline encodes captions."""
        for name in self._parts.among(TEXT_ENCODERS):
            self.part(name)

    def as_on_gpu(self) -> None:
        """Compute as on a GPU, wherever the weights are: a clip at a time in the VAE, since one of
        full size is work enough and a batch may not fit in memory, and with fused attention.
        """
        self._fused = True
        if self._runner.settings.slicing is not False:
            self.part("vae").enable_slicing()

    @property
    def _scales(self) -> tuple[int, int]:
        """How many frames and pixels of a side a place of the latent stands for."""
        return self.pipeline.vae_scale_factor_temporal, self.pipeline.vae_scale_factor_spatial

    @property
    def _patch(self) -> tuple[int, int, int]:
        """Frames, rows and columns of the latent that one of the transformer's tokens holds."""
        config = self.config("transformer")
        if isinstance(config.patch_size, int):
            return (config.patch_size_t or 1, config.patch_size, config.patch_size)
        return tuple(config.patch_size)

    def _check_guidance(self, path: str) -> None:
        if self._guidance_2 is not None and self.pipeline.config.get("boundary_ratio") is None:
            raise UserError(
                f"{path}: guidance_2: expected a pipeline of two transformers, as Wan 2.2's A14B,"
                " got one of one; leave it null"
            )

    def _check_size(self, path: str) -> None:
        temporal, spatial = self._scales
        frames, _, height, width = self.video_shape
        if frames % temporal != 1:
            raise UserError(
                f"{path}: expected frames = {temporal} k + 1, got {frames};"
                f" {frames // temporal * temporal + 1} works"
            )
        for name, size, step in (
            ("height", height, spatial * self._patch[1]),
            ("width", width, spatial * self._patch[2]),
        ):
            if size % step:
                raise UserError(
                    f"{path}: expected {name} divisible by {step}, got {size};"
                    f" {size // step * step} works"
                )

    def _check(self, path: str, max_tokens: int) -> None:
        """Refuse what else the family's adapter cannot drive."""

    @abstractmethod
    def _statistics(self) -> tuple[Sequence[float], Sequence[float]]:
        """Mean and deviation of the VAE's latents, one of each or one per channel."""

    @abstractmethod
    def _inputs(self, latents: torch.Tensor, pi: Condition, guidance: float) -> dict[str, Any]:
        """What the pipeline's call takes in, and its loop after every step."""

    def _renewed(self, latents: torch.Tensor, pi: Condition, guidance: float) -> dict[str, Any]:
        """What the loop takes in after a step, where it is not what the call does."""
        return self._inputs(latents, pi, guidance)

    def _steered(self, stack: ExitStack, run: Run, guidance: float) -> None:
        """Hooks on the transformer while the pipeline runs, for what the loop takes only once."""

    @cached_property
    def _unconditional(self) -> Condition:
        return self.encode_text([self.negative_prompt])

    def unconditional(self) -> Condition:
        return self._unconditional

    def _cast(self, condition: torch.Tensor) -> torch.Tensor:
        """What is added up in float32 in the precision that the transformer takes in."""
        return condition.to(self.part("transformer").dtype)

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        self._runner.refuse_gradients(video)
        vae = self.part("vae")
        # (B, T, C, H, W) in [0, 1] -> (B, C, T, H, W) in [-1, 1]
        pixels = (video * 2 - 1).transpose(1, 2).to(vae.dtype)
        z = vae.encode(pixels).latent_dist.mode()
        return (z.float() - self._mean) / self._std

    def decode(self, z_xi: torch.Tensor) -> torch.Tensor:
        self._runner.refuse_gradients(z_xi)
        vae = self.part("vae")
        z = (z_xi * self._std + self._mean).to(vae.dtype)
        # (B, C, T, H, W) in [-1, 1] -> (B, T, C, H, W) in [0, 1]
        return vae.decode(z).sample.float().transpose(1, 2) / 2 + 0.5

    def _predicted(
        self, transformer: nn.Module, latents: torch.Tensor, pi: Condition, **others: Any
    ) -> torch.Tensor:
        """What a transformer gives for latents as the pipeline has them."""
        self._runner.refuse_gradients(latents, pi.embeddings)
        with self._kernels():
            return transformer(
                hidden_states=latents.to(transformer.dtype),
                encoder_hidden_states=pi.embeddings.to(transformer.dtype),
                return_dict=False,
                **others,
            )[0].float()

    def _kernels(self) -> AbstractContextManager[None]:
        # on a CPU the fused attention's backward pass is the slower one
        plain = not self._fused and torch.is_grad_enabled()
        return sdpa_kernel(SDPBackend.MATH) if plain else nullcontext()

    @contextmanager
    def recomputing(self) -> Iterator[None]:
        with self._parts.within(self._recomputed):
            yield

    def _recomputed(self, name: str, network: nn.Module) -> AbstractContextManager[None]:
        """What a network computes in while `recomputing` is open."""
        if name in TEXT_ENCODERS:
            return nullcontext()
        return recomputed(network, self._kernels if name in TRANSFORMERS else nullcontext)

    def blocks(self) -> tuple[Layer, ...]:
        lists = {
            f"{name}.{part}": getattr(transformer, part)
            for name, transformer in self.transformers()
            for part in self.block_lists
        }
        return tuple(
            Layer(f"{name}.{index}", block)
            for name, members in lists.items()
            for index, block in enumerate(members)
        )

    @property
    def block_grid(self) -> tuple[int, int, int]:
        sides = zip(self.latent_shape[1:], self._patch, strict=True)
        return tuple(side // patch for side, patch in sides)

    def sigmas(self, steps: int) -> list[float]:
        """Those of the pipeline's scheduler, where it is one of flow matching."""
        config = self.pipeline.scheduler.config
        flow = isinstance(self.pipeline.scheduler, FlowMatchEulerDiscreteScheduler)
        if not (flow or config.get("use_flow_sigmas")) or config.get("use_dynamic_shifting"):
            return super().sigmas(steps)
        scheduler = type(self.pipeline.scheduler).from_config(config)
        with levels_defined(scheduler, steps):
            scheduler.set_timesteps(steps)
        return scheduler.sigmas.tolist()

    def noise(self, seeds: Sequence[int]) -> torch.Tensor:
        """Starting noise `(B, c, t, h, w)`, each clip's from its own seed."""
        draws = [
            torch.randn(self.latent_shape, generator=torch.Generator().manual_seed(seed))
            for seed in seeds
        ]
        return torch.stack(draws).to(self.device)

    def _layout(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents as we have them to the pipeline's, and back."""
        return latents if self.frame_axis == 2 else latents.transpose(1, 2)

    @torch.no_grad()
    def sample(
        self,
        condition: Condition,
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
        models = dict(self.transformers())
        run = Run(condition, modulation, steps, self.pipeline.scheduler)
        begun = self._inputs(*run.at(0, self._layout(self.noise(seeds))), guidance)

        def renew(_: Any, step: int, timestep: Any, tensors: Mapping[str, Any]) -> dict[str, Any]:
            return self._renewed(*run.at(step + 1, tensors["latents"]), guidance)

        with ExitStack() as stack:
            stack.enter_context(self._runner.sampling(list(models.values()), steps))
            stack.enter_context(levels_defined(self.pipeline.scheduler, steps))
            stack.enter_context(seeded_steps(self.pipeline.scheduler, seeds))
            self._steered(stack, run, guidance)
            if run.doubled:
                mask = modulation.mask(self.latent_shape[1])
                for model in models.values():
                    tokens = self.condition_shape[0]
                    stack.enter_context(frame_mixing(model, tokens, mask, self.frame_axis))
            latents = self.pipeline(
                **begun,
                height=self.video_shape[2],
                width=self.video_shape[3],
                num_frames=self.video_shape[0],
                num_inference_steps=steps,
                guidance_scale=guidance,
                callback_on_step_end=renew,
                callback_on_step_end_tensor_inputs=["latents"],
                output_type="latent",
            ).frames.float()
        return self._layout(latents)


def _bytes(network: nn.Module) -> int:
    return sum(weight.nbytes for weight in network.parameters())
