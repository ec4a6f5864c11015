"""What a concept vector is fitted to: the generator's reading of both words, the VLM's answers, its
log-odds, or a mixture.

`velocity` is the paper's: where the vector points comes from the generator alone. The others ask
the VLM, so they can tell what the answer hangs on, even where this is not what the words say.
`answers` is the paper's formula between one-word edits whose clips the VLM answers differently
(`answered.py`). With `logits` the vector has to move the VLM's log-odds about such clips, and may
change the generator's velocity no more than that takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import torch
from torch.nn.functional import huber_loss

from transporter.clips.contrast import Concept
from transporter.concepts.settings import LogitsSettings
from transporter.coupling.reader import Reader
from transporter.generators.condition import Condition
from transporter.networks.recompute import in_parts


@dataclass(frozen=True)
class Batch:
    """B clips, those of one concept side by side: captions with either word, and the strength at
    which the vector is tried.
    """

    concepts: Sequence[Concept]
    pi_minus: Condition
    pi_plus: Condition
    z_0: torch.Tensor
    """Latents of clips that have one of both captions, `(B, c, t, h, w)`."""
    phi: torch.Tensor
    """Strengths in [0, 1], `(B,)`."""
    d_omega: torch.Tensor
    """What the velocity's strengths are scaled by, `(B,)`: d_omega of the concept, or 1."""
    at_once: int | None = None
    """Clips that pass through the models at once; None is all."""

    def changed(self, q: torch.Tensor, phi: torch.Tensor) -> Condition:
        """`pi- + phi q` of vectors `(B, L, d)` and strengths `(B,)`."""
        return self.pi_minus + phi.view(-1, 1, 1) * q


@dataclass(frozen=True)
class Score:
    """Of each clip, `(B,)`: the mean `loss` is minimised; `error` and `nothing` are what is left of
    the wanted change with the vector and without it, and `rounding` what of it the generator's
    precision hides.
    """

    loss: torch.Tensor
    error: torch.Tensor
    nothing: torch.Tensor
    rounding: torch.Tensor | None = None


Objective = Callable[[torch.Tensor, Batch, Reader, LogitsSettings, torch.Generator], Score]
"""Vectors `(B, L, d)`, one per clip of the batch, to their score."""


def per_clip(values: torch.Tensor) -> torch.Tensor:
    """`(B,)` to `(B, 1, 1, 1, 1)`, to stand beside latents."""
    return values.view(-1, 1, 1, 1, 1)


def noisy(z_0: torch.Tensor, sigma: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """`z_t = (1 - sigma) z_0 + sigma noise`."""
    noise = torch.randn(z_0.shape, generator=random).to(z_0)
    return z_0.lerp(noise, per_clip(sigma))


def _energy(latents: torch.Tensor) -> torch.Tensor:
    """Mean square of each clip, `(B,)`."""
    return latents.square().flatten(1).mean(1)


def _rounding(velocities: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Mean square error of each clip, `(B,)`, when its velocity is rounded: errors are evenly
    spread over steps of about three quarters of `eps`.
    """
    return _energy(velocities) * (0.75 * torch.finfo(dtype).eps) ** 2 / 12


def velocity(
    q: torch.Tensor, batch: Batch, reader: Reader, settings: LogitsSettings, random: torch.Generator
) -> Score:
    """The paper's `|| sg[G(z_t, pi-) + phi dv] - G(z_t, pi- + phi q) ||^2` with
    `dv = G(z_t, pi+) - G(z_t, pi-)` (stage 2).
    """
    sigma = torch.rand(len(batch.z_0), generator=random).clamp(min=0.02).to(batch.z_0)
    z_t, phi = noisy(batch.z_0, sigma, random), batch.phi * batch.d_omega
    field = partial(in_parts, reader.generator.velocity, batch.at_once)
    with torch.no_grad():
        both = Condition.cat([batch.pi_minus, batch.pi_plus])
        minus, plus = field(torch.cat([z_t, z_t]), torch.cat([sigma, sigma]), both).chunk(2)
        wanted = per_clip(phi) * (plus - minus)
    reached = field(z_t, sigma, batch.changed(q, phi)) - minus
    error, nothing = _energy(reached - wanted), _energy(wanted)
    # clips with a large wanted change count more, but not by the size of the batch's changes
    loss = error / nothing.mean().clamp(min=1e-8)
    return Score(loss, error, nothing, _rounding(minus, reader.generator.dtype))


@dataclass(frozen=True)
class Point:
    """Where the generator's clean estimate is read: noisy latents, and its velocities there without
    the vector.
    """

    z_t: torch.Tensor
    sigma: torch.Tensor
    minus: torch.Tensor
    """`G(z_t, pi-)`"""
    empty: torch.Tensor
    """`G(z_t, nothing)`, the unconditional velocity, for classifier-free guidance."""

    @classmethod
    @torch.no_grad()
    def draw(
        cls, batch: Batch, reader: Reader, sigma: tuple[float, float], random: torch.Generator
    ) -> Point:
        """Each clip at a noise level of its own, out of the range `sigma`."""
        low, high = sigma
        levels = (low + (high - low) * torch.rand(len(batch.z_0), generator=random)).to(batch.z_0)
        z_t = noisy(batch.z_0, levels, random)
        nothing = reader.generator.unconditional().expand(len(z_t))
        both = Condition.cat([batch.pi_minus, nothing])
        field = partial(in_parts, reader.generator.velocity, batch.at_once)
        minus, empty = field(torch.cat([z_t, z_t]), torch.cat([levels, levels]), both).chunk(2)
        return cls(z_t, levels, minus, empty)

    def clean(self, velocity: torch.Tensor, guidance: float) -> torch.Tensor:
        """`z_t - sigma v`, the latent that the velocity leads to under classifier-free guidance:
        `(B, c, t, h, w)`.
        """
        return self.z_t - per_clip(self.sigma) * self.empty.lerp(velocity, guidance)


def log_odds(z_xi: torch.Tensor, batch: Batch, reader: Reader, path: str) -> torch.Tensor:
    """The VLM's log-odds of each clip's own pair of words, `(B,)`, in nats.

    `path` `reencoded`: the latent is decoded and encoded again; `phi`: read through Phi, which is
    told the caption pi- alone, so that a vector cannot move the answer but by the latent.
    """

    def odds(z_xi: torch.Tensor, pi: Condition, concepts: Sequence[Concept]) -> torch.Tensor:
        tokens = reader.reencoded(z_xi) if path == "reencoded" else reader.through_phi(z_xi, pi)
        groups = [(concept, len(list(rows))) for concept, rows in groupby(concepts)]
        parts = zip(tokens.split([count for _, count in groups]), groups, strict=True)
        return torch.cat([reader.log_odds(part, concept) for part, (concept, _) in parts])

    return in_parts(odds, batch.at_once, z_xi, batch.pi_minus, batch.concepts)


def logits(
    q: torch.Tensor, batch: Batch, reader: Reader, settings: LogitsSettings, random: torch.Generator
) -> Score:
    """The clean estimate's log-odds l shall rise from l_0 to `l_0 + phi max(0, margin - l_0)`, by
    the least change of velocity.

    What is missing costs its Huber loss in units of the margin; more than is wanted costs nothing.
    The change of velocity costs `trust || G(z_t, pi- + phi q) - G(z_t, pi-) ||^2` in units of what
    the caption itself changes, `|| G(z_t, pi-) - G(z_t, nothing) ||^2`, which are the same for all
    pairs of words.
    """
    point = Point.draw(batch, reader, settings.sigma, random)
    with torch.no_grad():
        before = log_odds(point.clean(point.minus, settings.guidance), batch, reader, settings.path)
    wanted = batch.phi * (settings.margin - before).clamp(min=0)
    field = partial(in_parts, reader.generator.velocity, batch.at_once)
    reached = field(point.z_t, point.sigma, batch.changed(q, batch.phi))
    after = log_odds(point.clean(reached, settings.guidance), batch, reader, settings.path)
    missing = (before + wanted - after).clamp(min=0)
    change = _energy(reached - point.minus) / _energy(point.minus - point.empty).mean()
    cost = (
        huber_loss(missing, torch.zeros_like(missing), reduction="none", delta=settings.margin)
        / settings.margin
    )
    return Score(cost + settings.trust * change, missing.detach(), wanted)


def mixed(
    q: torch.Tensor, batch: Batch, reader: Reader, settings: LogitsSettings, random: torch.Generator
) -> Score:
    """`(1 - share) velocity + share logits`, of losses and of what is left alike."""
    paper, vlm = (part(q, batch, reader, settings, random) for part in (velocity, logits))
    left = [
        torch.stack([s.error, s.nothing]) / s.nothing.mean().clamp(min=1e-8) for s in (paper, vlm)
    ]
    return Score(paper.loss.lerp(vlm.loss, settings.share), *left[0].lerp(left[1], settings.share))


OBJECTIVES: Mapping[str, Objective] = {
    "velocity": velocity,
    "answers": velocity,
    "logits": logits,
    "mixed": mixed,
}
