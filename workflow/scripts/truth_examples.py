"""Draw one clip of each kind of cue under every explanation."""

from model_stage import stage

from pathlib import Path

from transporter.clips.contrast import read_concepts
from transporter.figures.truth_examples import (
    Example,
    cue_in_words,
    of_readings,
    truth_examples,
)
from transporter.pipeline.loading import load_generator
from transporter.pipeline.world import load_world
from transporter.support.files import read_table
from transporter.truth.controls import Controls
from transporter.truth.readings import READINGS, TRANSFER

with stage(snakemake) as device:
    files, world = snakemake.input, load_world(snakemake.params.world)
    concepts = {one.name: one for one in read_concepts(files.concepts)}
    shortcuts = world.read_shortcuts(files.shortcuts) if world else {}
    generator = load_generator(snakemake.params.generator, device)
    examples = []
    for folder, readings in zip(files.examples, files.readings, strict=True):
        clips, read = Controls.load(folder), read_table(readings, READINGS)
        if not clips.pairs:
            continue
        case, name = Path(folder).parts[-2:]
        [(caption, _)] = clips.pairs
        videos = {
            method: generator.decode(z_xi[0].to(device))[0].clamp(0, 1).cpu()
            for method, z_xi in clips.z_xi.items()
        }
        examples.append(
            Example(
                cue_in_words(shortcuts.get(case), concepts[name]),
                concepts[name],
                videos,
                of_readings(read, caption),
                of_readings(read, caption, TRANSFER),
            )
        )
    truth_examples(examples, [Path(snakemake.output.pdf), Path(snakemake.output.png)])
