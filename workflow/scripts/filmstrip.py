"""Draw one seed of one concept's sweep as a filmstrip."""

from pathlib import Path

from stage import stage
from transporter.contrast import read_concepts
from transporter.figures.filmstrip import filmstrip
from transporter.generation.sampling import Generated
from transporter.video import read_video

with stage(snakemake):
    folder, shape = Path(snakemake.input.generated), snakemake.params.video
    [concept] = read_concepts(snakemake.input.concepts, [snakemake.wildcards.concept])
    _, rows = next(Generated.load(folder).by_method())
    rows = rows[rows["seed"] == rows["seed"].min()]
    videos = {
        row.phi: read_video(folder / row.clip, shape["frames"], shape["height"], shape["width"])
        for row in rows.itertuples(index=False)
    }
    title = concept.pair(rows["caption"].iloc[0])[0]
    filmstrip(videos, Path(snakemake.output[0]), title, (concept.source, concept.target), fps=shape["fps"])
