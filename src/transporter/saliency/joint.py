"""What families with joint attention share: words as a second text stream, which the image never
sees, and whose words never see each other.

A head's output is a mixture of the image's own values, so a Gram column says which tokens look
alike to the head.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from transporter.saliency.gram import Heads, Texts
from transporter.saliency.reader import FamilyReader
from transporter.saliency.rows import listed, of_prompt, sub_words
from transporter.saliency.settings import MapSettings
from transporter.saliency.tally import grown


@dataclass(frozen=True)
class Projected:
    """The stream's queries, keys and values in one attention, `(B, H, m, d)` each."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor


class JointReader(FamilyReader):
    """A family says how its blocks treat text: `entered`, `projected`, `advanced`."""

    block_list = "transformer_blocks"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.kept: dict[str, torch.Tensor] = {}
        """What the present attention has, `(B, H, rows, d)` each: `q` and `k` of the image with
        their places, its `v`, and `text_k` of the prompt.
        """
        self.given: dict[str, Any] = {}
        """What the present block is given beside the image."""
        self.stream: torch.Tensor | None = None
        """The words' sub-words and the padding, `(B, n s + 1, width)`."""

    @abstractmethod
    def entered(self, network: nn.Module, given: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """The stream before the first block, `(B, n s + 1, width)`, in a pass whose `entrance` is
        given this.
        """

    @abstractmethod
    def projected(self, block: nn.Module) -> tuple[Projected, Any]:
        """The stream in a block's attention, and what modulates it besides."""

    @abstractmethod
    def advanced(self, block: nn.Module, output: torch.Tensor, modulation: Any) -> torch.Tensor:
        """The stream after a block whose attention gives `output` `(B, m, H d)` for it."""

    def begun(self, network: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        self.stream = grown(self.entered(network, given), len(self.rows))

    @cached_property
    def sub_words(self) -> torch.Tensor:
        """Each clip's words by themselves, sub-word by sub-word, and padding: states of the text
        encoder `(B, n s + 1, d)`.
        """
        clips, padding = len(self.words.places), self.words.padding.embeddings[0, -1:]
        alone = self.words.alone.embeddings[:, : max(self.words.lengths)]
        rows = alone.unflatten(0, (clips, -1)).flatten(1, 2)
        return torch.cat([rows, padding.expand(clips, 1, -1)], 1)

    def hooked(self, stack: ExitStack, layer: int, block: nn.Module) -> None:
        def enter(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            self.given = self.arguments(args, kwargs)

        stack.callback(block.register_forward_pre_hook(enter, with_kwargs=True).remove)

    def arguments(self, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
        """A block's arguments by name."""
        return kwargs

    def read(self, layer: int, block: nn.Module, h: torch.Tensor) -> None:
        """The stream goes through every block, also where none of it is counted."""
        words, modulation = self.projected(block)
        kept = {name: self.chosen(tensor) for name, tensor in self.kept.items()}
        self.kept.clear()
        output = self._attended(words, kept)
        heads = Heads(kept["q"], self.image_output(block, self.chosen(h)), self.frames)
        for tally in self.wanted(layer):
            tally.add(heads, self._texts(words.k, output, kept["text_k"], tally.settings))
        self.stream = self.advanced(block, output.transpose(1, 2).flatten(2), modulation)

    def image_output(self, block: nn.Module, h: torch.Tensor) -> torch.Tensor:
        """The image's part of what an attention gives, `(B, H, N, d)`."""
        return self.per_head(self.attention(block), h)

    def _attended(self, words: Projected, image: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Every row of the stream attends to the image and to itself: `(B, H, m, d)`."""
        count, tokens = words.q.shape[2], image["k"].shape[2]
        sees = torch.ones(count, tokens + count, dtype=torch.bool, device=words.q.device)
        sees[:, tokens:] = torch.eye(count, dtype=torch.bool, device=words.q.device)
        keys, values = torch.cat([image["k"], words.k], 2), torch.cat([image["v"], words.v], 2)
        return F.scaled_dot_product_attention(words.q, keys, values, attn_mask=sees)

    def _texts(
        self, k: torch.Tensor, outputs: torch.Tensor, prompt_k: torch.Tensor, settings: MapSettings
    ) -> Texts:
        """Words and rows that they are taken against, of the stream's keys and outputs."""
        mixed = grown(self._mixture(settings.surrogate), len(k)).to(k)[:, None]
        words = mixed @ k, mixed @ outputs
        padding = k[:, :, -1:], outputs[:, :, -1:]
        if settings.rows == "prompt":
            # of the prompt's own rows nothing but keys is compared
            own, seen = (prompt_k, prompt_k), self.prompt_counts()
            counts = grown(torch.tensor(self.words.prompts), len(k))
            return Texts(*words, *of_prompt(own, padding, counts, seen, settings.prompt_padding))
        total = self.generator.condition_shape[0]
        return Texts(*words, *listed(words, padding, total, settings.rows))

    def prompt_counts(self) -> torch.Tensor:
        """Which rows of the prompt the model sees, `(B, L)`."""
        return torch.ones(len(self.rows), self.generator.condition_shape[0])

    @cache  # noqa: B019 - a reader lives as long as its passes
    def _mixture(self, surrogate: str) -> torch.Tensor:
        """Which rows of the stream a word is the mean of, `(B, n, n s + 1)`."""
        clips, count, length = len(self.words.places), self.words.count, max(self.words.lengths)
        mixture = torch.zeros(clips, count, count * length + 1)
        for clip in range(clips):
            for word in range(count):
                own = range(word * length, word * length + self.words.lengths[clip * count + word])
                rows = sub_words(own, surrogate)
                mixture[clip, word, rows] = 1 / len(rows)
        return mixture
