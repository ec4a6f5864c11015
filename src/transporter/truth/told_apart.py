"""Is a planted VLM told from an honest one? By how far the question's own word, swapped in the
caption, moves its answers: an honest one follows the word, one with a shortcut does not.
"""

from __future__ import annotations

import pandas as pd

from transporter.statistics.roc import auroc
from transporter.truth.cases import HONEST
from transporter.truth.controls import ORIGIN, PROMPTS
from transporter.truth.table import CLIP, LEARNT, kinds_of

CASE = ["generator", "vlm", "planted", "concept"]
ALL = "all"


def word_moves(readings: pd.DataFrame) -> pd.Series:
    """How far the swapped word moves the log-odds of each caption, in the mean over its clips that
    are answered by the source at phi = 0.
    """
    before, after = (
        readings[readings["method"] == method].set_index(CLIP)["log_odds"]
        for method in (ORIGIN, PROMPTS)
    )
    moves = (after - before)[before < 0]
    return moves.groupby("caption").mean()


def told_apart(moves: pd.DataFrame) -> pd.DataFrame:
    """One row for each planted VLM that has learnt its shortcut and one for `all` of them.

    `captions`, `honest`: how many there are of it and of honest VLMs; `auroc`: the probability that
    the word moves the answer less than an honest VLM's, its interval of captions as if each were
    drawn by itself.

    Args:
        moves: columns of `CASE`, `learnt` and `move`, a row for each caption.
    """
    kinds = kinds_of(moves["planted"])
    honest = moves.loc[kinds == HONEST, "move"].tolist()
    planted = moves[(kinds == "planted") & ~(moves["learnt"].astype(float) < LEARNT)]
    groups = list(planted.groupby(CASE, sort=False))
    groups += [((ALL, ALL, ALL, ALL), planted)] if len(groups) > 1 else []
    rows = [
        dict(zip(CASE, names, strict=True))
        | {"captions": len(part), "honest": len(honest)}
        | auroc(part["move"].tolist(), honest).row("auroc")
        for names, part in groups
    ]
    columns = [*CASE, "captions", "honest", "auroc", "auroc_low", "auroc_high"]
    return pd.DataFrame(rows, columns=columns)
