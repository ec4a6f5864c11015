"""What becomes of clips where a vector acts at its words' places alone."""

from model_stage import stage

from transporter.clips.contrast import read_concepts
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generation.sweeps import Generated
from transporter.generators.base import Sampling
from transporter.metrics.restriction import read_restricted
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world
from transporter.saliency.generated import SweepMaps
from transporter.support.files import write_table

with stage(snakemake) as device:
    inputs, params = snakemake.input, snakemake.params
    generator = load_generator(params.generator, device)
    vlm = load_vlm(params.vlm, generator.video_shape, device, generator.fps)
    [concept] = read_concepts(inputs.concepts, [snakemake.wildcards.concept])
    table = read_restricted(
        Generated.load(inputs.generated),
        SweepMaps.load(inputs.maps, concept),
        concept,
        Reader(generator, vlm),
        ConceptBank.load(inputs.bank, device),
        load_world(params.world).probes(params.probes, device),
        Sampling(params.generator["steps"], params.generator["guidance"], params.at_once),
        params.seed,
    )
    write_table(table, snakemake.output[0])
