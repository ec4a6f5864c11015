"""Choose one split of a user's own clips, of those that can be read; is enough left?"""

from model_stage import stage

from pathlib import Path

from transporter.clips.contrast import read_concepts
from transporter.clips.layouts import is_packed, listed
from transporter.clips.readable import alone, parts_of
from transporter.clips.reading import read_clip, seconds_of
from transporter.clips.webdataset_layout import unpacked
from transporter.clips.window import Window, spread_starts
from transporter.pipeline.clip_contents import piece_contents
from transporter.pipeline.own_clips import (
    check_left_out,
    check_words,
    lost_parts,
    run_lacks,
    sort_out,
    used_clips,
)
from transporter.pipeline.splitting import choose_split
from transporter.support.errors import UserError
from transporter.support.files import link_files, write_table
from transporter.support.hashes import digest

KEPT = Path("unfinished", "unpacked_clips")
"""Clips out of archives, by what they hold: each is taken out once."""

with stage(snakemake):
    params, settings = snakemake.params, snakemake.config
    split, home, layout = snakemake.wildcards.split, Path(params.folder), params.layout
    listing = listed(home, layout)
    table, path = listing.table, listing.source
    names = used_clips(table, params.splits, params.seed, path)["clip"].tolist()
    pieces = {name: listing.piece(name) for name in names}
    contents = piece_contents(listing.base or home, pieces)
    known = Path("unfinished", "readable_clips", params.code)
    first, seconds, windows = params.part["start"], params.part["seconds"], params.windows

    def starts(file: Path) -> list[float]:
        """Where the windows of a clip begin, by the generator that sees most of it."""
        if windows == 1:
            return [first]
        longest = max(Window(first, seconds).length(size[0], fps) for *size, fps in params.shapes)
        return spread_starts(seconds_of(file), first, longest, windows)

    def read(file: Path, start: float) -> None:
        """Read a window of a clip in the shapes of all generators."""
        for *size, fps in params.shapes:
            read_clip(file, tuple(size), fps, Window(start, seconds), params.part["fit"])

    # the first of the splits' jobs reads the clips of all, and the others know what it found
    with alone(known):
        files = {name: piece.file for name, piece in pieces.items()}
        if is_packed(layout):
            files = {name: unpacked(pieces[name], contents[name], KEPT) for name in names}
        parts = parts_of(
            files,
            contents,
            starts,
            read,
            known / f"{digest(params.shapes, params.part, windows)}.tsv",
        )
    share, rows = settings["clips"]["left_out"], sum(map(len, parts.values()))
    check_left_out(lost_parts(parts, windows), rows, share, home)
    wanted = settings["run"]["concepts"]
    concepts = read_concepts(settings["concepts"], None if wanted == "all" else wanted)
    lacks = run_lacks(home, params.splits, params.seed, concepts, layout)
    concepts = [concept for concept in concepts if concept.name not in lacks]
    useless = [name for name, found in parts.items() if all(part.reason for part in found)]
    check_words(table, params.splits, params.seed, concepts, path, useless)
    chosen = choose_split(table, split, params.splits, params.seed, str(path))
    readable, failed = sort_out(chosen, parts, contents, windows)
    if readable.empty:
        raise UserError(
            f"{path}: expected readable clips in the split {split}, got none of {len(chosen)}; the"
            f" first, {failed['clip'][0]}: {failed['reason'][0]}"
        )
    if is_packed(layout):
        link_files({name: files[name] for name in readable["file"]}, snakemake.output.clips)
    write_table(readable, snakemake.output.captions)
    write_table(failed, snakemake.output.failed)
    print(f"{len(readable)} clips can be read, {len(failed)} are left out")
    if listing.absent:
        print(f"{len(listing.absent)} clips of {path} have no file, as {listing.absent[0]}")
