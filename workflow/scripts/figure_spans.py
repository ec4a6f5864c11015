"""Draw concepts that act in a part of the sampling steps, or of the latent frames."""

from pathlib import Path

from stage import stage
from transporter.clips.contrast import read_concepts
from transporter.clips.video import read_video
from transporter.figures.exhibit import Exhibit
from transporter.figures.spans import (
    INJECTION,
    PARTIAL_FRAMES,
    PLOTTED,
    Injected,
    Span,
    leading,
    spans_figure,
)
from transporter.figures.sweeps import typical_seed
from transporter.generation import trials
from transporter.generation.demonstrations import INDEX
from transporter.support.files import read_table

DRAWN = {
    trials.INJECTION: (INJECTION, "steps", {"object": 1, "scene": 1, "action": 3}, 3, False),
    trials.PARTIAL_FRAMES: (
        PARTIAL_FRAMES,
        "latent frames",
        {"object": 5, "scene": 5, "action": 5},
        2,
        True,
    ),
}

with stage(snakemake):
    folder, shape, figure = (
        Path(snakemake.input.generated),
        snakemake.params.video,
        snakemake.wildcards.figure,
    )
    told, name, frames, across, marked = DRAWN[figure]
    index = read_table(folder / "index.tsv", INDEX)
    index = index[index["figure"] == figure]
    span = index.apply(
        lambda row: Span(*((row["first"], row["last"]) if row["phi"] else (0, 0)), row["of"]),
        axis=1,
    )
    index = index.assign(span=span)
    shown = []
    for concept in read_concepts(snakemake.input.concepts, index["concept"].unique().tolist()):
        readings = index[index["concept"] == concept.name]
        everywhere = readings["span"] == Span(1, readings["of"].iloc[0], readings["of"].iloc[0])
        rows = readings[readings["seed"] == typical_seed(readings[everywhere])]
        videos = {
            row.span: read_video(folder / row.clip, **shape) for row in rows.itertuples(index=False)
        }
        shown.append(Injected(concept, rows["caption"].iloc[0], videos, readings))
    caption = (told + PLOTTED).format(
        of=index["of"].iloc[0], seeds=index["seed"].nunique(), vlm=snakemake.params.vlm
    )
    if figure == trials.INJECTION:
        caption += leading(shown)
    data = [snakemake.input.generated]
    exhibit = Exhibit.of(
        snakemake.output.png, caption, snakemake.params.settings, data, snakemake.params.code
    )
    exhibit.write(
        spans_figure(shown, name, frames, across, marked),
        Path(snakemake.output.png).with_suffix(""),
    )
