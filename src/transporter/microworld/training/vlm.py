"""The microworld's VLM: a small `Qwen2VLForConditionalGeneration` that captions a clip and answers about one attribute."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

from transporter.microworld.attributes import WORDS, Attributes, draw_attributes
from transporter.microworld.language import (
    BOS,
    DESCRIBE,
    EOS,
    IMAGE,
    PAD,
    QUESTIONS,
    VIDEO,
    build_tokenizer,
    caption,
    sampled_words,
    vocabulary,
)
from transporter.microworld.renderer import SIZE, draw_layout, render
from transporter.microworld.training.loop import Schedule, Summary, fit
from transporter.microworld.training.optimiser import MuonAdamW

PATCH, MERGE, TUBELET = 8, 2, 9
"""Tubelets of nine frames: with fewer frames per token motion was not learnt in a short training."""
_PIXELS = {
    "size": {"shortest_edge": SIZE * SIZE, "longest_edge": SIZE * SIZE},
    "patch_size": PATCH,
    "merge_size": MERGE,
    "temporal_patch_size": TUBELET,
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
}
CHAT_TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}" + f"{BOS} {VIDEO} " + "{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}"
)
IDS = {token: index for index, token in enumerate(vocabulary())}
IGNORE = -100
HARD = {"shape": 4.0, "size": 2.0, "speed": 2.0}
"""Weights of the attributes that are learnt last."""
VAE_FROM = 0.8
"""Share of the training after which the VLM also sees reconstructed clips."""


def build_vlm(vision: int = 256, vision_layers: int = 3, hidden: int = 128, layers: int = 4) -> Qwen2VLForConditionalGeneration:
    """An untrained VLM; a clip becomes 2 x 4 x 4 = 32 visual tokens of width `hidden`."""
    heads = 4
    half = hidden // heads // 2
    section = [half - 2 * (half * 3 // 8), half * 3 // 8, half * 3 // 8]
    config = Qwen2VLConfig(
        vision_config={
            "depth": vision_layers,
            "embed_dim": vision,
            "hidden_size": hidden,
            "num_heads": heads,
            "mlp_ratio": 3,
            "patch_size": PATCH,
            "temporal_patch_size": TUBELET,
            "spatial_merge_size": MERGE,
            "in_channels": 3,
        },
        text_config={
            "vocab_size": len(IDS),
            "hidden_size": hidden,
            "intermediate_size": 3 * hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "max_position_embeddings": 512,
            "tie_word_embeddings": True,
            "bos_token_id": IDS[BOS],
            "eos_token_id": IDS[EOS],
            "pad_token_id": IDS[PAD],
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0, "mrope_section": section},
        },
        image_token_id=IDS[IMAGE],
        video_token_id=IDS[VIDEO],
        vision_start_token_id=IDS[BOS],
        vision_end_token_id=IDS[BOS],
        tie_word_embeddings=True,
    )
    return Qwen2VLForConditionalGeneration(config)


def build_video_processor() -> Qwen2VLVideoProcessor:
    """The family's own processor, told to keep 64 x 64 pixels."""
    return Qwen2VLVideoProcessor(**_PIXELS, cap_pixels_per_frame=False)


def build_processor() -> Qwen2VLProcessor:
    """Tokenizer, pixel processors and chat template, as `AutoProcessor` loads them from the model's folder."""
    tokenizer = build_tokenizer(max_length=512, append_eos=False, extra_special_tokens={"video_token": VIDEO, "image_token": IMAGE})
    return Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(**_PIXELS),
        tokenizer=tokenizer,
        video_processor=build_video_processor(),
        chat_template=CHAT_TEMPLATE,
    )


class AttributeHeads(nn.Module):
    """Linear readings of the visual tokens that speed training up and are dropped after it."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.Flatten(), nn.Linear(tokens * width, 256), nn.GELU())
        self.flat = nn.ModuleDict({name: nn.Linear(256, len(words)) for name, words in WORDS.items()})
        self.pooled = nn.ModuleDict({name: nn.Linear(width, len(words)) for name, words in WORDS.items()})

    def forward(self, tokens: torch.Tensor, targets: dict[str, torch.Tensor]) -> torch.Tensor:
        """Summed cross-entropy of both readings against soft targets; `tokens` `(B, N, D)`."""
        mixed, mean = self.mix(tokens), tokens.mean(1)
        losses = {k: F.cross_entropy(self.flat[k](mixed), y) + F.cross_entropy(self.pooled[k](mean), y) for k, y in targets.items()}
        return sum(HARD.get(name, 1.0) * loss for name, loss in losses.items())


class _Trained(nn.Module):
    """The VLM and its training-only heads as one module for the loop."""

    def __init__(self, vlm: nn.Module, heads: nn.Module) -> None:
        super().__init__()
        self.vlm, self.head = vlm, heads


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


def train_vlm(folder: Path, schedule: Schedule, vae_folder: Path, batch: int = 24) -> tuple[nn.Module, Summary]:
    """Train a VLM, resumable in `folder`; in the last fifth of the steps an eighth of the clips are seen through the VAE."""
    torch.manual_seed(schedule.seed)
    vlm = build_vlm()
    frames_after = 2 * (SIZE // PATCH // MERGE) ** 2
    trained = _Trained(vlm, AttributeHeads(frames_after, vlm.config.text_config.hidden_size))
    processor = build_video_processor()
    load_vae = cache(lambda: AutoencoderKLWan.from_pretrained(vae_folder).eval())
    optimiser = MuonAdamW(trained.named_parameters(), muon_lr=0.02, adam_lr=1.5e-3)

    def loss(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        attributes = [draw_attributes(rng, held_out=False) for _ in range(batch)]
        clips = np.stack([render(a, draw_layout(a, rng))[0] for a in attributes])
        video = torch.from_numpy(clips).permute(0, 1, 4, 2, 3).float() / 255
        if step >= VAE_FROM * schedule.steps:
            video[: batch // 8] = through_vae(load_vae(), video[: batch // 8])
        pixels = processor(videos=list(augment(video, generator)), do_rescale=False, return_tensors="pt")
        ids, labels = zip(*(conversation(a, rng) for a in attributes), strict=True)
        prefix = [IDS[BOS]] + [IDS[VIDEO]] * frames_after
        input_ids = _padded([prefix + row for row in ids], IDS[PAD])
        targets = _padded([[IGNORE] * len(prefix) + row for row in labels], IGNORE)
        # with so few tokens the fused attention's backward pass costs a CPU more than the plain one's
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            features = vlm.model.get_video_features(**pixels)
            logits = vlm(
                input_ids=input_ids,
                attention_mask=(input_ids != IDS[PAD]).long(),
                mm_encoder_outputs={"video": features},
                video_grid_thw=pixels["video_grid_thw"],
                mm_token_type_ids=(input_ids == IDS[VIDEO]).int() * 2,
                use_cache=False,
            ).logits
        language = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), targets[:, 1:].flatten(), ignore_index=IGNORE)
        tokens = torch.stack(list(features.pooler_output)).float()
        soft = {k: torch.from_numpy(np.stack([a.probabilities(k) for a in attributes])).float() for k in WORDS}
        auxiliary = trained.head(tokens, soft)
        weight = 0.15 * max(0.0, 1 - step / (0.8 * schedule.steps))
        return {"loss": language + weight * auxiliary, "language": language.detach(), "auxiliary": auxiliary.detach()}

    _, summary = fit(trained, optimiser, loss, schedule, folder)
    return vlm.eval(), summary


@torch.no_grad()
def through_vae(vae: AutoencoderKLWan, video: torch.Tensor) -> torch.Tensor:
    """Encode and decode; `(B, T, C, H, W)` in [0, 1]."""
    z = vae.encode(video.transpose(1, 2) * 2 - 1).latent_dist.mode()
    return (vae.decode(z).sample.transpose(1, 2) / 2 + 0.5).clamp(0, 1)
