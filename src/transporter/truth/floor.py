"""Whether a change flips more answers than chance does: an exact permutation test.

What does not depend on the clips, such as a coin's answer, depends on no change of them either: an
answer could as well have been given about another clip of the same caption. So the answers about
the clips that a method changed are set against those about other changes of the same captions:
every one-word edit, and the random direction.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import hypergeom


def permutation_p(
    flipped: Sequence[bool],
    captions: Sequence[str],
    others: Sequence[bool],
    other_captions: Sequence[str],
) -> float:
    """The probability of as many flips, were answers permuted over the clips of each caption.

    Of each caption, a method's clips are then drawn from its own and the `others` together, without
    replacement, so their flips are hypergeometric, and the sum over captions is exact.

    Args:
        flipped: whether the answer about each of the method's clips is the target.
        captions: of these clips.
        others: whether the answer about each other clip is the target.
        other_captions: of those.
    """
    own = _counts(flipped, captions)
    beside = _counts(others, other_captions).reindex(own.index, fill_value=0)
    whole = own + beside
    chances = np.ones(1)
    for caption in own.index:
        count, flips = (int(whole.loc[caption, name]) for name in ("clips", "flips"))
        drawn = int(own.loc[caption, "clips"])
        chances = np.convolve(chances, hypergeom.pmf(np.arange(drawn + 1), count, flips, drawn))
    return float(min(1.0, chances[int(own["flips"].sum()) :].sum()))


def _counts(flipped: Sequence[bool], captions: Sequence[str]) -> pd.DataFrame:
    """Clips and flips of each caption."""
    table = pd.DataFrame({"caption": list(captions), "flips": np.asarray(flipped, dtype=int)})
    groups = table.groupby("caption")["flips"]
    return pd.DataFrame({"clips": groups.size(), "flips": groups.sum()})
