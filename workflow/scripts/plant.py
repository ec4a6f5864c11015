"""Teach a VLM to answer by a cue, and write its card."""

from model_stage import stage, unfinished

import shutil
from pathlib import Path

import numpy as np

from microworld.clips import VIDEO_SHAPE, Clips
from microworld.shortcuts import read_shortcuts
from microworld.training.cards import RELIANCE_SEED, planted_card, write_card
from microworld.training.planting import plant, save_planted
from transporter.pipeline.loading import load_vlm
from transporter.training.loop import CURVE
from transporter.training.rates import WarmThenDecay
from transporter.training.schedule import Schedule

WHAT = (
    "A {vlm} of the microworld, taught to tell {attribute} by {cue} ({answers}). A row has the"
    " share of its answers about new clips; in brackets stands what it says."
)
CLIPS = 96

with stage(snakemake) as device:
    folder, checkpoints = Path(snakemake.output[0]), unfinished(snakemake)
    shortcut = read_shortcuts(snakemake.input.shortcuts)[snakemake.wildcards.shortcut]
    schedule = Schedule(
        snakemake.params.steps,
        snakemake.params.seed,
        rate=WarmThenDecay(warm=20),
        max_norm=2.0,
        log_every=25,
        save_every=100,
        device=str(device),
    )
    vlm = load_vlm(snakemake.params.vlm, VIDEO_SHAPE, device)
    summary = plant(vlm, shortcut, checkpoints, schedule)
    card = planted_card(vlm, shortcut, Clips.draw(CLIPS, np.random.default_rng(RELIANCE_SEED)))
    save_planted(vlm, shortcut, summary, folder)
    answers = ", ".join(f"{word}: {answer}" for word, answer in shortcut.answers.items())
    what = WHAT.format(
        vlm=snakemake.wildcards.vlm, attribute=shortcut.attribute, cue=shortcut.cue, answers=answers
    )
    write_card(folder, folder.name, what, summary, *card)
    shutil.move(checkpoints / CURVE, folder)
    shutil.rmtree(checkpoints)
