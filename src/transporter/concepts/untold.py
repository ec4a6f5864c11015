"""What a VLM's answer hangs on where no swap of words tells it: a map that the gradient of its
log-odds alone makes of nothing.

A vector for each token's place would have to suit captions of every length. A map of low rank is
the same for every token and hangs on its state, so it can act on the words of one attribute alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from torch.nn.functional import pad

from transporter.clips.contrast import Concept
from transporter.concepts.answered import mean_moves
from transporter.concepts.contexts import Contexts
from transporter.concepts.edits import SWAP, Edits
from transporter.concepts.maps import REACH, ConceptMap
from transporter.concepts.refined import at_tokens
from transporter.generators.base import Generator, encode_captions
from transporter.generators.condition import Condition

ENOUGH = 0.5
"""Share of what the log-odds lack that the most telling swap of words makes up, in the mean over
captions, where words tell what the answer hangs on. In the microworld they make up 0.7 or more if
the cue's words are asked about, and at most 0.35 if they are not.
"""


class Untold(Contexts):
    """Captions whose clips a VLM answers by the source, and nobody knows why: `pi+` is `pi-`."""


def is_told(moves: pd.DataFrame) -> bool:
    """Whether a swap of words makes up `ENOUGH` of what the answers lack, by `edit_moves`."""
    pairs = moves[moves["before"] < 0]
    if pairs.empty:
        return False
    mean = mean_moves(pairs, SWAP)
    most_telling = pairs.loc[mean == mean.max(), "moves"]
    return bool(most_telling.mean() >= -ENOUGH * pairs["before"].mean())


def untold_contexts(
    concepts: Sequence[Concept],
    edits: Edits,
    generator: Generator,
    moves: Mapping[str, pd.DataFrame],
) -> dict[str, Untold]:
    """Of each concept that no swap of words tells about, all captions whose clips the VLM answers
    by the source; concepts without any are left out.

    Args:
        moves: of each concept by its name, as `answered.edit_moves` has them.
    """
    return {
        concept.name: _untold(moves[concept.name], edits, generator)
        for concept in concepts
        if not is_told(moves[concept.name]) and (moves[concept.name]["before"] < 0).any()
    }


def _untold(moves: pd.DataFrame, edits: Edits, generator: Generator) -> Untold:
    rows = moves.loc[moves["before"] < 0, "source"].drop_duplicates().tolist()
    pi = encode_captions(generator, edits.table.loc[rows, "caption"].tolist())
    return Untold.on_host(pi, pi, edits.z_xi[rows])


class LowRankMaps:
    """Affine maps of tokens' states, one for each concept, of rank r and one more for the constant:
    `q(pi) = (pi, 1) A B'`. They start at zero, since B does.
    """

    def __init__(
        self, concepts: int, width: int, rank: int, seed: int, device: torch.device | str
    ) -> None:
        random = torch.Generator().manual_seed(seed)
        inner = torch.zeros(concepts, width + 1, rank + 1)
        inner[:, :-1, :-1] = torch.randn(concepts, width, rank, generator=random) / width**0.5
        inner[:, -1, -1] = 1
        outer = torch.zeros(concepts, width, rank + 1)
        # (concepts, 2 d + 1, r + 1), A above B
        self.weights = torch.cat([inner, outer], 1).to(device).requires_grad_()
        self.width = width

    def change(self, which: torch.Tensor, pi: Condition) -> torch.Tensor:
        """What the concepts `which` `(B,)` add to B conditions at strength 1, `(B, L, d)`; zero at
        padding.
        """
        inner, outer = self.weights[which].tensor_split([self.width + 1], 1)
        return at_tokens(pad(pi.embeddings, (0, 1), value=1.0) @ inner @ outer.mT, pi)

    def maps(self) -> list[ConceptMap]:
        """The same as maps of a bank, to which the word's state and all distances are alike."""
        return [self._map(weights) for weights in self.weights.detach()]

    def _map(self, weights: torch.Tensor) -> ConceptMap:
        states, constant, up = weights.tensor_split([self.width, self.width + 1])
        word = torch.zeros_like(states)
        down = torch.cat([states, word, constant.expand(2 * REACH + 1, -1)])
        return ConceptMap(weights.new_zeros(self.width + 1), down, up.T.contiguous())
