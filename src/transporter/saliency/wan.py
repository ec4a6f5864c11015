"""Maps of Wan 2.1 and 2.2, whose blocks read the text by cross-attention.

The outputs of a head are mixtures of the text's values: a Gram column says which tokens read the
same words as the surrogate does, not which look like it.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import Any

import torch
from torch import nn

from transporter.saliency.gram import Heads, Texts
from transporter.saliency.reader import FamilyReader, kept
from transporter.saliency.rows import listed, of_prompt, sub_words
from transporter.saliency.settings import MapSettings
from transporter.saliency.tally import grown


class WanReader(FamilyReader):
    """A word that stands in the prompt is read from the prompt's own rows, in its context; another
    one is encoded by itself. The row of padding is zeros, as the pipeline pads.
    """

    block_list = "blocks"
    text_argument = 1

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._kept: dict[str, torch.Tensor] = {}
        self._beside: torch.Tensor | None = None
        """Text beside the prompt in the present pass, `(B, n s + 1, width)`: every word by itself
        as `s` sub-words, and padding.
        """

    def entrance(self, network: nn.Module) -> nn.Module:
        return network.condition_embedder

    def attention(self, block: nn.Module) -> nn.Module:
        return block.attn2

    def hooked(self, stack: ExitStack, layer: int, block: nn.Module) -> None:
        for name, part in (("q", "norm_q"), ("k", "norm_k"), ("v", "to_v")):
            kept(stack, getattr(block.attn2, part), self._kept, name)

    def begun(self, network: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        clips, padding = len(self.words.places), self.words.padding.embeddings[0, -1:]
        alone = self.words.alone.embeddings[:, : max(self.words.lengths)]
        rows = alone.unflatten(0, (clips, -1)).flatten(1, 2)  # (B, n s, d)
        rows = torch.cat([rows, padding.expand(clips, 1, -1)], 1)
        embed = network.condition_embedder.text_embedder
        self._beside = grown(embed(rows.to(given[self.text_argument])), len(self.rows))

    def read(self, layer: int, block: nn.Module, h: torch.Tensor) -> None:
        attention = block.attn2
        found = {name: self.chosen(tensor) for name, tensor in self._kept.items()}
        self._kept.clear()
        wanted = self.wanted(layer)
        if not wanted:
            return
        # the prompt's L rows, then those beside it
        beside = {
            "k": attention.norm_k.forward(attention.to_k.forward(self._beside)),
            "v": attention.to_v.forward(self._beside),
        }
        k, v = (self.per_head(attention, torch.cat([found[n], beside[n]], 1)) for n in ("k", "v"))
        outputs = (found["q"], self.chosen(h))
        heads = Heads(*(self.per_head(attention, part) for part in outputs), self.frames)
        for tally in wanted:
            tally.add(heads, self._texts(k, v, tally.settings))

    def _texts(self, k: torch.Tensor, v: torch.Tensor, settings: MapSettings) -> Texts:
        prompt, rows = self.generator.condition_shape[0], len(k)
        mixed = grown(self._mixture(settings.surrogate), rows).to(k)[:, None]
        words, padding = (mixed @ k, mixed @ v), (k[:, :, -1:], v[:, :, -1:])
        if settings.rows == "prompt":
            own, seen = (k[:, :, :prompt], v[:, :, :prompt]), torch.ones(rows, prompt)
            counts = grown(torch.tensor(self.words.prompts), rows)
            return Texts(*words, *of_prompt(own, padding, counts, seen, settings.prompt_padding))
        return Texts(*words, *listed(words, padding, prompt, settings.rows))

    @cache  # noqa: B019 - a reader lives as long as its passes
    def _mixture(self, surrogate: str) -> torch.Tensor:
        """Which rows of text a word is the mean of, `(B, n, L + n s + 1)`."""
        clips, count, length = len(self.words.places), self.words.count, max(self.words.lengths)
        prompt = self.generator.condition_shape[0]
        mixture = torch.zeros(clips, count, prompt + count * length + 1)
        for clip, places in enumerate(self.words.places):
            for word, place in enumerate(places):
                begin = prompt + word * length
                own = range(begin, begin + self.words.lengths[clip * count + word])
                rows = sub_words(place or own, surrogate)
                mixture[clip, word, rows] = 1 / len(rows)
        return mixture
