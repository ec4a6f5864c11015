"""Make a small folder of clips as a user would have it: videos, and a table that captions them."""

from model_stage import stage

from itertools import count, islice
from pathlib import Path

import pandas as pd

from microworld.dataset import make_clip
from microworld.language import caption
from microworld.renderer import FPS
from microworld.splits import split_seed
from transporter.clips.writing import write_video
from transporter.support.files import write_table

with stage(snakemake):
    seed = split_seed(snakemake.params.seed, "own_clips")
    made = (make_clip(index, seed, None) for index in count())
    # those that are clear enough to be captioned in full, so that each is of use to many concepts
    captioned = ((clip, clip.attributes.words()) for clip in made)
    clear = (pair for pair in captioned if all(pair[1].values()))
    rows = []
    for number, (clip, words) in enumerate(islice(clear, snakemake.params.clips), start=1):
        name = f"{words['colour']}_{words['shape']}_{number:02d}.mp4"
        write_video(Path(snakemake.output.clips, name), clip.video, FPS)
        rows.append({"clip": name, "caption": caption(words)})
    write_table(pd.DataFrame(rows), snakemake.output.captions)
