"""Maps of CogVideoX, whose blocks attend jointly to text and image, text first."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from diffusers.models.embeddings import apply_rotary_emb
from torch import nn

from transporter.saliency.joint import JointReader, Projected


class CogVideoXReader(JointReader):
    """Blocks `transformer_blocks[i]`, whose attention is `attn1`."""

    def attention(self, block: nn.Module) -> nn.Module:
        return block.attn1

    def entrance(self, network: nn.Module) -> nn.Module:
        return network.patch_embed

    def entered(self, network: nn.Module, given: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return network.patch_embed.text_proj(self.sub_words.to(given[0]))

    def hooked(self, stack: ExitStack, layer: int, block: nn.Module) -> None:
        super().hooked(stack, layer, block)
        attention = block.attn1
        for name, norm, linear in (
            ("q", attention.norm_q, attention.to_q),
            ("k", attention.norm_k, attention.to_k),
            ("v", None, attention.to_v),
        ):
            stack.callback((norm or linear).register_forward_hook(self._keep(block, name)).remove)

    def _keep(self, block: nn.Module, name: str) -> Any:
        def keep(module: nn.Module, args: tuple, output: torch.Tensor) -> None:
            output = output.detach()
            if output.ndim == 3:
                output = self.per_head(block.attn1, output)
            text, image = output.tensor_split([self.generator.condition_shape[0]], 2)
            # before the processor turns them in place
            rotary = self.given.get("image_rotary_emb") if name != "v" else None
            self.kept[name] = image if rotary is None else apply_rotary_emb(image, rotary)
            if name == "k":
                self.kept["text_k"] = text

        return keep

    def image_output(self, block: nn.Module, h: torch.Tensor) -> torch.Tensor:
        return self.per_head(block.attn1, h[:, self.generator.condition_shape[0] :])

    def _modulated(self, norm: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        """The stream as text that is normalised, and its gate."""
        temb = self.chosen(self.given["temb"])
        image = self.stream.new_zeros(len(self.stream), 1, self.stream.shape[-1])
        _, stream, _, gate = norm(image, self.stream, temb)
        return stream, gate

    def projected(self, block: nn.Module) -> tuple[Projected, torch.Tensor]:
        attention = block.attn1
        stream, gate = self._modulated(block.norm1)
        q, k, v = (
            self.per_head(attention, linear.forward(stream))
            for linear in (attention.to_q, attention.to_k, attention.to_v)
        )
        if attention.norm_q is not None:
            q, k = attention.norm_q.forward(q), attention.norm_k.forward(k)
        return Projected(q, k, v), gate

    def advanced(
        self, block: nn.Module, output: torch.Tensor, modulation: torch.Tensor
    ) -> torch.Tensor:
        self.stream = self.stream + modulation * block.attn1.to_out[0].forward(output)
        stream, gate = self._modulated(block.norm2)
        return self.stream + gate * block.ff(stream)
