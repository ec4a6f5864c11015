"""How often the benchmark's floor lets an explanation of a coin pass, at which level.

Needs readings of `snakemake truth`. Each coin answers about the very clips that were read there, by
a hash of what the probes and the honest VLM see in them. The level is chosen on one half of the
coins and reported on the other: python benchmarks/false_claims.py results/truth/readings [coins]
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from transporter.statistics.bootstrap import Interval
from transporter.statistics.proportions import clustered_share
from transporter.support.files import read_table
from transporter.truth.controls import ORIGIN, RANDOM
from transporter.truth.floor import permutation_p
from transporter.truth.lookup import ASKED
from transporter.truth.readings import READINGS

LEVELS = (0.05, 0.02, 0.01, 0.005)
BOUND = 0.05
"""False claims that are allowed."""


def clip_hashes(readings: pd.DataFrame) -> list[str]:
    """What a clip looks like to all that reads it."""
    seen = readings.drop(columns=["method", "caption", "seed"]).round(4)
    return [" ".join(map(str, row)) for row in seen.itertuples(index=False)]


def tossed(hashes: list[str], salt: int) -> np.ndarray:
    """Whether the coin says the target of each clip, `(n,)`."""
    digests = (hashlib.sha256(f"{salt} {text}".encode()).digest() for text in hashes)
    return np.array([digest[0] % 2 == 1 for digest in digests])


def chances(readings: pd.DataFrame, says: np.ndarray) -> list[float]:
    """The chance of each method's flips, in the clips that the coin answers by the source."""
    clip = ["caption", "seed"]
    table = readings[[*clip, "method"]].assign(says=says)
    origin = table[table["method"] == ORIGIN].set_index(clip)
    is_open = ~origin["says"]
    found = []
    for method in table["method"].unique():
        if method in (ORIGIN, ASKED):
            continue
        after = table[table["method"] == method].set_index(clip).loc[origin.index][is_open]
        others = table[table["method"].isin({ASKED, RANDOM} - {method})]
        captions = after.index.get_level_values("caption")
        found.append(permutation_p(after["says"], captions, others["says"], others["caption"]))
    return found


def passed(part: pd.DataFrame, level: float) -> Interval:
    """The share of explanations whose chance is at most the level; those of one coin are alike."""
    groups = (part["chance"] <= level).groupby(part["coin"])
    return clustered_share(groups.sum(), groups.size())


def main(folder: Path, coins: int) -> None:
    paths = sorted(folder.rglob("*.tsv"))
    rows = []
    for path in paths:
        readings = read_table(path, READINGS)
        hashes = clip_hashes(readings)
        for salt in range(coins):
            found = chances(readings, tossed(hashes, salt))
            rows += [(path.stem, salt, chance) for chance in found]
    table = pd.DataFrame(rows, columns=["case", "coin", "chance"])
    halves = {"choosing": table[table["coin"] % 2 == 0], "reporting": table[table["coin"] % 2 == 1]}
    print(f"{len(paths)} cases, {coins} coins, {len(table)} explanations of coins")
    passing = {
        half: {level: passed(part, level) for level in LEVELS} for half, part in halves.items()
    }
    fitting = [level for level, share in passing["choosing"].items() if share.high <= BOUND]
    for half, shares in passing.items():
        for level, share in shares.items():
            print(f"{half} half, level {level}: {share} of explanations pass")
    print(
        f"the largest level with at most {BOUND} by the choosing half: {max(fitting, default=None)}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100)
