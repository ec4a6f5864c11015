"""What a VLM's answer hangs on where no swap of words tells it: a map that the gradient of its
log-odds alone makes of nothing.

A vector for each token's place would have to suit captions of every length. A map of low rank is
the same for every token and hangs on its state, so it can act on the words of one attribute alone.
It leads along the directions in which the states of words vary, not to where no word is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch.nn.functional import pad

from transporter.clips.contrast import Concept
from transporter.clips.stored import portions
from transporter.concepts.answered import mean_moves
from transporter.concepts.contexts import Contexts
from transporter.concepts.edits import SWAP, Edits
from transporter.concepts.maps import REACH, ConceptMap, tokens_of
from transporter.concepts.refined import at_tokens
from transporter.generators.base import CAPTIONS_AT_ONCE, Generator, encode_captions
from transporter.generators.condition import Condition

ENOUGH = 0.75
"""Share of what the log-odds lack that the most telling swap of words makes up, in the mean over
captions, where words tell what the answer hangs on. Of four plantings in two runs of the microworld
it makes up 0.88 or more if the cue's words are asked about, and at most 0.69 if they are not.
"""


@dataclass(frozen=True)
class Untold(Contexts):
    """Captions whose clips a VLM answers by the source, and nobody knows why: `pi+` is `pi-`."""

    directions: torch.Tensor
    """Orthonormal directions of tokens' states, those in which words vary most first: `(d, d)`."""


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
    open_to = {
        one.name: moves[one.name].loc[moves[one.name]["before"] < 0, "source"].unique().tolist()
        for one in concepts
        if not is_told(moves[one.name])
    }
    if not any(open_to.values()):
        return {}
    captions = edits.table["caption"]
    directions = state_directions(edits.shown["caption"].tolist(), generator)
    found = {}
    for name, rows in open_to.items():
        if rows:
            pi = encode_captions(generator, captions[rows].tolist()).to("cpu")
            found[name] = Untold(pi, pi, edits.z_xi[rows].cpu(), directions)
    return found


def state_directions(captions: Sequence[str], generator: Generator) -> torch.Tensor:
    """The orthonormal directions of the states of all tokens of some captions, from the one in
    which they vary most, on the CPU: `(d, d)`.
    """
    count, total, squares = 0, 0.0, 0.0
    for rows in portions(len(captions), CAPTIONS_AT_ONCE):
        pi = generator.encode_text(captions[rows])
        states = pi.embeddings[tokens_of(pi)].double()
        count, total = count + len(states), total + states.sum(0)
        squares = squares + states.T @ states
    spread = squares / count - torch.outer(total / count, total / count)
    _, directions = torch.linalg.eigh(spread)
    return directions.T.flip(0).float().cpu()


class LowRankMaps:
    """Affine maps of tokens' states, one for each concept, of rank r and one more for the constant:
    `q(pi) = (pi, 1) A B' D`, with fixed directions D. They start at zero, since B does.

    Args:
        concepts: how many.
        directions: `(K, d)`, what a map leads along.
        rank: r.
        seed: of where A starts.
    """

    def __init__(self, concepts: int, directions: torch.Tensor, rank: int, seed: int) -> None:
        count, width = directions.shape
        random = torch.Generator().manual_seed(seed)
        inner = torch.zeros(concepts, width + 1, rank + 1)
        inner[:, :-1, :-1] = torch.randn(concepts, width, rank, generator=random) / width**0.5
        inner[:, -1, -1] = 1
        outer = torch.zeros(concepts, count, rank + 1)
        # (concepts, d + 1 + K, r + 1), A above B
        self.weights = torch.cat([inner, outer], 1).to(directions).requires_grad_()
        self.directions = directions

    @property
    def width(self) -> int:
        """d"""
        return self.directions.shape[1]

    def change(self, which: torch.Tensor, pi: Condition) -> torch.Tensor:
        """What the concepts `which` `(B,)` add to B conditions at strength 1, `(B, L, d)`; zero at
        padding.
        """
        inner, outer = self.weights[which].tensor_split([self.width + 1], 1)
        states = pad(pi.embeddings, (0, 1), value=1.0)
        return at_tokens(states @ inner @ outer.mT @ self.directions, pi)

    def maps(self) -> list[ConceptMap]:
        """The same as maps of a bank, to which the word's state and all distances are alike."""
        return [self._map(weights) for weights in self.weights.detach()]

    def _map(self, weights: torch.Tensor) -> ConceptMap:
        states, constant, outer = weights.tensor_split([self.width, self.width + 1])
        down = torch.cat([states, torch.zeros_like(states), constant.expand(2 * REACH + 1, -1)])
        return ConceptMap(weights.new_zeros(self.width + 1), down, outer.T @ self.directions)
