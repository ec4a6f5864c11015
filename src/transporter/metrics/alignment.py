"""Does a video show what its caption says, better than the source did, and does it please? CLIP^v,
Delta, aesthetic score.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import nn
from torchmetrics.utilities import dim_zero_cat
from transformers import AutoProcessor, CLIPModel

from transporter.metrics.base import HIGHER, Metric, check_video
from transporter.networks.frozen import frozen
from transporter.networks.pretrained import load_network, load_safely, refused_in_one_line
from transporter.support.errors import Unavailable, UserError
from transporter.support.tensors import read_tensors


class VideoTextModel(Protocol):
    """Embeds clips and captions in one space; the microworld's `ClipJudge` is one, `HubCLIP`
    another.
    """

    def embed_video(self, video: torch.Tensor) -> torch.Tensor:
        """Clips `(B, T, 3, H, W)` in [0, 1] to vectors `(B, e)` of norm at most 1."""

    def embed_text(self, captions: Sequence[str]) -> torch.Tensor:
        """Captions to unit vectors `(B, e)`."""


class HubCLIP:
    """An image-text CLIP of the model hub; a clip is the mean of its frames, so that its score is
    the mean of theirs.

    Args:
        path: folder or hub name that `from_pretrained` loads.
        revision: branch, tag or commit of a model on the hub.
    """

    def __init__(
        self, path: str, revision: str = "main", device: torch.device | str = "cpu"
    ) -> None:
        self.device = torch.device(device)
        options = {"path": path, "expected": "a CLIP", "revision": revision}
        try:
            self.model = frozen(load_network(CLIPModel, **options), self.device)
            self.processor = load_safely(AutoProcessor.from_pretrained, **options)
        except UserError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            raise Unavailable(
                f"CLIP: {path} ({revision}) could not be loaded ({error}); give a folder or a name"
                " on the hub"
            ) from None

    def embed_frames(self, video: torch.Tensor) -> torch.Tensor:
        """Clips `(B, T, 3, H, W)` in [0, 1] to unit vectors `(B, T, e)`."""
        frames = list(video.flatten(0, 1).to(self.device))
        pixels = self.processor.image_processor(frames, do_rescale=False, return_tensors="pt")[
            "pixel_values"
        ]
        embedded = self.model.get_image_features(pixels).pooler_output
        return F.normalize(embedded, dim=-1).unflatten(0, video.shape[:2])

    def embed_video(self, video: torch.Tensor) -> torch.Tensor:
        """Clips `(B, T, 3, H, W)` in [0, 1] to vectors `(B, e)`, the means of their frames' unit
        vectors.
        """
        return self.embed_frames(video).mean(1)

    def embed_text(self, captions: Sequence[str]) -> torch.Tensor:
        """Captions to unit vectors `(B, e)`; what exceeds the model's length is cut off."""
        length = self.model.config.text_config.max_position_embeddings
        words = self.processor.tokenizer(
            list(captions), padding=True, truncation=True, max_length=length, return_tensors="pt"
        )
        return F.normalize(
            self.model.get_text_features(**words.to(self.device)).pooler_output, dim=-1
        )


class Alignment(Metric):
    """CLIP^v score, 100 times the cosine of clip and target caption, and Delta, its gain over the
    source clip.

    `Delta = CLIP^v(x_target, caption_target) - CLIP^v(x_source, caption_target)`; the source is the
    clip that the change began from, phi = 0 of the same seed.

    Args:
        model: what embeds clips and captions.
        named: name and version of the model, for the protocol.
    """

    higher_is_better = True
    numbers: ClassVar[Mapping[str, str]] = {"clip": HIGHER, "delta": HIGHER}

    def __init__(self, model: VideoTextModel, named: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model, self.named = model, named
        for name in ("reached", "before"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    @torch.no_grad()
    def update(self, clip: torch.Tensor, origin: torch.Tensor, captions: Sequence[str]) -> None:
        """Take in clips and what they began from, `(B, T, 3, H, W)` in [0, 1], and B target
        captions.

        Raises:
            UserError: not as many origins and captions as clips.
        """
        check_video("CLIP^v", clip.shape)
        if not len(clip) == len(origin) == len(captions):
            raise UserError(
                f"CLIP^v: expected equally many, got {len(clip)} clips, {len(origin)} origins,"
                f" {len(captions)} captions"
            )
        text = self.model.embed_text(captions)
        for scores, video in ((self.reached, clip), (self.before, origin)):
            scores.append(100 * (self.model.embed_video(video) * text).sum(-1))

    def compute(self) -> dict[str, float]:
        """`clip` and `delta`, means over clips."""
        reached, before = (
            dim_zero_cat(scores).double().mean() for scores in (self.reached, self.before)
        )
        return {"clip": float(reached), "delta": float(reached - before)}

    def protocol(self) -> dict[str, str | int]:
        """Model."""
        return {"model": self.named}

    def per_clip(self) -> dict[str, torch.Tensor]:
        """`clip_score` and `delta`."""
        reached, before = dim_zero_cat(self.reached), dim_zero_cat(self.before)
        return {"clip_score": reached, "delta": reached - before}


def load_head(path: str | os.PathLike[str]) -> nn.Linear:
    """One of LAION's linear heads, from a `.pth` or safetensors file with `weight` (1, e) and
    `bias` (1).

    A `.pth` is read as tensors alone, whatever else it names is refused.

    Raises:
        Unavailable: no such file.
        UserError: the file holds something else.
    """
    if not Path(path).is_file():
        raise Unavailable(
            f"aesthetic score: {path}: expected a linear head of LAION's, found no such file"
        )
    state = _head_state(Path(path))
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if (
        shapes.keys() != {"weight", "bias"}
        or len(shapes["weight"]) != 2
        or shapes["weight"][0] != 1
    ):
        raise UserError(
            f"aesthetic score: {path}: expected weight (1, e) and bias (1,), got {shapes}"
        )
    head = nn.Linear(shapes["weight"][1], 1)
    head.load_state_dict(state)
    return head.requires_grad_(False)


def _head_state(path: Path) -> Mapping[str, torch.Tensor]:
    expected = "aesthetic score: a linear head of LAION's"
    if path.suffix == ".safetensors":
        return read_tensors(path, expected)[0]
    with refused_in_one_line(path, expected):
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.detach() for name, tensor in state.items()}


def aesthetic_scores(head: nn.Linear, embeddings: torch.Tensor) -> torch.Tensor:
    """Scores, about 1 to 10, of CLIP image embeddings `(..., e)`, which are normalised first:
    `(...)`.
    """
    return head(F.normalize(embeddings.float(), dim=-1)).squeeze(-1)


class AestheticScore(Metric):
    """LAION's aesthetic score: the mean over frames, and over clips.

    Args:
        clip: the CLIP that the head was trained on; the microworld's clip judge is none.
        head: path of the head.
        named: name and version of CLIP and head, for the protocol.

    Raises:
        Unavailable: there is no CLIP or no head.
        UserError: the head is for embeddings of another width.
    """

    higher_is_better = True
    numbers: ClassVar[Mapping[str, str]] = {"aesthetic": HIGHER}

    def __init__(
        self, clip: HubCLIP | None, head: str | os.PathLike[str] | None, named: str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if clip is None or head is None:
            raise Unavailable(
                "aesthetic score: it needs a CLIP of the hub and LAION's head for it; configure"
                " both"
            )
        self.clip, self.head, self.named = clip, load_head(head).to(clip.device), named
        width = clip.model.config.projection_dim
        if self.head.in_features != width:
            raise UserError(
                f"aesthetic score: {head}: expected a head for {width} features, got one for"
                f" {self.head.in_features}"
            )
        self.add_state("scores", default=[], dist_reduce_fx="cat")

    @torch.no_grad()
    def update(self, clip: torch.Tensor) -> None:
        """Take in clips `(B, T, 3, H, W)` in [0, 1]."""
        check_video("aesthetic score", clip.shape)
        frames = self.clip.embed_frames(clip)  # (B, T, e)
        self.scores.append(aesthetic_scores(self.head, frames).mean(1))

    def compute(self) -> dict[str, float]:
        """`aesthetic`."""
        return {"aesthetic": float(dim_zero_cat(self.scores).double().mean())}

    def protocol(self) -> dict[str, str | int]:
        """Model."""
        return {"model": self.named}

    def per_clip(self) -> dict[str, torch.Tensor]:
        """`aesthetic`."""
        return {"aesthetic": dim_zero_cat(self.scores)}
