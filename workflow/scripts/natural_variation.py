"""How much each attribute differs between two clips, by the judge that the benchmark uses."""

from pathlib import Path

import pandas as pd
import torch

from microworld.probes import Probe
from microworld.renderer import FRAMES, SIZE
from stage import stage
from transporter.clips.video import read_video
from transporter.support.files import read_table, write_table
from transporter.truth.change import natural_variation

with stage(snakemake):
    clips = read_table(snakemake.input.captions, ("clip", "caption"), text=("clip",))["clip"]
    probe = Probe.from_pretrained(Path(snakemake.params.probes))
    videos = (
        read_video(Path(snakemake.input.clips, clip), FRAMES, SIZE, SIZE)[None] for clip in clips
    )
    read = [probe.probabilities(video) for video in videos]
    varies = natural_variation({name: torch.cat([each[name] for each in read]) for name in read[0]})
    write_table(
        pd.DataFrame(varies.items(), columns=["attribute", "variation"]), snakemake.output[0]
    )
