"""How close Phi, its parts, and plain decoding and encoding again come to the VLM's own tokens on
held-out clips.
"""

from model_stage import stage, unfinished

import shutil

from pairs import split_pairs
from transporter.clips.contrast import read_concepts
from transporter.coupling.network import Coupling
from transporter.coupling.report import report
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.files import write_table

with stage(snakemake) as device:
    generator = load_generator(snakemake.params.generator, device)
    held_out = split_pairs(snakemake, "held_out", generator)
    generator.free()
    vlm = load_vlm(snakemake.params.vlm, generator.video_shape, device, generator.fps)
    coupling = Coupling.load(snakemake.input.coupling, device)
    literal = (
        Coupling.load(snakemake.input.literal, device) if snakemake.input.get("literal") else None
    )
    concepts = read_concepts(snakemake.input.concepts, snakemake.params.names)
    questions = list(dict.fromkeys(concept.question for concept in concepts))
    write_table(report(coupling, vlm, questions, held_out, literal), snakemake.output[0])
    shutil.rmtree(unfinished(snakemake), ignore_errors=True)  # of few clips there is none
