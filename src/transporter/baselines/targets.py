"""The network that is inverted, and the answer that a video should make it give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from transporter.clips.contrast import Concept
from transporter.networks.hooks import Features, Layer, blocks, named, recorded
from transporter.vlms.transformers_vlm import TransformersVLM


@dataclass(frozen=True)
class Response:
    """What one forward pass about one clip gives.

    `score`: what is maximised; `log_prob`: of the target; `features`: hidden layers in order of
    execution; `frames`: embeddings of the S steps in time that the last layer tells apart,
    `(S, D)`.
    """

    score: torch.Tensor
    log_prob: torch.Tensor
    features: Mapping[str, Features]
    frames: torch.Tensor


class InversionTarget(ABC):
    """A network under inversion, with its target."""

    device: torch.device
    layers: tuple[Layer, ...]
    """What is recorded in every pass."""
    identity: str
    """The target in words; a checkpoint of another one is not resumed."""

    @abstractmethod
    def respond(self, video: torch.Tensor) -> Response:
        """One pass about a clip `(1, T, C, H, W)` in [0, 1]; gradients reach it."""

    @abstractmethod
    def verdict(self, video: torch.Tensor) -> dict[str, float]:
        """What the network makes of a clip `(T, C, H, W)`: `log_prob` and `rank` of the target (1:
        its first choice), and more.
        """


class VLMTarget(InversionTarget):
    """A VLM that should answer `concept.question` by `concept.target`.

    Args:
        vlm: any adapter that says how many steps in time its visual tokens tell (`time_steps`).
        concept: question and words.
        difference: add the logit difference to the source word ("w+ + dw" instead of "w+").
        layers: what is recorded; by default the blocks of all its towers.
    """

    def __init__(
        self,
        vlm: TransformersVLM,
        concept: Concept,
        difference: bool = False,
        layers: Sequence[Layer] | None = None,
    ) -> None:
        self.vlm, self.concept, self.difference, self.device = vlm, concept, difference, vlm.device
        self.time_steps = vlm.time_steps
        self.layers = blocks(vlm.model) if layers is None else tuple(layers)
        self.identity = f"{concept.question} {concept.source} {concept.target} {difference}"

    def respond(self, video: torch.Tensor) -> Response:
        with recorded(self.layers) as features:
            tokens = self.vlm.encode(video)
            source, target = self._answers(tokens)
        frames = tokens[0].unflatten(0, (self.time_steps, -1)).mean(1)  # (N, D) -> (S, D)
        return Response(target + (target - source) * self.difference, target, features, frames)

    def _answers(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.vlm.log_probs(
            tokens, self.concept.question, (self.concept.source, self.concept.target)
        )[0]

    @torch.no_grad()
    def verdict(self, video: torch.Tensor) -> dict[str, float]:
        """`log_prob`, `log_odds` against the source word, and `rank` of the target's first token
        among all tokens.
        """
        tokens = self.vlm.encode(video[None].to(self.device))
        source, target = self._answers(tokens).tolist()
        logits = self.vlm.logits(tokens, self.concept.question)[0]
        first = self.vlm.processor.tokenizer(
            self.concept.target, add_special_tokens=False
        ).input_ids[0]
        rank = int((logits > logits[first]).sum()) + 1
        return {"log_prob": target, "log_odds": target - source, "rank": rank}


class ClassifierTarget(InversionTarget):
    """A video classifier that should see a class; the score is its negative cross-entropy.

    Args:
        network: clips `(B, T, C, H, W)` in [0, 1] to logits `(B, K)`.
        label: the class, from 0 to K - 1.
        layers: what is recorded.
        last: module whose output `(B, D, S, h, w)` gives the embeddings of frames.
        device: where the network is.
    """

    def __init__(
        self,
        network: nn.Module,
        label: int,
        layers: Sequence[Layer],
        last: str,
        device: torch.device | str = "cpu",
    ) -> None:
        self.network, self.label, self.device = network, label, torch.device(device)
        self.layers, self.last = tuple(layers), named(network, [last])
        self.identity = f"{type(network).__name__} {label}"

    def respond(self, video: torch.Tensor) -> Response:
        with recorded(self.layers) as features, recorded(self.last) as last:
            score = self.network(video).log_softmax(-1)[0, self.label]
        embeddings = last[self.last[0].name].calls[0]  # (1, S, h, w, D)
        return Response(score, score, features, embeddings[0].flatten(1, -2).mean(1))

    @torch.no_grad()
    def verdict(self, video: torch.Tensor) -> dict[str, float]:
        """`log_prob` and `rank` of the class, and the network's first choice as `top`."""
        logits = self.network(video[None].to(self.device))[0]
        rank = int((logits > logits[self.label]).sum()) + 1
        return {
            "log_prob": float(logits.log_softmax(-1)[self.label]),
            "rank": rank,
            "top": int(logits.argmax()),
        }
