"""Keys of the settings about the training of the microworld's own models."""

from __future__ import annotations

from transporter.support.settings import Count, Times, section


@section
class VLMTraining:
    """Steps of the VLMs, by family."""

    qwen2_vl: Count = 3680
    """Steps of the Qwen2-VL."""
    video_llama3: Count = 5120
    """Steps of the VideoLLaMA 3, whose tokens of single frames learn speed last."""
    gemma3: Count = 3680
    """Steps of the Gemma 3."""


@section
class TrainingSettings:
    """Steps by which `train_models` trains the microworld's own models."""

    vae: Count = 12000
    """Steps of the video VAE."""
    vlms: VLMTraining = VLMTraining()
    generator: Count = 28000
    """Steps of text encoder and transformer."""
    probes: Count = 2100
    """Steps of the attribute classifiers."""
    clip_judge: Count = 1300
    """Steps of the video-text dual encoder."""
    planted: Count = 300
    """Steps by which a shipped VLM is taught a shortcut."""
    chunks: Times = 44
    """Clips that the generator is trained on, in chunks of 500."""
