"""Draw one clip and the maps of its words."""

from model_stage import stage

from pathlib import Path

import torch

from transporter.figures.clip_maps import clip_maps_figure
from transporter.pipeline.loading import load_generator
from transporter.pipeline.world import load_world
from transporter.saliency.benchmark import SHOWN, maps_of, rivals, scene
from transporter.saliency.settings import chosen, read_reading
from transporter.saliency.table import MEAN_OF

with stage(snakemake) as device:
    params, settings = snakemake.params, snakemake.params.settings
    generator, world = load_generator(params.generator, device), load_world(params.world)
    # the first that names all, whatever its maps are like
    clips = world.placed(settings["reported"], params.seed, held_out=True)
    clip = next(clip for clip in clips if all(clip.words[kind] for kind in MEAN_OF))
    found = scene(generator, [clip])
    heads = generator.config("transformer").num_attention_heads
    able = rivals(chosen(settings), heads)
    compared = {name: able[name] for name in SHOWN}
    maps = maps_of(generator, found, compared, read_reading(settings), params.seed)
    own = [found.kinds.index(kind) for kind in MEAN_OF]
    clip_maps_figure(
        clip.video,
        [clip.words[kind] for kind in MEAN_OF],
        torch.stack([clip.masks[kind] for kind in MEAN_OF]),
        {name: some[0, own] for name, some in maps.items()},
        [Path(path) for path in snakemake.output],
    )
