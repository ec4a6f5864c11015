"""Draw the sweeps of all concepts of one kind."""

from pathlib import Path

from stage import stage
from transporter.clips.contrast import read_concepts
from transporter.clips.video import read_video
from transporter.figures.exhibit import Exhibit
from transporter.figures.sweeps import CAPTION, WHAT, Sweep, sweeps_figure, typical_seed
from transporter.support.files import read_table

COLUMNS = ("concept", "method", "caption", "seed", "phi", "clip", "log_odds")

with stage(snakemake):
    shape, settings = snakemake.params.video, snakemake.params.settings
    readings = read_table(snakemake.input.readings, COLUMNS)
    readings = readings[readings["method"] == "transporter"]
    sweeps = []
    for concept, folder in zip(
        read_concepts(snakemake.input.concepts, snakemake.params.names),
        map(Path, snakemake.input.generated),
        strict=True,
    ):
        rows = readings[readings["concept"] == concept.name]
        shown = rows[rows["seed"] == typical_seed(rows)]
        videos = {
            row.phi: read_video(folder / row.clip, shape["frames"], shape["height"], shape["width"])
            for row in shown.itertuples(index=False)
        }
        sweeps.append(Sweep(concept, shown["caption"].iloc[0], videos, rows))
    kind, seeds = sweeps[0].concept.kind, readings["seed"].nunique()
    caption = CAPTION.format(what=WHAT[kind], seeds=seeds, vlm=snakemake.params.vlm)
    data = [snakemake.input.readings, *snakemake.input.generated]
    exhibit = Exhibit.of(snakemake.output.png, caption, settings, data, snakemake.params.code)
    exhibit.write(sweeps_figure(sweeps), Path(snakemake.output.png).with_suffix(""))
