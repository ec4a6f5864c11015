"""Choose one split of a user's own clips, of those that can be read; is enough left?"""

from model_stage import stage

from pathlib import Path

from transporter.clips.contrast import read_concepts
from transporter.clips.readable import alone, unreadable
from transporter.clips.reading import read_clip
from transporter.clips.window import Window
from transporter.pipeline.clip_contents import clip_contents
from transporter.pipeline.own_clips import (
    CLIPS,
    check_left_out,
    check_words,
    read_captions,
    sort_out,
    used_clips,
)
from transporter.pipeline.splitting import choose_split
from transporter.support.errors import UserError
from transporter.support.files import write_table
from transporter.support.hashes import digest

with stage(snakemake):
    params, settings = snakemake.params, snakemake.config
    path, split = Path(snakemake.input.captions), snakemake.wildcards.split
    table, folder = read_captions(path), path.parent / CLIPS
    names = used_clips(table, params.splits, params.seed, path)["clip"].tolist()
    contents = clip_contents(folder, names)
    known = Path("unfinished", "readable_clips", params.code)
    window = Window(params.part["start"], params.part["seconds"])

    def read(file: Path) -> None:
        """Read a clip in the shapes of all generators."""
        for *size, fps in params.shapes:
            read_clip(file, tuple(size), fps, window, params.part["fit"])

    # the first of the splits' jobs reads the clips of all, and the others know what it found
    with alone(known):
        reasons = unreadable(
            {name: folder / name for name in names},
            contents,
            read,
            known / f"{digest(params.shapes, params.part)}.tsv",
        )
    check_left_out(reasons, len(names), settings["clips"]["left_out"], folder)
    wanted = settings["run"]["concepts"]
    concepts = read_concepts(settings["concepts"], None if wanted == "all" else wanted)
    check_words(table, params.splits, params.seed, concepts, path, list(reasons))
    chosen = choose_split(table, split, params.splits, params.seed, str(path))
    readable, failed = sort_out(chosen, reasons, contents)
    if readable.empty:
        raise UserError(
            f"{path}: expected readable clips in the split {split}, got none of {len(chosen)}; the"
            f" first, {failed['clip'][0]}: {failed['reason'][0]}"
        )
    write_table(readable, snakemake.output.captions)
    write_table(failed, snakemake.output.failed)
    print(f"{len(readable)} clips can be read, {len(failed)} are left out")
