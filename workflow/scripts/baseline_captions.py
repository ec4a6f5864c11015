"""What the VLM says of the inverted clips."""

from model_stage import stage

from pathlib import Path

import pandas as pd
import torch

from transporter.clips.contrast import read_concepts
from transporter.clips.reading import read_video
from transporter.metrics.systems import inverted
from transporter.pipeline.loading import load_vlm
from transporter.support.files import write_table

COLUMNS = [
    "method",
    "target",
    "concept",
    "seed",
    "caption",
    "target_caption",
    "caption_read",
    "log_odds",
]

with stage(snakemake) as device:
    size = [snakemake.params.video[key] for key in ("frames", "height", "width")]
    vlm = load_vlm(
        snakemake.params.vlm, (size[0], 3, *size[1:]), device, snakemake.params.video["fps"]
    )
    concepts = {concept.name: concept for concept in read_concepts(snakemake.input.concepts)}
    tables = []
    for folder in snakemake.input.inverted:
        method, target, name = Path(folder).parts[-3:]
        rows = inverted(folder, f"{method}/{target}", concepts[name])
        with torch.no_grad():
            tokens = vlm.encode(torch.stack([read_video(clip, *size) for clip in rows["clip"]]))
            words = (concepts[name].source, concepts[name].target)
            source, target_word = vlm.log_probs(tokens, concepts[name].question, words).unbind(-1)
        answers = {"caption_read": vlm.caption(tokens), "log_odds": (target_word - source).tolist()}
        tables.append(rows.assign(method=method, target=target, **answers)[COLUMNS])
        print(f"{folder}: {len(rows)} clips read", flush=True)
    write_table(pd.concat(tables, ignore_index=True), snakemake.output[0])
