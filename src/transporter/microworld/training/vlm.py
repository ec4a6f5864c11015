"""The microworld's VLM, trained: its vision tower learns to show the attributes, then all of it to caption and to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import Qwen2VLForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.video_utils import VideoMetadata

from transporter.microworld.attributes import WORDS, Attributes
from transporter.microworld.language import BOS, DESCRIBE, EOS, PAD, QUESTIONS, VIDEO, caption, sampled_words
from transporter.microworld.renderer import FPS, FRAMES
from transporter.microworld.training.clips import Clips, random_state
from transporter.microworld.training.loop import Schedule, Summary, fit
from transporter.microworld.training.optimiser import MuonAdamW
from transporter.microworld.training.vlm_model import CELL, IDS, TOKENS, TUBELET, build_video_processor, build_vlm

IGNORE = -100
VISION_SHARE = 0.4
"""Share of the training in which the vision tower learns alone, from linear readings of its tokens."""
HEADS_UNTIL, HEADS_WEIGHT = 0.8, 0.15
"""Share of the rest in which these readings still count, and their weight at its start."""
VAE_FROM = 0.7
"""Share of the rest after which an eighth of the clips are seen through the VAE."""
HARD = {"shape": 4.0, "size": 2.0, "speed": 2.0}
"""Weights of the attributes that are learnt last."""
LOCAL = 8.0
"""Weight of the shape that single tokens show."""
COVERED = 0.05
"""A token shows a shape when the sprite covers this share of its cell."""


class AttributeHeads(nn.Module):
    """Linear readings of the visual tokens that teach the vision tower and are dropped after training."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.Flatten(), nn.Linear(tokens * width, 256), nn.GELU())
        self.flat = nn.ModuleDict({name: nn.Linear(256, len(words)) for name, words in WORDS.items()})
        self.pooled = nn.ModuleDict({name: nn.Linear(width, len(words)) for name, words in WORDS.items()})
        self.local = nn.Linear(width, 1 + len(WORDS["shape"]))

    def forward(self, tokens: torch.Tensor, targets: dict[str, torch.Tensor], shapes: torch.Tensor) -> torch.Tensor:
        """Summed cross-entropy of the readings of `tokens` `(B, N, D)`.

        `targets` are probabilities `(B, words)` per attribute, read from all tokens and from their mean; `shapes` `(B, N)` are the
        indices of the shape that each token shows (0 for none), read token by token.
        """
        mixed, mean = self.mix(tokens), tokens.mean(1)
        losses = {k: F.cross_entropy(self.flat[k](mixed), y) + F.cross_entropy(self.pooled[k](mean), y) for k, y in targets.items()}
        local = F.cross_entropy(self.local(tokens).flatten(0, 1), shapes.flatten())
        return sum(HARD.get(name, 1.0) * loss for name, loss in losses.items()) + LOCAL * local


class _Taught(nn.Module):
    """The VLM, or its vision tower, and the heads that teach it, as one module for the loop."""

    def __init__(self, model: nn.Module, heads: AttributeHeads) -> None:
        super().__init__()
        self.model, self.head = model, heads


def augment(video: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Noise and blur, so that what a VAE does to a clip does not surprise the VLM; `(B, T, C, H, W)` in [0, 1]."""

    def draw() -> float:
        return float(torch.rand((), generator=generator))

    if draw() < 0.5:
        video = video + draw() * 0.06 * torch.randn(video.shape, generator=generator)
    if draw() < 0.3:
        blurred = F.avg_pool2d(video.flatten(0, 1), 3, 1, 1, count_include_pad=False).view_as(video)
        video = video.lerp(blurred, draw())
    return video.clamp(0, 1)


def conversation(attributes: Attributes, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Token ids and labels of a caption request or of all questions in random order."""
    words = sampled_words({name: attributes.probabilities(name) for name in WORDS}, rng)
    if rng.random() < 0.35:
        prompt, answer = DESCRIBE.split(), [*caption(attributes.words()).split(), EOS]
        ids = [IDS[token] for token in prompt + answer]
        return ids, [IGNORE] * len(prompt) + ids[len(prompt) :]
    ids, labels = [], []
    for name in rng.permutation(list(WORDS)):
        question = [IDS[token] for token in QUESTIONS[name].split()]
        ids += [*question, IDS[words[name]]]
        labels += [*[IGNORE] * len(question), ids[-1]]
    return ids, labels


def _padded(rows: list[list[int]], value: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])


class _World:
    """Draws batches; the frames are those that the model's own processor samples."""

    def __init__(self, vae_folder: Path) -> None:
        self.processor = build_video_processor()
        self.frames = self.processor.sample_frames(VideoMetadata(total_num_frames=FRAMES, fps=FPS)).numpy()
        self.load_vae = cache(lambda: AutoencoderKLWan.from_pretrained(vae_folder).eval())

    def draw(self, size: int, reconstructed: int, rng: np.random.Generator, generator: torch.Generator) -> _Batch:
        """`size` clips, the first `reconstructed` of them as the VAE gives them back."""
        clips = Clips.draw(size, rng)
        video, masks = clips.render(self.frames)
        if reconstructed:
            video[:reconstructed] = through_vae(self.load_vae(), clips[:reconstructed].video())[:, self.frames]
        pixels = self.processor(
            videos=list(augment(video, generator)), do_rescale=False, do_sample_frames=False, return_tensors="pt"
        )
        return _Batch(clips, pixels, _shown_shapes(masks, clips.attributes))


@dataclass(frozen=True)
class _Batch:
    """Clips, their frames as the vision tower takes them, and the shape that each token shows `(B, N)`."""

    clips: Clips
    pixels: Mapping[str, torch.Tensor]
    shapes: torch.Tensor

    @property
    def targets(self) -> dict[str, torch.Tensor]:
        """Probabilities of each attribute's words: `(B, words)`."""
        return {name: self.clips.targets(name) for name in WORDS}


def _shown_shapes(masks: torch.Tensor, attributes: list[Attributes]) -> torch.Tensor:
    """Which shape each token shows, 0 for none: masks `(B, T, H, W)` to `(B, N)`."""
    cover = F.avg_pool3d(masks.float(), (TUBELET, CELL, CELL)).flatten(1)
    shapes = torch.tensor([[1 + WORDS["shape"].index(a.shape)] for a in attributes])
    return torch.where(cover > COVERED, shapes, 0)


def _encode(vlm: Qwen2VLForConditionalGeneration, pixels: Mapping[str, torch.Tensor]) -> BaseModelOutputWithPooling:
    # with so few tokens the fused attention's backward pass costs a CPU more than the plain one's
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        return vlm.model.get_video_features(**pixels)


def _tokens(features: BaseModelOutputWithPooling) -> torch.Tensor:
    return torch.stack(list(features.pooler_output)).float()


def _language_loss(
    vlm: Qwen2VLForConditionalGeneration, features: BaseModelOutputWithPooling, batch: _Batch, rng: np.random.Generator
) -> torch.Tensor:
    """Cross-entropy of captions and answers about the clips of `batch`."""
    ids, labels = zip(*(conversation(a, rng) for a in batch.clips.attributes), strict=True)
    prefix = [IDS[BOS]] + [IDS[VIDEO]] * TOKENS
    input_ids = _padded([prefix + row for row in ids], IDS[PAD])
    targets = _padded([[IGNORE] * len(prefix) + row for row in labels], IGNORE)
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        logits = vlm(
            input_ids=input_ids,
            attention_mask=(input_ids != IDS[PAD]).long(),
            mm_encoder_outputs={"video": features},
            video_grid_thw=batch.pixels["video_grid_thw"],
            mm_token_type_ids=(input_ids == IDS[VIDEO]).int() * 2,
            use_cache=False,
        ).logits
    return F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), targets[:, 1:].flatten(), ignore_index=IGNORE)


def _teach_vision(
    vlm: Qwen2VLForConditionalGeneration, heads: AttributeHeads, world: _World, folder: Path, schedule: Schedule, batch: int
) -> Summary:
    """Train the vision tower and the heads in place."""

    def loss(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        clips = world.draw(batch, 0, random_state(generator), generator)
        return {"loss": heads(_tokens(_encode(vlm, clips.pixels)), clips.targets, clips.shapes)}

    taught = _Taught(vlm.model.visual, heads)
    return fit(taught, MuonAdamW(taught.named_parameters(), muon_lr=0.01, adam_lr=1.5e-3), loss, schedule, folder)[1]


def _teach_language(
    vlm: Qwen2VLForConditionalGeneration, heads: AttributeHeads, world: _World, folder: Path, schedule: Schedule, batch: int
) -> Summary:
    """Train the whole VLM in place, the heads fading out."""

    def loss(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        rng = random_state(generator)
        clips = world.draw(batch, batch // 8 if step >= VAE_FROM * schedule.steps else 0, rng, generator)
        features = _encode(vlm, clips.pixels)
        language = _language_loss(vlm, features, clips, rng)
        auxiliary = heads(_tokens(features), clips.targets, clips.shapes)
        weight = HEADS_WEIGHT * max(0.0, 1 - step / (HEADS_UNTIL * schedule.steps))
        return {"loss": language + weight * auxiliary, "language": language.detach(), "auxiliary": auxiliary.detach()}

    taught = _Taught(vlm, heads)
    return fit(taught, MuonAdamW(taught.named_parameters(), muon_lr=0.01, adam_lr=1.5e-3), loss, schedule, folder)[1]


def train_vlm(
    folder: Path, schedule: Schedule, vae_folder: Path, batch: int = 24
) -> tuple[Qwen2VLForConditionalGeneration, Summary]:
    """Train a VLM, resumable in `folder`: its vision tower alone (`folder/vision`), then all of it on captions and answers."""
    torch.manual_seed(schedule.seed)
    vlm, world = build_vlm(), _World(vae_folder)
    heads = AttributeHeads(TOKENS, vlm.config.text_config.hidden_size)
    alone = round(VISION_SHARE * schedule.steps)
    seen = _teach_vision(vlm, heads, world, folder / "vision", replace(schedule, steps=alone), batch)
    rest = replace(schedule, steps=schedule.steps - alone, seed=schedule.seed + 1)
    said = _teach_language(vlm, heads, world, folder, rest, batch)
    return vlm.eval(), replace(said, steps=schedule.steps, seed=schedule.seed, minutes=round(seen.minutes + said.minutes, 1))


@torch.no_grad()
def through_vae(vae: AutoencoderKLWan, video: torch.Tensor) -> torch.Tensor:
    """Encode and decode; `(B, T, C, H, W)` in [0, 1]."""
    z = vae.encode(video.transpose(1, 2) * 2 - 1).latent_dist.mode()
    return (vae.decode(z).sample.transpose(1, 2) / 2 + 0.5).clamp(0, 1)
