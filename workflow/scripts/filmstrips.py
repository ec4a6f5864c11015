"""Draw one seed of every concept's sweep as a filmstrip."""

from model_stage import stage

from pathlib import Path

from transporter.clips.contrast import read_concepts
from transporter.clips.reading import read_video
from transporter.figures.filmstrip import filmstrip
from transporter.generation.sweeps import Generated

METHOD = "transporter"
"""The method that is drawn; a run without it draws its first, and says so."""

with stage(snakemake):
    shape, concepts = (
        snakemake.params.video,
        read_concepts(snakemake.input.concepts, snakemake.params.names),
    )
    for concept, folder, path in zip(
        concepts, map(Path, snakemake.input.generated), snakemake.output, strict=True
    ):
        sweeps = dict(Generated.load(folder).by_method())
        method = METHOD if METHOD in sweeps else next(iter(sweeps))
        rows = sweeps[method]
        rows = rows[rows["seed"] == rows["seed"].min()]
        videos = {
            row.phi: read_video(folder / row.clip, shape["frames"], shape["height"], shape["width"])
            for row in rows.itertuples(index=False)
        }
        caption = rows["caption"].iloc[0]
        title, _ = concept.pair(caption) or (caption, caption)
        if method != METHOD:
            title = f"{title} ({method.replace('_', ' ')})"
        filmstrip(videos, Path(path), title, (concept.source, concept.target), fps=shape["fps"])
        print(f"{concept.name} drawn", flush=True)
