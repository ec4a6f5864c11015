"""How much each attribute of a clip changes, comparable between attributes of two words and of six,
and which change enough to be named.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

NAMED_FROM = 0.25
"""An explanation names no attribute that changes by less: a quarter of the way to another clip.
"""
NAMED_SHARE = 0.5
"""Nor one that changes by less than this share of what changes most: a generator that draws one
word anew shifts others a little, in the true explanation too.
"""


def total_variation(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """The share of probability that has to move to make q of p, in [0, 1]; `(..., n)` each to
    `(...)`.

    >>> total_variation(torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.5, 0.25])).item()
    0.25
    """
    return 0.5 * (p - q).abs().sum(-1)


def natural_variation(probabilities: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """The mean total variation between two different clips, over all pairs of them: attribute to a
    number in [0, 1].

    `probabilities` are the probes', `(B, n)` per attribute. About .8 where six words are equally
    frequent, .5 where two are.
    """
    return {name: float(_pairs_mean(values)) for name, values in probabilities.items()}


def _pairs_mean(values: torch.Tensor) -> torch.Tensor:
    count = len(values)
    # (B, B); the diagonal is zero
    return total_variation(values[:, None], values[None]).sum() / (count * (count - 1))


def standardised_change(
    before: Mapping[str, torch.Tensor],
    after: Mapping[str, torch.Tensor],
    natural: Mapping[str, float],
) -> dict[str, torch.Tensor]:
    """The change of each attribute of each clip, as a multiple of what two clips differ by:
    attribute to `(B,)`.

    Its mean over clips is observed over expected disagreement, that is 1 - alpha (Krippendorff
    2004, chapter 12): 0 where the attribute stays, 1 where it has no more to do with what it was
    than another clip's, and where all clips of a population are given one word. A clip known to
    have one word that is given another changes by 1 / natural: 2 of two words, 1.2 of six.
    """
    return {name: total_variation(before[name], after[name]) / natural[name] for name in natural}


def named_attributes(changes: Mapping[str, float]) -> list[str]:
    """The attributes that an explanation names: all whose standardised change is worth the name, in
    their order.
    """
    least = max(NAMED_FROM, NAMED_SHARE * max(changes.values()))
    return [name for name, change in changes.items() if change >= least]
