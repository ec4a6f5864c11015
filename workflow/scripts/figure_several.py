"""Draw several concepts at once."""

from pathlib import Path

from stage import stage
from transporter.clips.contrast import read_concepts
from transporter.clips.video import read_video
from transporter.figures.exhibit import Exhibit
from transporter.figures.several import CAPTION, Composition, joint_seed, several_figure
from transporter.generation.demonstrations import INDEX
from transporter.generation.trials import SEVERAL
from transporter.support.files import read_table

with stage(snakemake):
    folder, shape = Path(snakemake.input.generated), snakemake.params.video
    index = read_table(folder / "index.tsv", INDEX)
    index = index[index["figure"] == SEVERAL]
    index = index.assign(strengths=index["clip"].map(index.groupby("clip")["phi"].agg(tuple)))
    compositions = []
    for names, readings in index.groupby("concepts", sort=False):
        rows = readings[readings["seed"] == joint_seed(readings)].drop_duplicates("clip")
        videos = {
            row.strengths: read_video(folder / row.clip, **shape)
            for row in rows.itertuples(index=False)
        }
        concepts = read_concepts(snakemake.input.concepts, names.split("+"))
        compositions.append(Composition(concepts, rows["caption"].iloc[0], videos, readings))
    caption = CAPTION.format(seeds=index["seed"].nunique(), vlm=snakemake.params.vlm)
    data = [snakemake.input.generated]
    exhibit = Exhibit.of(
        snakemake.output.png, caption, snakemake.params.settings, data, snakemake.params.code
    )
    exhibit.write(several_figure(compositions), Path(snakemake.output.png).with_suffix(""))
