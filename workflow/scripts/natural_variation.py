"""How much each attribute differs between two clips, by the probes that the benchmark uses."""

from model_stage import stage

import pandas as pd
import torch

from transporter.clips.split import SplitClips
from transporter.pipeline.world import load_world
from transporter.support.files import write_table
from transporter.truth.change import natural_variation

with stage(snakemake):
    params = snakemake.params
    clips = SplitClips.of_table(snakemake.input.captions, params.clips, params.part)
    probes = load_world(params.world).probes(params.probes)
    *size, fps = (params.video[key] for key in ("frames", "height", "width", "fps"))
    videos = (clips.read(row, tuple(size), fps).video[None] for row in range(len(clips)))
    read = [probes.probabilities(video) for video in videos]
    together = {name: torch.cat([clip[name] for clip in read]) for name in read[0]}
    varies = natural_variation(together)
    write_table(
        pd.DataFrame(varies.items(), columns=["attribute", "variation"]), snakemake.output[0]
    )
