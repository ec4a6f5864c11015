"""Make the clips of the figures of composition, step injection and partial frames, and ask the VLM
about them.
"""

from model_stage import stage

from transporter.clips.contrast import read_concepts
from transporter.concepts.bank import ConceptBank
from transporter.generation.captions import pick_captions
from transporter.generation.demonstrations import write_demonstrations
from transporter.generation.trials import demonstrations
from transporter.generators.base import Sampling
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.files import read_table

with stage(snakemake) as device:
    settings, model = snakemake.params.settings, snakemake.params.generator
    fresh, seen = (
        read_table(path, ("clip", "caption"))["caption"].tolist()
        for path in (snakemake.input.captions, snakemake.input.seen)
    )
    generator, bank = load_generator(model, device), ConceptBank.load(snakemake.input.bank, device)
    concepts = read_concepts(snakemake.input.concepts, snakemake.params.names)
    wanted = demonstrations(settings, snakemake.params.phi, concepts)
    captions = {
        made.name: pick_captions(
            made.concepts, fresh, seen, settings["seeds"], snakemake.params.seed
        )
        for made in wanted
    }
    write_demonstrations(
        snakemake.output[0],
        wanted,
        captions,
        generator,
        load_vlm(snakemake.params.vlm, generator.video_shape, device, generator.fps),
        bank,
        Sampling(model["steps"], model["guidance"], snakemake.params.at_once),
        snakemake.params.seed,
    )
