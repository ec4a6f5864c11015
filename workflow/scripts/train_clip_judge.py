"""Train the microworld's CLIP."""

from model_stage import stage, unfinished

from functools import partial
from pathlib import Path

from card import finish
from microworld.clip_judge import ClipJudge
from microworld.training.cards import clip_judge_card
from microworld.training.clip_judge import train_clip_judge
from transporter.training.schedule import Schedule

WHAT = (
    "The microworld's CLIP, a video-text dual encoder with weights and architecture of its own:"
    " does a caption fit a clip?"
)

with stage(snakemake) as device:
    folder, checkpoints = Path(snakemake.output[0]), unfinished(snakemake)
    schedule = Schedule(snakemake.params.steps, snakemake.params.seed, device=str(device))
    clip_judge, summary = train_clip_judge(checkpoints, schedule, Path(snakemake.input.vae))
    clip_judge.save_pretrained(folder)
    (folder / "README.md").unlink()  # the hub's empty form; card.md says it all
    finish(
        folder,
        WHAT,
        summary,
        checkpoints,
        partial(clip_judge_card, ClipJudge.from_pretrained(folder).eval()),
    )
