"""Train the microworld's video VAE."""

from model_stage import stage, unfinished

from pathlib import Path
from types import SimpleNamespace

from card import finish
from microworld.training.cards import vae_card
from microworld.training.vae import through_vae, train_vae
from transporter.training.schedule import Schedule

WHAT = (
    "The microworld's video VAE, an `AutoencoderKLWan`: 17 frames of 64 x 64 pixels to 16 x 5 x 8 x"
    " 8 numbers."
)

with stage(snakemake) as device:
    folder, checkpoints = Path(snakemake.output[0]), unfinished(snakemake)
    vae, summary = train_vae(
        checkpoints, Schedule(snakemake.params.steps, snakemake.params.seed, device=str(device))
    )
    vae.half().save_pretrained(folder)
    vae.float().eval()
    both_ways = SimpleNamespace(
        encode=lambda video: video, decode=lambda video: through_vae(vae, video)
    )
    finish(folder, WHAT, summary, checkpoints, lambda clips: vae_card(both_ways, clips))
