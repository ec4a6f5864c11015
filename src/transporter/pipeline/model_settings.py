"""Keys of the settings about generators and VLMs."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Strict

from transporter.generators.settings import Running
from transporter.pipeline.setting_types import Frames, Options, Pixels, Precision
from transporter.support.settings import (
    Guidance,
    Inside,
    Place,
    Positive,
    Rate,
    Revision,
    Text,
    Times,
    section,
)
from transporter.vlms.settings import Running as VLMRunning


@section
class GeneratorSettings:
    """A text-to-video model."""

    adapter: Text
    """Which adapter drives the model, an installed one or `module:Class` (docs/models.md)."""
    path: Place
    """A folder that `from_pretrained` loads, or the model's name on the Hugging Face hub."""
    dtype: Precision = "float32"
    """Precision of the weights."""
    frames: Frames = 17
    """Frames per video."""
    height: Pixels = 64
    """Height of the videos in pixels."""
    width: Pixels = 64
    """Width of the videos in pixels."""
    fps: Rate = 8
    """Frames per second."""
    max_tokens: Annotated[int, Strict(), Ge(1), Le(100_000)] = 16
    """Length of the text condition in tokens."""
    steps: Times = 12
    """Sampling steps."""
    guidance: Guidance = 4.0
    """Scale of classifier-free guidance; 1 is none."""
    guidance_2: Guidance | None = None
    """That of Wan 2.2's second transformer, which denoises the low levels; null is `guidance`."""
    flow_shift: Positive | None = None
    """Of the scheduler, how far noise levels lean to the high ones; null is the pipeline's own."""
    negative_prompt: Text | None = None
    """What guidance leads away from; null is no caption."""
    vae_dtype: Precision | None = None
    """Precision of the VAE, or null for the adapter's default, float32: in bfloat16 clips may come
    out visibly worse.
    """
    revision: Revision | None = None
    """Branch, tag or commit of a model on the hub, or null for its main branch."""
    running: Running = Running()
    options: Options | None = None
    """Further arguments of the adapter's constructor, or null."""


@section
class VLMSettings:
    """A video vision-language model."""

    adapter: Text
    """Which adapter drives the model, an installed one or `module:Class` (docs/models.md)."""
    path: Place
    """A folder that `from_pretrained` loads, or the model's name on the Hugging Face hub."""
    dtype: Precision = "float32"
    """Precision of the weights."""
    describe: Text = "Describe the video."
    """The prompt that asks for a caption."""
    caption_tokens: Times | None = None
    """Length of a caption in tokens, at most; null is the adapter's default, 32."""
    revision: Revision | None = None
    """Branch, tag or commit of a model on the hub, or null for its main branch."""
    frames: Annotated[Frames, Le(1000)] | None = None
    """Frames per clip that the model is shown, each from the middle of one of as many equal
    stretches; null is the adapter's default, 8 of an image model (`gemma3`, `phi4_multimodal`), and
    of a video model (all others) those that its own processor picks.
    """
    max_pixels: Annotated[int, Strict(), Ge(28 * 28), Le(10**8)] | None = None
    """Pixels of a frame that a video model is shown, at most, larger ones being scaled down; null
    is what its own processor allows. Models that see all frames at one size have no such key.
    """
    fps: Rate | None = None
    """Frames per second that a video model is told the clips have, if it asks; null is the
    generator's.
    """
    pooled_tokens: Times | None = None
    """Visual tokens that a clip has at most, for Phi and for the language model: means of
    neighbours in time and space, each shown in all of their places; null is all that the model
    makes. A model with fewer is not quite the model itself.
    """
    lora: Inside | None = None
    """Folder within `path` of low-rank weights that `phi4_multimodal` adds, or null; needs the
    package `peft`.
    """
    running: VLMRunning = VLMRunning()
    options: Options | None = None
    """Further arguments of the adapter's constructor, or null."""
