"""Maps of HunyuanVideo, read in its dual-stream blocks, where text has weights of its own."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import Any

import torch
from diffusers.models.embeddings import apply_rotary_emb
from torch import nn

from transporter.saliency.joint import JointReader, Projected

_ARGUMENTS = ("hidden_states", "encoder_hidden_states", "temb", "attention_mask", "freqs_cis")


class HunyuanVideoReader(JointReader):
    """Blocks `transformer_blocks[i]`, whose attention is `attn`; the single-stream blocks that
    follow are not read.
    """

    def attention(self, block: nn.Module) -> nn.Module:
        return block.attn

    def arguments(self, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
        return dict(zip(_ARGUMENTS, args, strict=False)) | kwargs

    def entrance(self, network: nn.Module) -> nn.Module:
        return network.context_embedder

    def entered(self, network: nn.Module, given: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Every word goes through the network's refiner of text by itself."""
        states, time, mask = given
        self._seen = self.chosen(mask).float()
        words, masks = self._texts_alone
        clips = len(self.words.places)
        time = self.chosen(time)
        time = time[:: len(time) // clips]  # copies of a clip share their time
        time = time.repeat_interleave(len(words) // clips)
        # `forward`: it is within a hook of this module
        refined = network.context_embedder.forward(words.to(states), time, masks.to(mask))
        refined = refined.unflatten(0, (clips, -1))  # (B, n + 1, s, width)
        return torch.cat([refined[:, :-1].flatten(1, 2), refined[:, -1, :1]], 1)

    @cached_property
    def _texts_alone(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Each clip's words and the padding, `(B (n + 1), s, d)`, and which sub-words they have,
        `(B (n + 1), s)`.
        """
        length, clips = max(self.words.lengths), len(self.words.places)
        parts = self.sub_words[:, :-1].unflatten(1, (self.words.count, length))
        padding = self.sub_words[:, -1:, None].expand(-1, 1, length, -1)
        words = torch.cat([parts, padding], 1)
        counts = torch.tensor(self.words.lengths).view(clips, -1)
        counts = torch.cat([counts, torch.ones(clips, 1, dtype=counts.dtype)], 1)
        masks = torch.arange(length) < counts[..., None]
        return words.flatten(0, 1), masks.flatten(0, 1).to(words.device)

    def hooked(self, stack: ExitStack, layer: int, block: nn.Module) -> None:
        super().hooked(stack, layer, block)
        attention = block.attn
        for name, module in (("q", attention.norm_q), ("k", attention.norm_k)):
            stack.callback(module.register_forward_hook(self._keep(name)).remove)

        def keep_v(module: nn.Module, args: tuple, output: torch.Tensor) -> None:
            self.kept["v"] = self.per_head(attention, output.detach())

        def keep_text(module: nn.Module, args: tuple, output: torch.Tensor) -> None:
            self.kept["text_k"] = output.detach().transpose(1, 2)

        stack.callback(attention.to_v.register_forward_hook(keep_v).remove)
        stack.callback(attention.norm_added_k.register_forward_hook(keep_text).remove)

    def _keep(self, name: str) -> Any:
        def keep(module: nn.Module, args: tuple, output: torch.Tensor) -> None:
            # (B, N, H, d), turned by place as the processor does next
            turned = apply_rotary_emb(output.detach(), self.given["freqs_cis"], sequence_dim=1)
            self.kept[name] = turned.transpose(1, 2)

        return keep

    def projected(self, block: nn.Module) -> tuple[Projected, tuple[torch.Tensor, ...]]:
        attention = block.attn
        temb = self.chosen(self.given["temb"])
        stream, *modulation = block.norm1_context(self.stream, emb=temb)
        q, k, v = (
            self.per_head(attention, linear(stream))
            for linear in (attention.add_q_proj, attention.add_k_proj, attention.add_v_proj)
        )
        q, k = attention.norm_added_q.forward(q), attention.norm_added_k.forward(k)
        return Projected(q, k, v), modulation

    def prompt_counts(self) -> torch.Tensor:
        return self._seen

    def advanced(self, block: nn.Module, output: torch.Tensor, modulation: Any) -> torch.Tensor:
        gate, shift, scale, mlp_gate = (part[:, None] for part in modulation)
        stream = self.stream + block.attn.to_add_out(output) * gate
        normed = block.norm2_context(stream) * (1 + scale) + shift
        return stream + mlp_gate * block.ff_context(normed)
