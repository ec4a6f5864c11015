"""Every choice about the fitting of a concept bank, with the microworld's values as defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from annotated_types import Le

from transporter.support.settings import (
    Count,
    Guidance,
    Levels,
    Positive,
    Share,
    Size,
    Times,
    Weight,
    Whole,
    check_fields,
    read_settings,
    section,
)

ObjectiveName = Literal["velocity", "answers", "logits", "mixed"]
CLOSED_FORM = ("velocity", "answers")
"""Objectives that a map is fitted to without a gradient: pairs of captions are all they need."""
ASKING = ("answers", "logits")
"""Objectives that are fitted on one-word edits which the VLM answers differently."""


@section
class UntoldSettings:
    """`logits` with maps where no swap of words tells what the answer hangs on: what the gradient
    alone makes of nothing.
    """

    steps: Count = 80
    """Optimiser steps of a map that `logits` makes of nothing, where no swap of words makes up
    three quarters of what the VLM's answers lack.
    """
    lr: Positive = 0.03
    """Learning rate of Adam for such a map."""
    rank: Size = 16
    """Rank of such a map."""
    directions: Annotated[Whole, Le(2**16)] = 32
    """Principal directions of the states of captions' words that such a map leads along; 0 leaves
    it free.
    """
    trust: Weight = 0.5
    """Weight of the change of velocity for such a map, as `bank.logits.trust` is it for others."""


@section
class LogitsSettings:
    """The objectives `logits` and `mixed`."""

    path: Literal["reencoded", "phi"] = "reencoded"
    """How the VLM reads a clean estimate: decoded and encoded again (`reencoded`), or through
    `phi`.
    """
    steps: Count = 40
    """Steps of `logits` that follow the VLM's log-odds, after `bank.steps` by `answers`; `mixed`
    takes `bank.steps`.
    """
    margin: Positive = 4.0
    """Log-odds in nats that a vector of strength 1 shall lead to."""
    trust: Weight = 0.3
    """Weight of the change of velocity, relative to what the caption itself changes; small lets a
    vector change more.
    """
    sigma: Levels = (0.7, 0.99)
    """Lowest and highest noise level of the clean estimates."""
    guidance: Guidance = 4.0
    """Scale of classifier-free guidance of the clean estimates; 1 is none."""
    directions: Annotated[Whole, Le(2**16)] = 64
    """Principal directions of the captions' conditions that `logits` and `mixed` move a vector
    along; 0 leaves it free.
    """
    share: Share = 0.5
    """Weight of the VLM's answer in `mixed`; the rest is the generator's reading."""
    untold: UntoldSettings = UntoldSettings()

    def __post_init__(self) -> None:
        check_fields(self, "key bank.logits")


@section
class Bank:
    """The concept vectors."""

    objective: ObjectiveName = "velocity"
    """What a vector is fitted to: `velocity`, the generator's reading of both words, as in the
    paper; `answers`, its reading of one-word edits that the VLM answers differently; `logits`, the
    VLM's log-odds about these, by the least change of velocity; `mixed`, `velocity` and `logits`.
    """
    divergence: Literal["hellinger", "kl", "js"] = "hellinger"
    """Distance between the VLM's answers that scales a vector."""
    support: Literal["pair", "vocab"] = "pair"
    """Answers that the distance compares: the `pair` of words or the whole `vocab`."""
    form: Literal["vector", "map"] = "map"
    """What is learnt of a concept: a `map`, in closed form, that gives each caption a vector of its
    own, from which `logits` and `mixed` go on; or one `vector` for every caption, as in the paper.
    """
    ridge: Positive = 1.0
    """Penalty on the squares of a map's weights."""
    rank: Size = 64
    """Rank of a map, at most the width of the condition."""
    tokens: Literal["each", "shared"] = "each"
    """One vector for `each` token of the condition, or one `shared` by all."""
    start: Literal["mean", "zero"] = "mean"
    """Where vectors start: at the `mean` difference of the pairs of captions that they are fitted
    on, or at `zero`.
    """
    strengths: Literal["answer_gap", "unit"] = "answer_gap"
    """Strengths phi that a vector is fitted at: from 0 up to the VLM's own distance d_omega
    (`answer_gap`, after the paper), or from 0 to 1 (`unit`); for log-odds always the latter.
    """
    steps: Count = 150
    """Optimiser steps."""
    batch: Size = 24
    """Contexts per step, over all concepts."""
    at_once: Size | None = None
    """Clips of a step that pass through the models at once, which gives the same gradients in less
    memory and more time; null is all of them.
    """
    recompute: bool = False
    """Whether a step's backward pass computes the models' layers again instead of keeping what they
    gave, which takes far less memory and a third more time.
    """
    lr: Positive = 0.015
    """Learning rate of Adam."""
    control_sigma: Levels = (0.8, 0.99)
    """Lowest and highest noise level at which the VLM's distance between both words is measured."""
    control_draws: Times = 8
    """Noise draws that this distance is averaged over."""
    logits: LogitsSettings = LogitsSettings()


@section
class BankSettings(Bank):
    """All that a bank is fitted by: its section of the settings, and the seed."""

    seed: int = 0
    """Of the noise and of the choice of contexts."""

    def __post_init__(self) -> None:
        check_fields(self, "key bank")

    @property
    def phases(self) -> list[tuple[ObjectiveName, int]]:
        """Objectives that a gradient leads to and their steps, one after the other."""
        if self.objective == "logits":
            before = [("answers", self.steps)] if self.form == "vector" else []
            return [*before, ("logits", self.logits.steps)]
        if self.form == "map" and self.objective in CLOSED_FORM:
            return []
        return [(self.objective, self.steps)]

    def fitted_to(self, objective: ObjectiveName) -> BankSettings:
        """The same for another objective."""
        return replace(self, objective=objective)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], seed: int) -> BankSettings:
        """The section `bank` of the settings; keys left out keep their defaults.

        Raises:
            UserError: an unknown key, or a value of another type or out of bounds; the message
                names the key.
        """
        return read_settings(cls, {**mapping, "seed": seed}, "bank")
