"""What is optimised: pixels, or the phase of a spectrum whose magnitude is that of real videos."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import nn

from transporter.support.errors import UserError

AXES = (0, 2, 3)
"""Time, height and width of a video `(T, C, H, W)`."""


class Parametrisation(nn.Module, ABC):
    """Parameters that stand for a video."""

    @abstractmethod
    def forward(self) -> torch.Tensor:
        """The video `(T, C, H, W)`, valid in [0, 1]; it may leave that range."""

    def project(self) -> None:
        """Put the parameters back where they may be, after a step."""


class Pixels(Parametrisation):
    """Pixels in [-1, 1], clipped after every step; they start as noise.

    Args:
        shape: (T, C, H, W).
        noise: standard deviation of the noise.
        generator: draws it, on the CPU.
    """

    def __init__(
        self, shape: tuple[int, int, int, int], noise: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.pixels = nn.Parameter((noise * torch.randn(shape, generator=generator)).clamp(-1, 1))

    def forward(self) -> torch.Tensor:
        return (self.pixels + 1) / 2

    @torch.no_grad()
    def project(self) -> None:
        self.pixels.clamp_(-1, 1)


class Phase(Parametrisation):
    """MACO on videos: the phase of a 3-D Fourier spectrum (time, height, width) of each colour; its
    magnitude is fixed.

    The phase is made odd where the half spectrum holds both a frequency and its negative, so that
    the video is real and has exactly this magnitude. All colours start from one random phase.

    Args:
        magnitude: `(T, C, H, W // 2 + 1)`, from `mean_magnitude`.
        width: W, which the half spectrum leaves open.
        generator: draws the phase, on the CPU.
    """

    def __init__(self, magnitude: torch.Tensor, width: int, generator: torch.Generator) -> None:
        super().__init__()
        time, channels, height, half = magnitude.shape
        self.register_buffer("magnitude", magnitude, persistent=False)
        self.width = width
        phase = math.pi * (2 * torch.rand(time, 1, height, half, generator=generator) - 1)
        self.phase = nn.Parameter(phase.repeat(1, channels, 1, 1))

    def forward(self) -> torch.Tensor:
        spectrum = torch.polar(self.magnitude, _odd(self.phase, self.width))
        return torch.fft.irfftn(
            spectrum, (len(self.phase), *self.phase.shape[2:3], self.width), dim=AXES
        )


def _odd(phase: torch.Tensor, width: int) -> torch.Tensor:
    """Columns of frequency 0 and, of an even width, W / 2 hold pairs of opposite frequencies:
    phase(-k) = -phase(k) there.
    """
    # frequency k is at index k modulo the length, so that a flip needs a shift by one to keep 0 in
    # its place
    opposite = phase.flip(0, 2).roll((1, 1), (0, 2))
    column = torch.arange(phase.shape[-1], device=phase.device)
    shared = (column == 0) | ((column == width // 2) & (width % 2 == 0))
    return torch.where(shared, (phase - opposite) / 2, phase)


def mean_magnitude(clips: Iterable[torch.Tensor]) -> torch.Tensor:
    """Mean magnitude of the spectra of real clips `(T, C, H, W)`: `(T, C, H, W // 2 + 1)`.

    Raises:
        UserError: no clip.
    """
    total, count = 0.0, 0
    for clip in clips:
        total, count = total + torch.fft.rfftn(clip, dim=AXES).abs(), count + 1
    if count == 0:
        raise UserError(
            "MACO: expected at least one real clip for the magnitude of its spectrum, got none"
        )
    return total / count
