"""The last step of every training: the model's card, its curves, and the end of its checkpoints."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from microworld.training.cards import (
    SEEN_SEED,
    UNSEEN_SEED,
    Examples,
    HeldOut,
    write_card,
)
from transporter.training.loop import CURVE
from transporter.training.schedule import Summary

SEEN, UNSEEN = "seen combinations", "held-out combinations"
CLIPS = 256
"""Clips of each kind that a card's figures come from."""


def finish(
    folder: Path,
    what: str,
    summary: Summary,
    checkpoints: Path,
    measure: Callable[[HeldOut], tuple[Mapping[str, float], Examples]],
    controls: Mapping[str, tuple[str, Callable[[HeldOut], HeldOut]]] | None = None,
) -> None:
    """Measure a trained model on clips that no training saw, write its card into `folder`, and
    clear up.

    `controls` are changes, by name, of one of both kinds of clips, that the model is measured under
    as well.
    """
    kinds = {SEEN: (SEEN_SEED, False), UNSEEN: (UNSEEN_SEED, True)}
    clips = {name: HeldOut.draw(CLIPS, *kind) for name, kind in kinds.items()}
    measured = {name: measure(drawn) for name, drawn in clips.items()}
    for name, (kind, change) in (controls or {}).items():
        measured[f"{kind}, {name}"] = measure(change(clips[kind]))
    figures = {name: scores for name, (scores, _) in measured.items()}
    write_card(folder, folder.name, what, summary, figures, measured[UNSEEN][1])
    for curve in checkpoints.rglob(CURVE):
        shutil.move(curve, folder / "_".join(curve.relative_to(checkpoints).parts))
    shutil.rmtree(checkpoints)
