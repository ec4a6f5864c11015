"""Caption agreement clip by clip, so that the agreement of any selection of clips, a resample say,
costs a sum.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from transporter.metrics.captions import Captions, has_spice, meteor, tokenize

ORDERS_OF_BLEU = 4


@dataclass(frozen=True)
class ClipScores:
    """Scores of n clips, in hundredths as the paper prints them (CIDEr reaches 1000).

    BLEU of a selection is its corpus score, from summed counts; every other score is the mean over
    its clips (METEOR, too, whose corpus score is another number).
    """

    per_clip: Mapping[str, np.ndarray]
    """Scores per clip `(n,)` by name."""
    counts: np.ndarray | None = field(default=None, repr=False)
    """What BLEU is made from `(n, 10)`: length, reference's length, n-grams of orders 1 to 4, those
    of them in the reference.
    """

    @property
    def names(self) -> tuple[str, ...]:
        bleu = (
            ()
            if self.counts is None
            else tuple(f"bleu_{order}" for order in range(1, ORDERS_OF_BLEU + 1))
        )
        return (*bleu, *self.per_clip)

    def score(self, name: str, clips: np.ndarray) -> float:
        """The score `name` of the clips with these indices `(k,)`, some of them doubled."""
        if name in self.per_clip:
            return float(self.per_clip[name][clips].mean())
        return _bleu(self.counts[clips].sum(0), int(name.removeprefix("bleu_")))


def caption_scores(candidates: Sequence[str], references: Sequence[str]) -> ClipScores:
    """`bleu_1` to `bleu_4`, `rouge_l`, `cider`, with Java `meteor`, and `spice` where its parts are
    there; one reference per clip.

    CIDEr weighs words by how many of all `references` hold them, also for a selection. Without Java
    captions are cut at spaces and punctuation; for lower-case captions of plain words
    pycocoevalcap's tokenizer does the same.

    Raises:
        Unavailable: pycocoevalcap is missing.
    """
    spice = has_spice() and has_java()
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    cut = tokenize if has_java() else _words
    own, target = (
        dict(enumerate(cut([[text] for text in texts]))) for texts in (candidates, references)
    )
    scorers = {"rouge_l": Rouge, "cider": Cider} | ({"meteor": meteor} if has_java() else {})
    scores = {
        name: 100 * np.asarray(scorer().compute_score(target, own)[1], dtype=float)
        for name, scorer in scorers.items()
    }
    if spice:
        scores |= _spice(target, own)
    return ClipScores(scores, _counts(target, own))


def has_java() -> bool:
    """Whether METEOR and the Stanford tokenizer can run."""
    return shutil.which("java") is not None


def _words(captions: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[" ".join(re.findall(r"[\w'-]+", text.lower())) for text in own] for own in captions]


def _spice(references: Captions, candidates: Captions) -> dict[str, np.ndarray]:
    from pycocoevalcap.spice.spice import Spice

    return {
        "spice": 100
        * np.array([clip["All"]["f"] for clip in Spice().compute_score(references, candidates)[1]])
    }


def _counts(references: Captions, candidates: Captions) -> np.ndarray:
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    scorer = BleuScorer(n=ORDERS_OF_BLEU)
    for clip, own in candidates.items():
        scorer += (own[0], references[clip])
    rows = [
        [clip["testlen"], clip["reflen"][0], *clip["guess"], *clip["correct"]]
        for clip in scorer.ctest
    ]
    return np.array(rows, dtype=float)


def _bleu(counts: np.ndarray, order: int) -> float:
    """Papineni et al. (2002): the geometric mean of the precisions up to `order`, less for
    candidates that are too short.
    """
    length, reference = counts[:2]
    guessed, right = counts[2 : 2 + order], counts[2 + ORDERS_OF_BLEU : 2 + ORDERS_OF_BLEU + order]
    if not length or not right.all():
        return 0.0
    return float(
        100 * np.prod(right / guessed) ** (1 / order) * min(1.0, np.exp(1 - reference / length))
    )
