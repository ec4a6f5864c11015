"""Invert the VLM into clips of one concept, by one method and target."""

from model_stage import stage, unfinished

import shutil

import torch

from transporter.baselines.inverted_clips import (
    TARGETS,
    Inverter,
    nearest,
    unmirrored,
    write_inversions,
)
from transporter.baselines.settings import InversionSettings
from transporter.baselines.targets import VLMTarget
from transporter.baselines.verifier import Verifier
from transporter.clips.contrast import read_concepts
from transporter.clips.split import SplitClips
from transporter.generation.captions import pick_contexts
from transporter.networks.i3d import I3D
from transporter.networks.published import fetched
from transporter.pipeline.loading import load_vlm
from transporter.pipeline.world import load_world
from transporter.support.files import read_table

with stage(snakemake) as device:
    names, size, chosen = (
        snakemake.wildcards,
        snakemake.params.video,
        dict(snakemake.params.settings),
    )
    seeds, real_clips = chosen.pop("seeds"), chosen.pop("real_clips")
    [concept] = read_concepts(snakemake.input.concepts, [names.concept])
    training = SplitClips.of_table(
        snakemake.input.seen, snakemake.params.clips, snakemake.params.part
    )
    fresh = read_table(snakemake.input.captions, ("clip", "caption"), text=("clip", "caption"))
    shape = (size["frames"], size["height"], size["width"])

    def read(row: int) -> torch.Tensor:
        return training.read(row, shape, size["fps"]).video

    def verifier() -> Verifier:
        if folder := snakemake.params.clip_judge:
            return load_world(snakemake.params.world).verifier(folder, clips, device)
        return Verifier.of_batch_norms(
            I3D.load(fetched("i3d", snakemake.input.verifier[0]), device)
            .eval()
            .requires_grad_(False)
        )

    known = training.captions
    contexts = pick_contexts(
        concept, fresh["caption"].tolist(), known, seeds, snakemake.params.seed
    )
    clips = [read(row) for row in range(min(real_clips, len(training)))]
    stimuli = [read(nearest(target, known, concept)) for _, target in contexts]
    vlm = load_vlm(
        snakemake.params.vlm,
        (size["frames"], 3, size["height"], size["width"]),
        device,
        size["fps"],
    )
    target = VLMTarget(vlm, concept, difference=TARGETS[names.target])
    inverter = Inverter(
        target, clips, verifier, unmirrored(InversionSettings.from_mapping(chosen), concept)
    )
    checkpoints = unfinished(snakemake)
    write_inversions(
        snakemake.output[0],
        names.method,
        inverter,
        contexts,
        stimuli,
        size["fps"],
        snakemake.params.seed,
        checkpoints,
    )
    shutil.rmtree(checkpoints)
