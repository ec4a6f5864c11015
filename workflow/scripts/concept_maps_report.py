"""How far the maps of a bank lead, by the generator's velocity and the VLM's answer."""

from model_stage import stage

from contexts import read_contexts
from transporter.clips.contrast import read_concepts
from transporter.concepts.bank import ConceptBank
from transporter.concepts.fitting import BankSettings, bank_table
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.files import write_table

with stage(snakemake) as device:
    params, inputs = snakemake.params, snakemake.input
    generator = load_generator(params.generator, device)
    vlm = load_vlm(params.vlm, generator.video_shape, device, generator.fps)
    coupling = Coupling.load(inputs.coupling, device).variant(output=params.output)
    reader = Reader(generator, vlm, coupling)
    bank = ConceptBank.load(inputs.bank, device)
    concepts = read_concepts(inputs.concepts, params.names)
    contexts = read_contexts(inputs, concepts, generator, params.limit)
    settings = BankSettings.from_mapping(params.settings, params.seed)
    write_table(bank_table(bank, concepts, contexts, reader, settings), snakemake.output[0])
