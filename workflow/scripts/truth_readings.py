"""Sample the explanations of one VLM's choice between two words, and read them."""

from pathlib import Path

from microworld.probes import Probe
from microworld.shortcuts import read_shortcuts
from stage import stage
from transporter.clips.contrast import read_concepts
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generators.base import Sampling
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.files import write_table
from transporter.truth.cases import HONEST, Subject
from transporter.truth.controls import CLIPS_AT_ONCE, Controls, explain, open_contexts
from transporter.truth.readings import read_clips

with stage(snakemake) as device:
    params, planted = snakemake.params, snakemake.wildcards.subject != HONEST
    [concept] = read_concepts(snakemake.input.concepts, [snakemake.wildcards.concept])
    shortcut = (
        read_shortcuts(snakemake.input.shortcuts)[snakemake.wildcards.subject] if planted else None
    )
    subject, generator = Subject(concept, shortcut), load_generator(params.generator, device)
    reader = Reader(generator, load_vlm(params.vlm, generator.video_shape, device))
    honest = load_vlm(params.honest, generator.video_shape, device) if planted else None
    probe = Probe.from_pretrained(Path(params.probes)) if params.probes else None
    controls = Controls.load(snakemake.input.controls)
    rows = open_contexts(controls, concept, reader, params.captions)
    banks = {
        name: ConceptBank.load(path, device)
        for name, path in zip(params.objectives, snakemake.input.banks, strict=True)
    }
    sampling = Sampling(params.generator["steps"], params.generator["guidance"], CLIPS_AT_ONCE)
    clips = explain(subject, controls, rows, banks, generator, sampling, params.seed)
    write_table(read_clips(clips, subject, reader, honest, probe), snakemake.output[0])
