"""Sample the explanations of one VLM's choice between two words, and read them."""

from model_stage import stage

from transporter.clips.contrast import read_concepts
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generators.base import Sampling
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world
from transporter.support.files import write_table
from transporter.truth.cases import HONEST, Case
from transporter.truth.controls import CLIPS_AT_ONCE, Controls, explain, open_contexts
from transporter.truth.readings import read_clips

with stage(snakemake) as device:
    params, planted = snakemake.params, snakemake.wildcards.case != HONEST
    [concept] = read_concepts(snakemake.input.concepts, [snakemake.wildcards.concept])
    world, generator = load_world(params.world), load_generator(params.generator, device)
    shortcuts = world.read_shortcuts(snakemake.input.shortcuts) if planted else {}
    case = Case(concept, shortcuts.get(snakemake.wildcards.case), world)
    reader = Reader(generator, load_vlm(params.vlm, generator.video_shape, device, generator.fps))
    honest = (
        load_vlm(params.honest, generator.video_shape, device, generator.fps) if planted else None
    )
    probes = world.probes(params.probes) if params.probes else None
    controls = Controls.load(snakemake.input.controls)
    rows = open_contexts(controls, concept, reader, params.captions)
    banks = {
        name: ConceptBank.load(path, device)
        for name, path in zip(params.objectives, snakemake.input.banks, strict=True)
    }
    sampling = Sampling(params.generator["steps"], params.generator["guidance"], CLIPS_AT_ONCE)
    clips = explain(case, controls, rows, banks, generator, sampling, params.seed)
    write_table(read_clips(clips, case, reader, honest, probes), snakemake.output[0])
