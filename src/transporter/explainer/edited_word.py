"""Where and when the word that came in is in an edited clip."""

from __future__ import annotations

import torch

from transporter.clips.contrast import Concept
from transporter.explainer.counterfactual import Counterfactual
from transporter.explainer.location import locate
from transporter.figures.overlay import overlay
from transporter.generators.base import Generator
from transporter.saliency.locating import READERS
from transporter.support.errors import UserError


def edited_word(generator: Generator, found: Counterfactual) -> torch.Tensor | None:
    """The edit under the map of its new word, `(T, 3, H', W')` in [0, 1]; None of a generator whose
    attention is not known, or of a word that its tokens do not tell.
    """
    if not isinstance(generator, tuple(READERS)):
        return None
    _, word = found.swap
    pair = Concept("swap", "object", *found.swap, "").pair(found.caption)
    try:
        place = locate(generator, found.edited, word, found.caption if pair is None else pair[1])
    except UserError:
        return None
    return overlay(place.video, place.place)
