"""What probes read in an explained clip: which attributes its edit changes, and which it keeps."""

from __future__ import annotations

import numpy as np
import torch

from transporter.clips.contrast import holds
from transporter.clips.world import Probes
from transporter.explainer.counterfactual import Counterfactual


def read(found: Counterfactual, probes: Probes) -> dict[str, object]:
    """`READ` of one clip but for `named`: its edit beside the clip as the generator gives it back
    unedited.
    """
    before, after = _words(torch.stack([found.unedited, found.edited]), probes)
    own, others = _attributes(found, probes)
    changed = [name for name in others if before[name] != after[name]]
    kept = 1 - len(changed) / len(others) if others else np.nan
    values = (int(after.get(own) == found.concept.target), kept, ", ".join(changed))
    return dict(zip(("hit", "kept", "moved"), values, strict=True))


def named(found: Counterfactual, probes: Probes) -> str:
    """What an edit that flips the answer names as its cause: of the attributes in the caption the
    one that it changes most, "" where no edit flips it.

    The change of an attribute is the total variation distance between the probes' probabilities
    before and after; a least edit may stop short of where they call it by another word.
    """
    if found.flip is None:
        return ""
    own, others = _attributes(found, probes)
    video = torch.stack([found.unedited, found.edited])  # (2, T, C, H, W)
    shares = {name: p for name, p in probes.probabilities(video).items() if name in (own, *others)}
    moves = {name: float(p.diff(dim=0).abs().sum() / 2) for name, p in shares.items()}
    return max(moves, key=lambda name: moves[name], default="")


def _words(video: torch.Tensor, probes: Probes) -> list[dict[str, str]]:
    """What the probes read in clips `(B, T, C, H, W)`, by attribute."""
    places = {name: p.argmax(-1).tolist() for name, p in probes.probabilities(video).items()}
    return [
        {name: probes.vocabulary[name][places[name][clip]] for name in places}
        for clip in range(len(video))
    ]


def _attributes(found: Counterfactual, probes: Probes) -> tuple[str, list[str]]:
    """That of the concept, "" where probes know none, and the others that the caption names."""
    named = [
        name
        for name, words in probes.vocabulary.items()
        if any(holds(found.caption, word) for word in words)
    ]
    own = [name for name in named if found.concept.source in probes.vocabulary[name]]
    return "".join(own[:1]), [name for name in named if name not in own]
