"""How far an edit lies from its clip by LPIPS^v, and what is said where that is not measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from greys import LIGHT, PLAIN, grey, reader

from transporter.explainer.counterfactual import Counterfactual
from transporter.explainer.flip_search import explain
from transporter.explainer.folder import numbers_of
from transporter.explainer.many import row
from transporter.explainer.one_clip import ExplainedClip
from transporter.explainer.page import page
from transporter.explainer.visual import loaded_lpips, measured


@pytest.fixture(scope="module")
def found() -> Counterfactual:
    """Larger than the stand-ins' clips, as LPIPS wants it."""
    made = explain(grey(0.2), LIGHT, reader(), editing=PLAIN, even=False)
    small = made.video.repeat(1, 1, 1, 4, 4)
    assert made.flip is not None
    return replace(made, video=small, flip=replace(made.flip, video=small[3]))


def test_the_least_edit_is_measured(found: Counterfactual, weights: Callable[[str], Path]) -> None:
    """Against the network itself, frame by frame; a clip is no distance from itself."""
    lpips = loaded_lpips(weights("lpips").parent)
    assert lpips is not None
    with torch.no_grad():
        frames = lpips.network(found.video[3], found.video[0], normalize=True)
    value = measured(found, lpips).lpips
    assert value == pytest.approx(float(frames.mean()), rel=1e-5)
    assert value > 0.01
    at_rest = replace(found, flip=None, video=found.video[:1].repeat(5, 1, 1, 1, 1))
    assert measured(at_rest, lpips).lpips == 0  # nothing of the clip before is counted in
    known = replace(found, lpips=0.1234)
    assert "LPIPS<sup>v</sup> 0.123." in page(ExplainedClip(known), {})
    assert numbers_of(known)["lpips"] == row("a.mp4", "00", known, None)["lpips"] == 0.1234


def test_without_weights_it_is_not_measured(found: Counterfactual, tmp_path: Path) -> None:
    assert loaded_lpips(None) is None
    assert loaded_lpips(tmp_path / "nowhere") is None
    (tmp_path / "missing.txt").write_text("no network")
    assert loaded_lpips(tmp_path) is None
    assert measured(found, None) is found
    assert "LPIPS<sup>v</sup> not measured." in page(ExplainedClip(found), {})
    assert numbers_of(found)["lpips"] is None
    assert np.isnan(row("a.mp4", "00", found, None)["lpips"])
