"""Train the vision tower of a VLM of the microworld, which captions and answers are then
taught to.
"""

from model_stage import stage, unfinished

import shutil
from pathlib import Path

from microworld.training.vlm import save_vision, train_vision
from transporter.training.loop import CURVE
from transporter.training.schedule import Schedule

with stage(snakemake) as device:
    folder, checkpoints = Path(snakemake.output[0]), unfinished(snakemake)
    schedule = Schedule(
        snakemake.params.steps, snakemake.params.seed, max_norm=2.0, device=str(device)
    )
    lesson, summary = train_vision(snakemake.wildcards.family, checkpoints, schedule)
    folder.mkdir(parents=True)
    save_vision(lesson, summary, folder / "lesson.safetensors")
    shutil.move(checkpoints / CURVE, folder)
    shutil.rmtree(checkpoints)
