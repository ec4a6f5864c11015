"""The clips on the stops of a slider: at strengths that are given, or at those of a clip's own at
which a VLM's answer has gone equal parts of its way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from transporter.generation.spacing import Course
from transporter.generators.base import Generator, Sampling
from transporter.generators.condition import Condition
from transporter.generators.modulation import Modulation
from transporter.support.kept import Keep

if TYPE_CHECKING:
    # clips at strengths that are given hang on no VLM
    from transporter.clips.contrast import Concept
    from transporter.coupling.reader import Reader


Show = Callable[[Sequence[int], Sequence[float], torch.Tensor], None]
"""What takes seeds, strengths and clips `(n, T, C, H, W)` in [0, 1]."""


@dataclass(frozen=True)
class Spacing:
    """Strengths spaced by the answer to each clip.

    Attributes:
        rounds: how often strengths are tried that earlier ones suggest.
    """

    reader: Reader
    concept: Concept
    rounds: int = 2

    @torch.no_grad()
    def log_odds(self, video: torch.Tensor) -> torch.Tensor:
        """`(B,)`, in nats, of clips `(B, T, C, H, W)` in [0, 1]."""
        return self.reader.log_odds(self.reader.vlm.encode(video), self.concept)


@dataclass
class SliderClip:
    """What was made of one caption and noise: latents `(c, t, h, w)` by phi, on the CPU, and the
    answers to them.
    """

    z_xi: dict[float, torch.Tensor] = field(default_factory=dict)
    course: Course | None = None

    def origin(self, stops: Sequence[float]) -> SliderClip:
        """The clip at phi = 0 alone, if that is among the stops, the same for all changes of the
        caption; its strengths are where another change looks first.
        """
        z_xi, course = {phi: z for phi, z in self.z_xi.items() if not phi}, self.course
        if course is None:
            return SliderClip(z_xi)
        between = [phi for phi in course.strengths(stops) if 0 < phi < 1]
        return SliderClip(z_xi, Course({0.0: course.log_odds[0.0]}, between))

    def wanted(self, stops: Sequence[float]) -> list[float]:
        """Strengths to make next."""
        if self.course is not None:
            return self.course.wanted(stops)
        return [float(stop) for stop in stops if stop not in self.z_xi]

    def at(self, stops: Sequence[float]) -> dict[float, tuple[float, torch.Tensor]]:
        """Phi and latent of each stop."""
        phis = self.course.strengths(stops) if self.course is not None else map(float, stops)
        return {stop: (phi, self.z_xi[phi]) for stop, phi in zip(stops, phis, strict=True)}


@dataclass(frozen=True)
class Slider:
    """A change of B captions, each in its own noise, on a slider of `stops` from 0 to 1.

    Attributes:
        condition: `pi-`, B rows.
        change: what is added to them at phi = 1.
        spacing: none keeps the stops as strengths; with one, 0 and 1 are among the stops.
        show: given what a spacing has decoded, in the end used or not.
    """

    generator: Generator
    condition: Condition
    change: Condition
    seeds: Sequence[int]
    stops: Sequence[float]
    sampling: Sampling
    spacing: Spacing | None = None
    show: Show | None = None

    def clips(
        self, name: str, keep: Keep, origins: Sequence[SliderClip] | None = None
    ) -> list[SliderClip]:
        """A clip for each row.

        Args:
            name: of this change, for `keep`.
            keep: asked for the latents of some clips, and their log-odds, at a time.
            origins: the rows' clips at phi = 0, where they are made; they are copied.
        """
        assert self.spacing is None or {0, 1} <= set(self.stops)
        clips = [self._begun() for _ in self.seeds] if origins is None else deepcopy(list(origins))
        # the ends, what lies between, and what these suggest
        rounds = 1 if self.spacing is None else 2 + self.spacing.rounds
        for number in range(rounds):
            for start, part in self._asked(clips):
                found = keep(f"{name}-{number}-{start}", lambda part=part: self._made(part))
                self._add(clips, part, found)
        return clips

    def _begun(self) -> SliderClip:
        return SliderClip(course=None if self.spacing is None else Course())

    def _asked(self, clips: Sequence[SliderClip]) -> Iterator[tuple[int, list[tuple[int, float]]]]:
        """Rows and strengths that are wanted now, so many at a time as are sampled at once."""
        asked = [(row, phi) for row, clip in enumerate(clips) for phi in clip.wanted(self.stops)]
        for start in range(0, len(asked), self.sampling.batch):
            yield start, asked[start : start + self.sampling.batch]

    def _made(self, asked: Sequence[tuple[int, float]]) -> dict[str, torch.Tensor]:
        """Latents `(n, c, t, h, w)` of rows at strengths, and with spacing log-odds `(n,)`."""
        rows, phis = (list(part) for part in zip(*asked, strict=True))
        delta = torch.tensor(phis).to(self.change.embeddings) * self.change[rows]
        z_xi = self.generator.sample(
            self.condition[rows],
            [self.seeds[row] for row in rows],
            self.sampling.steps,
            self.sampling.guidance,
            Modulation(delta),
        )
        if self.spacing is None:
            return {"z_xi": z_xi}
        video = self.generator.decode(z_xi).clamp(0, 1)
        if self.show:
            self.show([self.seeds[row] for row in rows], phis, video)
        return {"z_xi": z_xi, "log_odds": self.spacing.log_odds(video)}

    def _add(
        self,
        clips: Sequence[SliderClip],
        asked: Sequence[tuple[int, float]],
        found: dict[str, torch.Tensor],
    ) -> None:
        for (row, phi), z_xi in zip(asked, found["z_xi"], strict=True):
            # what an earlier attempt made is there already
            clips[row].z_xi[phi] = z_xi.cpu()
        if self.spacing is None:
            return
        for (row, phi), log_odds in zip(asked, found["log_odds"].tolist(), strict=True):
            clips[row].course.log_odds[phi] = log_odds
