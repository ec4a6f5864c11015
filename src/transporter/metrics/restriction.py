"""Does a vector that acts only where its words are keep more of the clip?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.clips.world import Probes
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generation.sweeps import Generated
from transporter.generators.base import Sampling
from transporter.metrics.faithfulness import kept, probed
from transporter.saliency.generated import SweepMaps
from transporter.saliency.restricting import (
    EVERYWHERE,
    MAP,
    OTHER_MAP,
    VECTOR,
    ends,
    restricted,
    word_places,
)
from transporter.saliency.scoring import averaged
from transporter.statistics.bootstrap import mean_intervals
from transporter.statistics.proportions import mean_share

ALL = "all"
SHARES = ("flipped", "hit", "kept")
"""Of the clips in which the VLM answers the target word, in which the probes see it, and of the
other attributes that look as before.
"""
MEASURES = (*SHARES, "outside")
"""And the mean change of pixels outside of the words' places."""
COLUMNS = ("concept", "where", "seed", *MEASURES)


@torch.no_grad()
def read_restricted(
    swept: Generated,
    found: SweepMaps,
    concept: Concept,
    reader: Reader,
    bank: ConceptBank,
    probes: Probes,
    sampling: Sampling,
    seed: int = 0,
) -> pd.DataFrame:
    """One row for each seed and place where the vector acts at phi = 1: everywhere, at its words'
    own places, and at those of the next seed's clip; columns `COLUMNS`, `log_odds`, and `tokens`,
    the share of tokens that it acts on.
    """
    generator, (none, full) = reader.generator, ends(swept)
    own = word_places(swept, found)
    where = {MAP: own, OTHER_MAP: own.roll(1, 0)}
    made = restricted(generator, swept, where, concept, bank, sampling, seed)
    latents = {"": swept.z_xi[none], EVERYWHERE: swept.z_xi[full], **made}
    table = swept.index[(swept.index["method"] == VECTOR) & (swept.index["phi"] == 0)]
    table = table.sort_values("seed")
    origin, parts = None, []
    for name, z_xi in latents.items():
        batches = z_xi.to(generator.device).split(sampling.batch)
        video = torch.cat([generator.decode(some).clamp(0, 1) for some in batches])
        origin = video if origin is None else origin
        clips = video.split(sampling.batch)
        odds = [reader.log_odds(reader.vlm.encode(some), concept) for some in clips]
        change = averaged((video - origin).abs().mean(2).cpu(), generator.block_grid)
        columns = {
            "caption": table["caption"].tolist(),
            "seed": table["seed"].tolist(),
            "method": VECTOR,
            "phi": float(bool(name)),
            "where": name,
            "tokens": where.get(name, torch.ones_like(own)).float().flatten(1).mean(1).tolist(),
            "log_odds": torch.cat(odds).tolist(),
            "outside": ((change * ~own).flatten(1).sum(1) / (~own).flatten(1).sum(1)).tolist(),
        }
        parts.append(pd.DataFrame(columns).join(probed(video, concept, probes)))
    whole = pd.concat(parts, ignore_index=True)
    whole["kept"] = kept(whole, concept, probes.vocabulary)
    whole["flipped"] = (whole["log_odds"] > 0).astype(int)
    changed = whole[whole["where"] != ""].assign(concept=concept.name)
    return changed[[*COLUMNS, "log_odds", "tokens"]]


def restriction_table(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One row for each concept and place, and for `all` concepts, whose intervals are resampled
    over concepts: means of `MEASURES` with intervals, and by how much each is `more` than that of
    the vector that acts everywhere, on the same captions and noises.
    """
    every = pd.concat(tables, ignore_index=True)
    # an empty cell of a table from a file is text
    every[list(MEASURES)] = every[list(MEASURES)].apply(pd.to_numeric, errors="coerce")
    whole = every[every["where"] == EVERYWHERE].set_index(["concept", "seed"])
    rows = []
    for concept, part in [*every.groupby("concept", sort=False), (ALL, every)]:
        for where, some in part.groupby("where", sort=False):
            some = some[some[list(MEASURES)].notna().all(axis=1)]
            groups = some["concept"].tolist() if concept == ALL else None
            keys = pd.MultiIndex.from_frame(some[["concept", "seed"]])
            columns = {"tokens": some["tokens"].to_numpy()}
            for name in MEASURES:
                columns[name] = some[name].to_numpy(dtype=float)
                columns[f"{name}_more"] = columns[name] - whole.loc[keys, name].to_numpy(float)
            row: dict[str, object] = {"concept": concept, "where": where, "clips": len(some)}
            intervals = mean_intervals(np.stack([*columns.values()], 1), groups)
            for name, interval in zip(columns, intervals, strict=True):
                row |= interval.row(name)
            for name in SHARES:
                row |= mean_share(columns[name], groups).row(name)
            rows.append(row)
    return pd.DataFrame(rows)
