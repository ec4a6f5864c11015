"""Write the page of all sweeps."""

from pathlib import Path

from microworld.attributes import WORDS
from stage import stage
from transporter.clips.contrast import read_concepts
from transporter.figures.gallery import KEYS, READINGS, SUMMARY, write_gallery
from transporter.metrics.temporal import TIMING, timeless_words
from transporter.support.files import read_table

with stage(snakemake):
    readings = read_table(snakemake.input.readings, (*KEYS, "seed", "phi", "clip"))
    folders = {folder.parts[-3:]: folder for folder in map(Path, snakemake.input.generated)}
    clips = {
        (row.generator, row.vlm, row.concept, row.method, row.seed, row.phi): folders[
            row.generator, row.vlm, row.concept
        ]
        / row.clip
        for row in readings.itertuples(index=False)
    }
    for column in READINGS:
        if column not in readings:
            readings[column] = ""
    write_gallery(
        Path(snakemake.output[0]),
        readings.drop(columns="clip"),
        clips,
        read_concepts(snakemake.input.concepts, snakemake.params.names),
        read_table(snakemake.input.summary, SUMMARY),
        snakemake.params.seeds,
        timeless=timeless_words(read_table(snakemake.input.temporal, TIMING), WORDS)
        if snakemake.input.temporal
        else (),
    )
