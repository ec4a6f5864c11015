"""How much each attribute differs between two clips, by the probes that the benchmark uses."""

from model_stage import stage

from pathlib import Path

import pandas as pd
import torch

from transporter.clips.reading import read_video
from transporter.pipeline.world import load_world
from transporter.support.files import read_table, write_table
from transporter.truth.change import natural_variation

with stage(snakemake):
    clips = read_table(snakemake.input.captions, ("clip", "caption"), text=("clip",))["clip"]
    probes = load_world(snakemake.params.world).probes(snakemake.params.probes)
    size = [snakemake.params.video[key] for key in ("frames", "height", "width")]
    videos = (read_video(Path(snakemake.params.clips, clip), *size)[None] for clip in clips)
    read = [probes.probabilities(video) for video in videos]
    together = {name: torch.cat([clip[name] for clip in read]) for name in read[0]}
    varies = natural_variation(together)
    write_table(
        pd.DataFrame(varies.items(), columns=["attribute", "variation"]), snakemake.output[0]
    )
