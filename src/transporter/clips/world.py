"""What the library asks of a world: clips whose every attribute is known, and who can read them.

The library knows no world. An installed package offers one as an entry point of the group
`transporter.worlds`; `transporter.pipeline.world` finds it by the name in the settings.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch

Words = Mapping[str, tuple[str, ...]]
"""Attribute to its words: `{"speed": ("slowly", "quickly"), ...}`."""


class Probes(Protocol):
    """Read attributes from pixels; the method never sees them."""

    def probabilities(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        """Clips `(B, T, C, H, W)` in [0, 1] to the probabilities of each attribute's words
        `(B, n)`.
        """

    @property
    def vocabulary(self) -> Words:
        """Attribute to its words, in the order of the probabilities."""


@runtime_checkable
class FaultReader(Protocol):
    """Probes that also see what is wrong with a clip, whatever it shows."""

    def faults(self, video: torch.Tensor) -> list[list[str]]:
        """Of each clip of `(B, T, C, H, W)` in [0, 1] the names of its faults, none where it has
        none.
        """


@dataclass(frozen=True)
class Placed:
    """A rendered clip, and where and when each of its words is.

    Attributes:
        video: `(T, C, H, W)` in [0, 1].
        caption: what it shows.
        words: kind of word (an attribute) to the word, or None where the caption has none.
        masks: kind to where in every frame it is, `(T, H, W)` bool; kinds without a place lack
            one.
        moving: in which frames something has moved since the frame before, `(T,)` bool.
    """

    video: torch.Tensor
    caption: str
    words: Mapping[str, str | None]
    masks: Mapping[str, torch.Tensor]
    moving: torch.Tensor


class Shortcut(Protocol):
    """A cue that a planted VLM answers by, instead of by what the word means."""

    name: str
    attribute: str
    """What the answer seems to be about."""
    cue: str
    """What it is made by, as the table has it."""
    answers: Mapping[str, str]
    """Words of the cue to the words that are said of them."""

    @property
    def attributes(self) -> frozenset[str] | None:
        """The attributes whose words say the cue, or None where no word does."""

    def bringing(self, answer: str, words: Mapping[str, str | None]) -> Mapping[str, str] | None:
        """Words by attribute that, put in a caption of these `words`, make the VLM say `answer`;
        None where no words do.
        """

    def look(self, answer: str, video: torch.Tensor) -> torch.Tensor | None:
        """How sure it is by the pixels of clips `(B, T, 3, H, W)` in [0, 1] that they show what
        makes the VLM say `answer`: `(B,)`; None where words say the cue, or pixels do not.
        """

    @property
    def words(self) -> tuple[str, ...]:
        """The words of `attribute` that the cue can make the VLM say."""


class World(Protocol):
    """A world of rendered clips."""

    words: Words

    def caption(self, words: Mapping[str, str | None]) -> str:
        """The caption of a clip with these words, one for each attribute, None where left out."""

    def clips(self, seed: int) -> Iterator[tuple[str, torch.Tensor]]:
        """Captions and clips `(T, C, H, W)` in [0, 1] of the training split with this seed, one
        after the other without end.
        """

    def captions(self, seed: int, split: str) -> Iterator[str]:
        """The captions of the clips of a split, `train`, `validation` or `held_out`, with this
        seed, one after the other without end; none is rendered.
        """

    def placed(self, count: int, seed: int, held_out: bool) -> Iterator[Placed]:
        """Clips that nobody has seen, of combinations that training clips have or of others; every
        odd one moves in its first or its second half alone.
        """

    def read_shortcuts(
        self, path: str | os.PathLike[str], names: Sequence[str] | None = None
    ) -> dict[str, Shortcut]:
        """The table of shortcuts by name; `names` picks some.

        Raises:
            UserError: the table is not there, or says what cannot be.
        """

    def probes(self, folder: str | os.PathLike[str], device: torch.device | None = None) -> Probes:
        """The probes whose weights are in `folder`."""

    def clip_judge(self, folder: str | os.PathLike[str], device: torch.device) -> Any:
        """The video-text encoder of `folder`, a `metrics.alignment.VideoTextModel`."""

    def verifier(
        self, folder: str | os.PathLike[str], clips: Iterable[torch.Tensor], device: torch.device
    ) -> Any:
        """A network that knows what clips look like, a `baselines.verifier.Verifier`, made of the
        encoder of `folder` and of real `clips` `(T, C, H, W)`.
        """


@runtime_checkable
class Finder(Protocol):
    """A world that also finds, by pixels alone, the one thing that its clips are about."""

    def thing(self, video: torch.Tensor) -> torch.Tensor:
        """Where it is in clips `(B, T, C, H, W)` in [0, 1]: `(B, T, H, W)` bool."""
