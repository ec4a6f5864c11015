"""Draw one explanation's sweep of phi in the first caption that was read, with the VLM's
answers.
"""

from model_stage import stage

from pathlib import Path

from transporter.clips.contrast import read_concepts
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.figures.filmstrip import filmstrip
from transporter.generation.sweeps import sweep
from transporter.generators.base import Sampling
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.errors import UserError
from transporter.support.files import read_table
from transporter.truth.readings import READINGS

with stage(snakemake) as device:
    params, model = snakemake.params, snakemake.params.generator
    [concept] = read_concepts(snakemake.input.concepts, [snakemake.wildcards.concept])
    read = read_table(snakemake.input.readings, READINGS)
    if read.empty:
        raise UserError(
            f"{snakemake.input.readings}: expected a clip to show, got none: the VLM answers none"
            f" at phi = 0 by {concept.source!r}"
        )
    caption = read["caption"].iloc[0]
    generator = load_generator(model, device)
    reader = Reader(generator, load_vlm(params.vlm, generator.video_shape, device, generator.fps))
    minus = generator.encode_text([caption])
    change = ConceptBank.load(snakemake.input.bank, device).change(concept.name, minus)
    [latents] = sweep(
        generator,
        minus,
        change,
        params.phi,
        [params.seed],
        Sampling(model["steps"], model["guidance"], params.at_once),
    )
    videos = generator.decode(latents).clamp(0, 1)
    shares = reader.log_odds(reader.vlm.encode(videos), concept).sigmoid().tolist()
    answers = {
        phi: f"{concept.target} {share:.0%}" if share > 0.5 else f"{concept.source} {1 - share:.0%}"
        for phi, share in zip(params.phi, shares, strict=True)
    }
    who = (
        "honest"
        if snakemake.wildcards.case == "honest"
        else snakemake.wildcards.case.replace("_", " ")
    )
    title = f"{who}, {snakemake.wildcards.objective}: {caption}"
    clips = dict(zip(params.phi, videos, strict=True))
    filmstrip(
        clips,
        Path(snakemake.output[0]),
        title,
        (concept.source, concept.target),
        fps=generator.fps,
        answers=answers,
    )
