"""The ablation table of every generator and VLM, and which of the paper's orders hold."""

from pathlib import Path
from typing import Any

import pandas as pd

from stage import stage
from transporter.clips.contrast import read_concepts
from transporter.figures.ablation import (
    BASE,
    BASELINE,
    columns,
    compare,
    explain,
    order_score,
    orders,
    score_readings,
    told,
)
from transporter.figures.exhibit import Exhibit
from transporter.figures.table import write_paper_table
from transporter.metrics.caption_scores import has_java
from transporter.metrics.captions import SentenceCosine
from transporter.networks.published import fetched
from transporter.support.errors import Unavailable
from transporter.support.files import read_table, write_table

COLUMNS = ("concept", "generator", "vlm", "caption", "seed")
READERS = {"phi": "through Φ", "reencoded": "decoded"}
TEXT = ("caption", "caption_phi", "caption_reencoded", "caption_read")


def gather(given: Any) -> pd.DataFrame:
    """Every variant's readings at phi = 1 in one table; a baseline's are taken as they are."""
    names = [*([BASE] * len(given.base)), *snakemake.params.variants]
    paths = [*given.base, *given.variants]
    swept = [
        read_table(path, (*COLUMNS, "method", "phi"), TEXT).assign(variant=name)
        for path, name in zip(paths, names, strict=True)
    ]
    swept = [table[(table["phi"] == 1) & (table["method"] == "transporter")] for table in swept]
    return pd.concat(
        [*swept, *map(leaps, given.baseline, snakemake.params.vlms)], ignore_index=True
    )


def leaps(path: str, vlm: str) -> pd.DataFrame:
    """What a VLM says of the clips that LEAPS made of it, which have pixels and no latents, so that
    no Phi reads them.
    """
    table = read_table(
        path, ("method", "target", *COLUMNS[:1], "caption", "seed", "caption_read"), TEXT
    )
    chosen = table[(table["method"] == "leaps") & (table["target"] == "w")].rename(
        columns={"caption_read": "caption_reencoded"}
    )
    return pd.concat(
        [
            chosen.assign(variant=BASELINE, generator=name, vlm=vlm)
            for name in snakemake.params.generators
        ]
    )


with stage(snakemake) as device:
    if not has_java():
        print("no java: no METEOR, and captions are cut at spaces and punctuation", flush=True)
    concepts = {
        concept.name: concept
        for concept in read_concepts(snakemake.input.concepts, snakemake.params.names)
    }
    try:
        cosines = SentenceCosine(fetched("minilm", snakemake.input.sentences), device).cosines
    except Unavailable as reason:
        print(f"no sentence cosine: {reason}", flush=True)
        cosines = None
    rows, found, said = [], [], []
    for (generator, vlm), readings in gather(snakemake.input).groupby(
        ["generator", "vlm"], sort=False
    ):
        scored = {
            name: score_readings(part.dropna(axis=1, how="all"), concepts, cosines)
            for name, part in readings.groupby("variant", sort=False)
        }
        rows.append(compare(scored).assign(generator=generator, vlm=vlm))
        found.append(orders(scored).assign(generator=generator, vlm=vlm))
        score = order_score(found[-1]["score"].unique())
        told_of = [
            f"{vlm} {where}: {told(found[-1], reading, score)}"
            for reading, where in READERS.items()
        ]
        said.append(". ".join(told_of))
        print(said[-1], flush=True)
    rows, stem = pd.concat(rows, ignore_index=True), Path(snakemake.output.tsv).with_suffix("")
    data = [*snakemake.input.base, *snakemake.input.variants, *snakemake.input.baseline]
    exhibit = Exhibit.of(
        snakemake.output.tsv,
        explain(rows, said),
        snakemake.params.settings,
        data,
        snakemake.params.code,
    )
    write_paper_table(rows, ("vlm", "label"), columns(rows), exhibit, stem, group="vlm")
    write_table(pd.concat(found, ignore_index=True), snakemake.output.orders)
