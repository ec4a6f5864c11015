"""Look at a user's own clips: which can be read, and is enough left?"""

from pathlib import Path

from stage import stage, unfinished
from transporter.clips.contrast import read_concepts
from transporter.clips.readable import unreadable
from transporter.clips.video import read_video
from transporter.pipeline.clip_contents import clip_contents
from transporter.pipeline.own_clips import CLIPS, check_words, read_captions, sort_out
from transporter.support.files import write_table
from transporter.support.hashes import digest

with stage(snakemake):
    params, path = snakemake.params, Path(snakemake.input.captions)
    table, folder = read_captions(path), path.parent
    names = table["clip"].tolist()

    def read(file: Path) -> None:
        """Read a clip in the shapes of all generators."""
        for shape in params.shapes:
            read_video(file, *shape)

    reasons = unreadable(
        {name: folder / CLIPS / name for name in names},
        clip_contents(folder / CLIPS, names),
        read,
        unfinished(snakemake) / f"{digest(params.shapes)}.tsv",
    )
    readable, failed = sort_out(table, folder, reasons, params.left_out)
    concepts = read_concepts(snakemake.input.concepts, params.names)
    check_words(table, params.splits, params.seed, concepts, path, failed["clip"].tolist())
    write_table(readable, snakemake.output.readable)
    write_table(failed, snakemake.output.failed)
    print(f"{len(readable)} clips can be read, {len(failed)} are left out")
