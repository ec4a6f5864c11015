"""Does the caption of a generated video agree with the target caption? BLEU, ROUGE-L, CIDEr,
METEOR, SPICE; and sentence cosine.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torchmetrics.utilities import dim_zero_cat
from transformers import AutoModel, AutoTokenizer

from transporter.metrics.base import HIGHER, Metric
from transporter.networks.frozen import frozen
from transporter.support.errors import Unavailable, UserError
from transporter.support.hashes import LENGTH, file_hash

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


class CaptionAgreement(Metric):
    """What COCO's caption evaluation makes of captions, in hundredths as the paper prints them
    (CIDEr reaches 1000).

    pycocoevalcap computes the numbers, tokenizer included; nltk's METEOR, say, is another number.
    `spice` only where `has_spice`.

    Raises:
        Unavailable: pycocoevalcap or Java is missing.
    """

    higher_is_better = True
    numbers: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "meteor", "spice"), HIGHER
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        _package()
        if shutil.which("java") is None:
            raise Unavailable(
                "caption agreement: its tokenizer and METEOR need Java, and there is no java;"
                " install a Java runtime"
            )
        self._pairs: list[tuple[str, list[str]]] = []

    def update(self, candidates: Sequence[str], references: Sequence[Sequence[str]]) -> None:
        """Take in captions and, for each, the captions that it should agree with.

        Raises:
            UserError: not as many references as candidates, or a caption without any.
        """
        if (
            len(candidates) != len(references)
            or not all(references)
            or any(isinstance(own, str) for own in references)
        ):
            raise UserError(
                "caption agreement: expected a list of at least one reference for each candidate"
            )
        self._pairs += [
            (candidate, list(own)) for candidate, own in zip(candidates, references, strict=True)
        ]

    def reset(self) -> None:
        """Forget all captions."""
        super().reset()
        self._pairs = []

    def compute(self) -> dict[str, float]:
        """`bleu_1` to `bleu_4`, `rouge_l`, `cider`, `meteor`, and `spice` where its parts are
        there.

        CIDEr weighs words by how many clips' references hold them, so it needs several clips: for a
        single one it is 0.

        Raises:
            UserError: no captions.
        """
        if not self._pairs:
            raise UserError("caption agreement: expected captions, got none")
        # in a fixed order, for sums of floats depend on it
        pairs = sorted(self._pairs)
        tokenized = tokenize([own for _, own in pairs] + [[caption] for caption, _ in pairs])
        references, candidates = (
            dict(enumerate(half)) for half in (tokenized[: len(pairs)], tokenized[len(pairs) :])
        )
        return {name: 100 * score for name, score in _scores(references, candidates).items()}

    def protocol(self) -> dict[str, str | int]:
        """Captions and package."""
        return {"captions": len(self._pairs), "by": "pycocoevalcap 1.2", "scale": "100"}


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


def _scores(references: Captions, candidates: Captions) -> dict[str, float]:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    bleu, _ = Bleu(4).compute_score(references, candidates, verbose=0)
    scores = {f"bleu_{n}": float(score) for n, score in enumerate(bleu, start=1)}
    scorers = {"rouge_l": Rouge, "cider": Cider, "meteor": meteor}
    if has_spice():
        from pycocoevalcap.spice.spice import Spice

        scorers["spice"] = Spice
    return scores | {
        name: float(scorer().compute_score(references, candidates)[0])
        for name, scorer in scorers.items()
    }


class SentenceCosine(Metric):
    """The mean cosine of captions and target captions as all-MiniLM-L6-v2 embeds them.

    Args:
        folder: model and tokenizer (`transporter.networks.published.fetch("minilm", folder)`).
    """

    higher_is_better = True
    numbers: ClassVar[Mapping[str, str]] = {"sentence_cos": HIGHER}
    max_tokens = 256
    """Where the published model cuts sentences off."""

    def __init__(
        self, folder: str | os.PathLike[str], device: torch.device | str = "cpu", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = frozen(AutoModel.from_pretrained(folder), torch.device(device))
        self.hash = file_hash(Path(folder) / "model.safetensors")[:LENGTH]
        self.add_state("values", default=[], dist_reduce_fx="cat")

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
    def update(self, candidates: Sequence[str], targets: Sequence[str]) -> None:
        """Take in captions and the target of each.

        Raises:
            UserError: not as many targets as candidates.
        """
        if len(candidates) != len(targets):
            raise UserError(
                f"sentence cosine: expected a target for each of {len(candidates)} captions, got"
                f" {len(targets)}"
            )
        self.values.append(self._cosines(candidates, targets))

    def _cosines(self, candidates: Sequence[str], targets: Sequence[str]) -> torch.Tensor:
        return (self.embed(candidates) * self.embed(targets)).sum(-1)

    @torch.no_grad()
    def cosines(self, candidates: Sequence[str], targets: Sequence[str]) -> np.ndarray:
        """The cosine of each caption and its target `(B,)`, without taking them in."""
        return self._cosines(candidates, targets).double().cpu().numpy()

    def compute(self) -> dict[str, float]:
        """`sentence_cos`."""
        return {"sentence_cos": float(dim_zero_cat(self.values).double().mean())}

    def protocol(self) -> dict[str, str | int]:
        """Captions, model and the hash of its weights."""
        return {
            "captions": sum(map(len, self.values)),
            "model": "all-MiniLM-L6-v2",
            "hash": self.hash,
        }
