"""What caption agreement is made of: pycocoevalcap's tokenizer, METEOR and SPICE, and the cosine of
sentences.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from transformers import AutoModel, AutoTokenizer

from transporter.networks.frozen import frozen
from transporter.networks.pretrained import load_network, load_safely
from transporter.support.errors import Unavailable, UserError

Captions = dict[int, list[str]]
"""Captions by the number of their clip, as pycocoevalcap takes them."""
_SPICE_PARTS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")


def _package() -> Path:
    found = importlib.util.find_spec("pycocoevalcap")
    if found is None or not found.submodule_search_locations:
        raise Unavailable(
            "caption agreement: the package pycocoevalcap is not installed; install it with the"
            " others of envs/"
        )
    return Path(next(iter(found.submodule_search_locations)))


def has_spice() -> bool:
    """Whether SPICE's parser lies in pycocoevalcap's folder `spice/lib`; it is never downloaded
    from here.
    """
    return all((_package() / "spice" / "lib" / part).is_file() for part in _SPICE_PARTS)


def tokenize(captions: Sequence[Sequence[str]]) -> list[list[str]]:
    """Each clip's captions as the Stanford tokenizer cuts them, joined by spaces, without capitals
    and punctuation; needs Java.
    """
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    # the tokenizer takes a caption a line; whatever else breaks lines would shift all captions
    # after it
    lines = {
        clip: [{"caption": " ".join(text.split())} for text in own]
        for clip, own in enumerate(captions)
    }
    return list(PTBTokenizer().tokenize(lines).values())


@cache
def meteor() -> Any:
    """METEOR's process, one for all: it loads its tables for several seconds."""
    from pycocoevalcap.meteor.meteor import Meteor

    atexit.register(meteor.cache_clear)
    return Meteor()


class SentenceCosine:
    """The cosine of captions and target captions as all-MiniLM-L6-v2 embeds them.

    Args:
        folder: model and tokenizer (`transporter.networks.published.fetch("minilm", folder)`).
    """

    max_tokens = 256
    """Where the published model cuts sentences off."""

    def __init__(self, folder: str | os.PathLike[str], device: torch.device | str = "cpu") -> None:
        expected = "all-MiniLM-L6-v2, model and tokenizer"
        self.tokenizer = load_safely(AutoTokenizer.from_pretrained, folder, expected)
        self.model = frozen(load_network(AutoModel, folder, expected), torch.device(device))

    def embed(self, sentences: Sequence[str]) -> torch.Tensor:
        """Sentences to unit vectors `(B, 384)`: the mean of the last states of their tokens."""
        words = self.tokenizer(
            list(sentences),
            padding=True,
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        )
        words = words.to(self.model.device)
        mask = words["attention_mask"][..., None]
        return F.normalize((self.model(**words).last_hidden_state * mask).sum(1), dim=-1)

    @torch.no_grad()
    def cosines(self, candidates: Sequence[str], targets: Sequence[str]) -> np.ndarray:
        """The cosine of each caption and its target `(B,)`, in float64.

        Raises:
            UserError: not as many targets as candidates.
        """
        if len(candidates) != len(targets):
            raise UserError(
                f"sentence cosine: expected a target for each of {len(candidates)} captions, got"
                f" {len(targets)}"
            )
        return (self.embed(candidates) * self.embed(targets)).sum(-1).double().cpu().numpy()
