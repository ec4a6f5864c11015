"""Draw what each method shows for a few target words."""

from pathlib import Path

import torch

from stage import stage
from transporter.clips.contrast import read_concepts
from transporter.clips.video import read_video
from transporter.figures.comparison import CAPTION, Row, comparison_figure
from transporter.figures.exhibit import Exhibit
from transporter.support.files import read_table

with stage(snakemake):
    shape, folders = snakemake.params.video, [*snakemake.input.inverted, *snakemake.input.generated]

    def video(folder: Path) -> torch.Tensor:
        """The clip of the folder's first seed, of TRANSPORTER's at phi = 1."""
        index = read_table(folder / "index.tsv", ("seed", "clip"))
        if "phi" in index:
            index = index[(index["method"] == "transporter") & (index["phi"] == 1)]
        return read_video(folder / index.sort_values("seed")["clip"].iloc[0], **shape)

    rows = []
    for concept in read_concepts(snakemake.input.concepts, snakemake.params.names):
        own = [folder for folder in map(Path, folders) if folder.name == concept.name]
        *inverted, generated = own
        videos = {folder.parts[-3:-1]: video(folder) for folder in inverted}
        rows.append(Row(concept, {**videos, ("transporter", "phi"): video(generated)}))
    caption = CAPTION.format(vlm=snakemake.params.vlm)
    exhibit = Exhibit.of(
        snakemake.output.png, caption, snakemake.params.settings, folders, snakemake.params.code
    )
    exhibit.write(comparison_figure(rows), Path(snakemake.output.png).with_suffix(""))
