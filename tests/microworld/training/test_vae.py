"""Training of the VAE: its second part moves the decoder alone, so that latents stay what they
were.
"""

from __future__ import annotations

from pathlib import Path

import torch

from microworld.clips import Clips, random_state
from microworld.training.vae import (
    reconstruction_loss,
    squared_error,
    through_vae,
    train_vae,
)
from transporter.support.checkpoint import load_checkpoint
from transporter.training.schedule import Schedule


def test_the_decoder_learns_alone_at_the_end(tmp_path: Path) -> None:
    schedule = Schedule(steps=4, log_every=1, save_every=1)
    vae, summary = train_vae(tmp_path, schedule, batch=1)
    both = load_checkpoint(tmp_path / "checkpoint.safetensors")["model"]
    moved = {
        name.split(".")[0]
        for name, value in vae.state_dict().items()
        if not torch.equal(value, both[name])
    }
    assert moved == {"decoder", "post_quant_conv"}
    assert summary.steps == 4
    again, _ = train_vae(tmp_path, schedule, batch=1)
    assert all(torch.equal(a, b) for a, b in zip(vae.parameters(), again.parameters(), strict=True))
    video = Clips.draw(1, random_state(torch.Generator().manual_seed(0))).video()
    assert through_vae(vae, video).shape == video.shape


def test_an_error_on_the_sprite_costs_more() -> None:
    video = torch.zeros(1, 3, 5, 8, 8)
    mask = torch.zeros(1, 1, 5, 8, 8)
    mask[..., :4] = 1
    on, off = video.clone(), video.clone()
    on[..., 1], off[..., 6] = 1, 1
    assert reconstruction_loss(on, video, mask) > 2 * reconstruction_loss(off, video, mask) > 0
    torch.testing.assert_close(squared_error(on, video, mask), 2 * squared_error(off, video, mask))
