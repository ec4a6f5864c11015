"""Which words are worth a question: those whose smallest visual change moves the VLM's answer about
a clip most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import pandas as pd
import torch

from transporter.clips.contrast import Concept, Swap, swap_pairs, swaps
from transporter.generators.base import Generator
from transporter.generators.condition import Condition
from transporter.support.errors import UserError
from transporter.vlms.base import VLM

SWAP = ("about", "word", "instead")
COLUMNS = (*SWAP, "moves", "visual", "rate")
PAIRS = 96
"""Pairs of swaps that are looked at."""
CERTAIN = -1e-6
"""The largest log-probability of an answer that log-odds are made of."""
FLOOR = 0.01
"""Visual changes below this count as this: a hundredth of the range of a pixel, which a video's
encoding can make too.
"""


@dataclass(frozen=True)
class Look:
    """How the generator's idea of a swap is seen: `draws` noises at levels spread over `sigma`, and
    the scale of guidance.
    """

    draws: int = 8
    sigma: tuple[float, float] = (0.8, 0.98)
    guidance: float = 4.0
    seed: int = 0


def answered(vlm: VLM, tokens: torch.Tensor, question: str, concepts: Sequence[Concept]) -> str:
    """What the VLM answers about one clip: the likeliest of the concepts' words for the question,
    else what it says freely.
    """
    known = [
        word
        for concept in concepts
        if concept.question == question
        for word in (concept.source, concept.target)
    ]
    if not known:
        return vlm.caption(tokens, question)[0]
    return known[int(vlm.log_probs(tokens, question, known)[0].argmax())]


def answer_odds(vlm: VLM, video: torch.Tensor, question: str, answer: str) -> torch.Tensor:
    """`log p - log(1 - p)` of the answer about clips `(B, T, C, H, W)`, in nats, at most 13.8:
    `(B,)`.
    """
    log_p = vlm.log_probs(vlm.encode(video), question, [answer])[:, 0].clamp(max=CERTAIN)
    return log_p - torch.log(-torch.expm1(log_p))


class Estimates:
    """The generator's clean estimates of one clip, noised, under different captions:
    `z_t - sigma v` with guidance, decoded.
    """

    def __init__(self, generator: Generator, video: torch.Tensor, look: Look) -> None:
        self.generator, self.guidance = generator, look.guidance
        z_0 = generator.encode(video[None].to(generator.device))
        random = torch.Generator().manual_seed(look.seed)
        noise = torch.randn(look.draws, *z_0.shape[1:], generator=random).to(z_0)
        self.sigma = torch.linspace(*look.sigma, look.draws).to(z_0)
        self.z_t = z_0.lerp(noise, self._level)
        self.empty = self._velocity(generator.unconditional())

    @property
    def _level(self) -> torch.Tensor:
        return self.sigma.view(-1, 1, 1, 1, 1)

    def _velocity(self, condition: Condition) -> torch.Tensor:
        rows = condition.expand(len(self.sigma))
        return self.generator.velocity(self.z_t, self.sigma, rows)

    def video(self, caption: str) -> torch.Tensor:
        """Clips `(draws, T, C, H, W)` in [0, 1]."""
        given = self._velocity(self.generator.encode_text([caption]))
        velocity = self.empty.lerp(given, self.guidance)
        return self.generator.decode(self.z_t - self._level * velocity).clamp(0, 1)


@torch.no_grad()
def discover(
    video: torch.Tensor,
    question: str,
    vlm: VLM,
    generator: Generator,
    concepts: Sequence[Concept],
    caption: str | None = None,
    look: Look | None = None,
) -> tuple[str, pd.DataFrame]:
    """The VLM's answer to `question` about a clip `(T, C, H, W)` in [0, 1], and every swap of
    words, the most telling first.

    Both clips of a swap are the generator's one-step estimates of the clip, with the caption's word
    and with the other; the VLM reads them decoded. `moves`: how far the log-odds of its answer
    fall, in nats; `visual`: root mean square change of the pixels; `rate`: the one by the other.
    `caption` says what the clip shows; by default the VLM's own description. Nothing is fitted.

    Raises:
        UserError: the caption holds no word of the concepts.
    """
    clip = video[None].to(vlm.device)
    tokens = vlm.encode(clip)
    answer, caption = answered(vlm, tokens, question, concepts), caption or vlm.caption(tokens)[0]
    if not (found := list(swaps(caption, concepts))):
        raise UserError(
            f"expected a caption that holds a word of the concepts, got {caption!r}; give"
            " another one"
        )
    estimates = Estimates(generator, video, look or Look())
    return answer, _ranked(estimates, vlm, question, answer, caption, found)


@torch.no_grad()
def discover_pairs(
    video: torch.Tensor,
    question: str,
    answer: str,
    vlm: VLM,
    generator: Generator,
    caption: str,
    ranked: pd.DataFrame,
    look: Look | None = None,
    limit: int = PAIRS,
) -> pd.DataFrame:
    """Two swaps of words at once, as `discover` has single ones, `ranked`: for an answer that hangs
    on two words together. At most `limit` are looked at, those of the most telling words.
    """
    alone = [
        Swap(about, word, instead, Concept("", "object", word, instead, about).swap(caption) or "")
        for about, word, instead in zip(*(ranked[name] for name in SWAP), strict=True)
    ]
    pairs = list(islice(swap_pairs(caption, alone), limit))
    if not pairs:
        return pd.DataFrame(columns=list(COLUMNS))
    estimates = Estimates(generator, video, look or Look())
    return _ranked(estimates, vlm, question, answer, caption, pairs)


def _ranked(
    estimates: Estimates,
    vlm: VLM,
    question: str,
    answer: str,
    caption: str,
    found: Sequence[Swap],
) -> pd.DataFrame:
    before = estimates.video(caption)
    odds = answer_odds(vlm, before, question, answer)
    rows = []
    for swap in found:
        after = estimates.video(swap.caption)
        moves = float((odds - answer_odds(vlm, after, question, answer)).mean())
        visual = float((after - before).square().mean().sqrt())
        rows.append(
            (swap.about, swap.word, swap.instead, moves, visual, moves / max(visual, FLOOR))
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("rate", ascending=False, ignore_index=True)


@torch.no_grad()
def pictured(
    video: torch.Tensor, captions: Sequence[str], generator: Generator, look: Look | None = None
) -> torch.Tensor:
    """What `discover` lets the VLM read, to look at: the generator's one-step estimate of a clip
    `(T, C, H, W)` under each caption, from one noise at the lowest level, `(N, T, C, H, W)`.
    """
    estimates = Estimates(generator, video, replace(look or Look(), draws=1))
    return torch.cat([estimates.video(caption) for caption in captions]).cpu()
