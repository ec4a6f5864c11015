"""The paper's main table, or its table of embedding similarity."""

from pathlib import Path

import pandas as pd
from safetensors.torch import load_file

from stage import stage
from transporter.figures.comparison_tables import (
    LABELS,
    MAIN,
    SIMILARITY,
    comparison_sentence,
    labelled,
    main_caption,
    present,
    similarity_caption,
)
from transporter.figures.exhibit import Exhibit
from transporter.figures.table import write_paper_table
from transporter.metrics.comparison import compare_systems, distances, means, similarities
from transporter.metrics.scoring import COLUMNS
from transporter.support.files import read_table, write_table

HIGHER = {"lpips": False, "clip_score": True, "aesthetic": True, "delta": True}

with stage(snakemake):
    main, source, compared = snakemake.rule == "main_table", snakemake.input, {}
    for vlm, clips, vectors in zip(
        snakemake.params.vlms, source.clips, source.vectors, strict=True
    ):
        table, kept = read_table(clips, COLUMNS), load_file(vectors)
        numbers = (
            [*distances(kept, ("fvd", "fvd_probe")), *means(table, HIGHER)]
            if main
            else similarities(kept)
        )
        compared[vlm] = compare_systems(
            table, numbers, snakemake.params.ours, snakemake.params.seed
        )
        if main:
            seconds = (
                pd.to_numeric(table["seconds_per_step"], errors="coerce")
                .groupby(table["system"])
                .mean()
            )
            compared[vlm] = compared[vlm].assign(
                seconds_per_step=compared[vlm]["system"].map(seconds)
            )
        print(f"{vlm}: {len(compared[vlm])} systems compared in {len(numbers)} numbers", flush=True)
    frame = labelled(compared)
    columns = present(MAIN if main else SIMILARITY, frame)
    said = comparison_sentence(compared, columns)
    if main:
        tables = [
            read_table(path, ("metric", "better", "protocol", "warning"))
            for path in source.protocol
        ]
        protocol = pd.concat(
            [t.assign(vlm=vlm) for t, vlm in zip(tables, snakemake.params.vlms, strict=True)],
            ignore_index=True,
        )
        write_table(protocol, snakemake.output.protocol)
        left_out = protocol.loc[protocol["better"] == "", "protocol"].unique().tolist()
        warnings = [warning for warning in protocol["warning"].unique() if warning]
        caption = main_caption(frame, said, left_out, warnings)
    else:
        caption = similarity_caption(frame, said)
    data = [*source.clips, *source.vectors]
    exhibit = Exhibit.of(
        snakemake.output.tsv, caption, snakemake.config, data, snakemake.params.code
    )
    write_paper_table(
        frame, LABELS, columns, exhibit, Path(snakemake.output.tsv).with_suffix(""), group="VLM"
    )
