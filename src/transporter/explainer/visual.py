"""How far an edit lies from its clip, to an eye: LPIPS^v, where its weights are there."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from transporter.explainer.counterfactual import Counterfactual
from transporter.networks.published import fetched
from transporter.support.errors import Unavailable

if TYPE_CHECKING:
    from transporter.metrics.perceptual import VideoLPIPS


def measured(found: Counterfactual, lpips: VideoLPIPS | None) -> Counterfactual:
    """With the distance of its edit from the clip as the generator gives it back, if it can be
    measured.
    """
    if lpips is None:
        return found
    lpips.reset()
    lpips.update(found.edited[None].to(lpips.device), found.unedited[None].to(lpips.device))
    return replace(found, lpips=lpips.compute()["lpips"])


def loaded_lpips(folder: str | os.PathLike[str] | None) -> VideoLPIPS | None:
    """LPIPS^v with the weights that a run has put into a folder; None without them."""
    if folder is None or not Path(folder).is_dir():
        return None
    from transporter.metrics.perceptual import VideoLPIPS  # late: it takes a while

    try:
        return VideoLPIPS(fetched("lpips", folder))
    except Unavailable:
        return None
