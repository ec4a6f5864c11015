"""Write the page of all sweeps."""

import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from stage import stage
from transporter.clips.contrast import read_concepts
from transporter.figures.gallery import (
    KEYS,
    READINGS,
    SUMMARY,
    Clip,
    LeftOut,
    Origin,
    write_gallery,
)
from transporter.metrics.timeless import TIMING, timeless_words
from transporter.pipeline.failed_fits import failed_fits
from transporter.pipeline.own_clips import left_out
from transporter.pipeline.world import load_world
from transporter.support.files import read_table

LICENCE = "Apache-2.0"


def origin(results: str, scripts: str) -> Origin:
    """When `results` were written, and the code that made the page; a copy of the project without
    git has no commit.
    """
    date = datetime.fromtimestamp(Path(results).stat().st_mtime, UTC).date().isoformat()
    command = ["git", "-C", scripts, "describe", "--always", "--dirty", "--exclude=*"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        commit = ""
    return Origin(date, version("transporter"), commit, LICENCE)


with stage(snakemake):
    inputs, world = snakemake.input, load_world(snakemake.params.world)
    readings = read_table(inputs.readings, (*KEYS, "seed", "phi", "clip"))
    folders = {folder.parts[-3:]: folder for folder in map(Path, inputs.generated)}
    clips = {}
    for row in readings.itertuples(index=False):
        folder = folders[row.generator, row.vlm, row.concept]
        key = Clip(row.generator, row.vlm, row.concept, row.method, row.seed, row.phi)
        clips[key] = folder / row.clip
    write_gallery(
        Path(snakemake.output[0]),
        readings.reindex(columns=list(dict.fromkeys((*READINGS, *readings))), fill_value=""),
        clips,
        read_concepts(inputs.concepts, snakemake.params.names),
        read_table(inputs.summary, SUMMARY),
        [name for name in (world.words if world else ()) if name in readings],
        snakemake.params.seeds,
        timeless=timeless_words(read_table(inputs.temporal, TIMING), world.words)
        if inputs.temporal
        else (),
        origin=origin(inputs.readings, snakemake.scriptdir),
        left_out=LeftOut(*left_out(inputs.failed, inputs.splits)) if inputs.get("failed") else None,
        failed=failed_fits(inputs.fits),
    )
