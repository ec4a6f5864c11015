"""The clip judge, the microworld's CLIP: a video tower and a text tower whose embeddings agree
where a caption fits a clip.

It shares no weight, architecture or seed with the generator and the VLMs, so that it can judge
both.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
import torch.nn.functional as F
from huggingface_hub import PyTorchModelHubMixin
from torch import nn

from microworld.clips import checked
from microworld.language import build_tokenizer, vocabulary
from microworld.renderer import FRAMES, SIZE

EVERY_SECOND = slice(None, None, 2)
"""It sees every second frame."""
MAX_TOKENS = 16


def _attention(width: int, layers: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        width, 4, 3 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(
        layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False
    )


class VideoTower(nn.Module):
    """Convolutions on each frame, attention across frames."""

    def __init__(self, width: int, layers: int, channels: Sequence[int]) -> None:
        super().__init__()
        stages, before = [], 3
        for after in channels:
            stages += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.GELU()]
            before = after
        cells = (SIZE // 2 ** len(channels)) ** 2
        self.frame = nn.Sequential(*stages, nn.Flatten(), nn.Linear(before * cells, width))
        self.position = nn.Parameter(torch.randn(len(range(FRAMES)[EVERY_SECOND]), width) * 0.02)
        self.attention = _attention(width, layers)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames `(B, T', 3, H, W)` in [0, 1] to features `(B, width)`."""
        states = self.frame(frames.flatten(0, 1) * 2 - 1)  # (B T', width)
        states = states.unflatten(0, frames.shape[:2])  # (B, T', width)
        return self.attention(states + self.position).mean(1)


class TextTower(nn.Module):
    """Attention over a caption's words."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(vocabulary()), width)
        self.position = nn.Parameter(torch.randn(MAX_TOKENS, width) * 0.02)
        self.attention = _attention(width, layers)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Token ids and mask (1 for words) `(B, L)` to features `(B, width)`."""
        states = self.attention(
            self.embed(ids) + self.position[: ids.shape[1]], src_key_padding_mask=mask == 0
        )
        return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


class ClipJudge(nn.Module, PyTorchModelHubMixin):
    """A video-text dual encoder after CLIP (Radford et al. 2021), for clips of the microworld.

    `save_pretrained` and `from_pretrained` are huggingface_hub's: a folder with `config.json` and
    `model.safetensors`.
    """

    def __init__(
        self,
        width: int = 128,
        embedding: int = 96,
        video_layers: int = 2,
        text_layers: int = 2,
        channels: Sequence[int] = (32, 64, 96, 128),
    ) -> None:
        super().__init__()
        self.video, self.text = (
            VideoTower(width, video_layers, channels),
            TextTower(width, text_layers),
        )
        self.project_video, self.project_text = (
            nn.Linear(width, embedding, bias=False) for _ in range(2)
        )
        self.log_scale = nn.Parameter(torch.tensor(log(1 / 0.07)))
        self._tokenizer = build_tokenizer(MAX_TOKENS, append_eos=False)

    @property
    def scale(self) -> torch.Tensor:
        """The inverse temperature, at most 100."""
        return self.log_scale.exp().clamp(max=100)

    def features(self, video: torch.Tensor) -> torch.Tensor:
        """Clips `(B, T, 3, H, W)` in [0, 1] to the video tower's features `(B, width)`.

        Raises:
            UserError: clips of another size than the microworld's.
        """
        return self.video(checked(video, "clip judge")[:, EVERY_SECOND])

    def embed_frames(self, frames: torch.Tensor) -> torch.Tensor:
        """The frames `EVERY_SECOND` of clips, `(B, T', 3, H, W)` in [0, 1], to unit vectors
        `(B, embedding)`.
        """
        return F.normalize(self.project_video(self.video(frames)), dim=-1)

    def embed_video(self, video: torch.Tensor) -> torch.Tensor:
        """Clips `(B, T, 3, H, W)` in [0, 1] to unit vectors `(B, embedding)`; raises what
        `features` raises.
        """
        return F.normalize(self.project_video(self.features(video)), dim=-1)

    def embed_text(self, captions: Sequence[str]) -> torch.Tensor:
        """Captions to unit vectors `(B, embedding)`."""
        words = self._tokenizer(
            list(captions),
            padding=True,
            truncation=True,
            max_length=MAX_TOKENS,
            return_tensors="pt",
        )
        ids, mask = (
            words[name].to(self.log_scale.device) for name in ("input_ids", "attention_mask")
        )
        return F.normalize(self.project_text(self.text(ids, mask)), dim=-1)

    @torch.no_grad()
    def score(self, video: torch.Tensor, captions: Sequence[str]) -> torch.Tensor:
        """CLIP^v score: 100 times the cosine of each clip `(B, T, 3, H, W)` and its caption,
        `(B,)`.
        """
        return 100 * (self.embed_video(video) * self.embed_text(captions)).sum(-1)
