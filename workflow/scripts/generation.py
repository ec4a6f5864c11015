"""Generate the clips of one concept, or of several, by every method."""

from model_stage import kept, stage

from transporter.clips.contrast import read_concepts
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generation.captions import pick_contexts
from transporter.generation.slider import Spacing
from transporter.generation.sweeps import write_concept
from transporter.generators.base import Sampling
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.files import read_table

with stage(snakemake) as device:
    params, model = snakemake.params, snakemake.params.generator
    settings = params.settings
    fresh, seen = (
        read_table(path, ("clip", "caption"))["caption"].tolist()
        for path in (snakemake.input.captions, snakemake.input.seen)
    )
    generator, bank = load_generator(model, device), ConceptBank.load(snakemake.input.bank, device)
    reader, rounds, keep = None, settings["spacing_rounds"], kept(snakemake)
    if params.vlm:
        vlm = load_vlm(params.vlm, generator.video_shape, device, generator.fps)
        reader = Reader(generator, vlm)
    for concept, folder in zip(
        read_concepts(snakemake.input.concepts, params.names), snakemake.output, strict=True
    ):
        write_concept(
            folder,
            concept,
            pick_contexts(concept, fresh, seen, settings["seeds"], params.seed),
            generator,
            bank,
            settings["phi"],
            settings["methods"],
            Sampling(model["steps"], model["guidance"], params.at_once),
            params.seed,
            keep,
            Spacing(reader, concept, rounds) if reader else None,
        )
    keep.remove()
