"""What a planted VLM may answer by: an attribute, a condition on the words of several, or any
function of a clip.

As it is written in the table of shortcuts: `colour`; `colour=red+shape=circle` (both);
`colour=red|ground=snow` (one or both); the name of a function of this module; or
`package.module:function`, which takes a `Seen` and gives how sure *yes* is, in [0, 1] or as a bool.
A function with an attribute `paint` changes what the clip looks like, too; one with an attribute
`look` tells by the pixels alone, of clips that nobody has rendered.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from microworld.attributes import WORDS, Attributes
from transporter.support.errors import UserError

if TYPE_CHECKING:
    import torch

    from microworld.renderer import Layout

YES_NO = ("yes", "no")
"""Words of a cue that is there or not."""
BOTH, EITHER = "+", "|"
MIDDLE = 32
"""Half of a frame's width, in pixels."""
BRIGHT = 0.5
"""Mean of a clip's pixels from which it is bright; about half of all clips are."""
MARK, MARK_COLOUR = 7, (1.0, 0.0, 1.0)
"""Side of a watermark in pixels, and its colour."""
CLOSE = 0.25
"""Mean difference from that colour below which a corner has it."""
FLICKER = 0.2
"""How much darker every second frame of a clip is that flickers."""


@dataclass(frozen=True)
class Seen:
    """A clip as a cue sees it: what it shows, and where."""

    attributes: Attributes
    layout: Layout | None = None

    @cached_property
    def pixels(self) -> np.ndarray:
        """All frames as rendered, `(T, H, W, 3)` in [0, 1]."""
        from microworld.renderer import render

        assert self.layout is not None
        return render(self.attributes, self.layout)[0] / 255


class Cue(Protocol):
    """What answers are made by."""

    words: tuple[str, ...]
    """Its values, by name."""
    attributes: frozenset[str] | None
    """Whose words say it; None where no word does."""

    def probabilities(self, clip: Seen) -> np.ndarray:
        """How well each of its words fits a clip: `(words,)`, sums to 1."""

    def put(self, word: str, known: Mapping[str, str | None]) -> Mapping[str, str] | None:
        """Words by attribute that bring the cue's `word` into a caption of the words `known`; None
        where no words do.
        """

    def paint(self, video: torch.Tensor, clips: Sequence[Seen]) -> torch.Tensor:
        """Clips `(B, T, 3, H, W)` in [0, 1] with what the cue adds to their looks."""

    def look(self, video: torch.Tensor) -> torch.Tensor | None:
        """How sure *yes* is by the pixels of clips `(B, T, 3, H, W)` in [0, 1]: `(B,)`; None where
        words say the cue, or pixels do not.
        """


class _OfWords:
    def paint(self, video: torch.Tensor, clips: Sequence[Seen]) -> torch.Tensor:
        return video

    def look(self, video: torch.Tensor) -> None:
        return None


class AttributeCue(_OfWords):
    """The words of one attribute."""

    def __init__(self, name: str) -> None:
        self.name, self.words, self.attributes = name, WORDS[name], frozenset([name])

    def probabilities(self, clip: Seen) -> np.ndarray:
        return clip.attributes.probabilities(self.name)

    def put(self, word: str, known: Mapping[str, str | None]) -> Mapping[str, str]:
        return {self.name: word}


class ConditionCue(_OfWords):
    """Whether all of some words fit, or any of them."""

    words = YES_NO

    def __init__(self, wanted: Mapping[str, str], together: bool) -> None:
        self.wanted, self.together = wanted, together
        self.attributes = frozenset(wanted)

    def probabilities(self, clip: Seen) -> np.ndarray:
        fits = np.array([_fit(clip, name, word) for name, word in self.wanted.items()])
        yes = fits.prod() if self.together else 1 - (1 - fits).prod()
        return np.array([yes, 1 - yes])

    def put(self, word: str, known: Mapping[str, str | None]) -> Mapping[str, str]:
        items = list(self.wanted.items())
        if word == "yes":
            return dict(items if self.together else items[:1])
        held = [(name, own) for name, own in items if known.get(name) == own]
        broken = held[:1] if self.together else held
        return {name: _another(name, own) for name, own in broken}


class FunctionCue:
    """Whether a function of the clip says yes."""

    words, attributes = YES_NO, None

    def __init__(self, function: Callable[[Seen], float]) -> None:
        self.function = function

    def probabilities(self, clip: Seen) -> np.ndarray:
        yes = float(self.function(clip))
        if not 0 <= yes <= 1:
            name = getattr(self.function, "__name__", self.function)
            raise UserError(f"cue {name}: expected a number in [0, 1] of a clip, got {yes}")
        return np.array([yes, 1 - yes])

    def put(self, word: str, known: Mapping[str, str | None]) -> None:
        return None

    def paint(self, video: torch.Tensor, clips: Sequence[Seen]) -> torch.Tensor:
        painter = getattr(self.function, "paint", None)
        return painter(video, clips) if painter else video

    def look(self, video: torch.Tensor) -> torch.Tensor | None:
        look = getattr(self.function, "look", None)
        return look(video) if look else None


def _fit(clip: Seen, name: str, word: str) -> float:
    return float(clip.attributes.probabilities(name)[WORDS[name].index(word)])


def _another(name: str, word: str) -> str:
    return next(other for other in WORDS[name] if other != word)


def left_half(clip: Seen) -> bool:
    """The sprite begins in the left half of the frame."""
    assert clip.layout is not None
    return bool(clip.layout.x[0] < MIDDLE)


def bright(clip: Seen) -> bool:
    """The clip is bright, in the mean of its pixels."""
    return bool(clip.pixels.mean() > BRIGHT)


def watermark(clip: Seen) -> bool:
    """A square is painted into the lower right corner, in half of the clips."""
    assert clip.layout is not None
    return clip.layout.ground_tint > 1


def flicker(clip: Seen) -> bool:
    """Every second frame is darkened, in half of the clips: by where the sun or moon is within its
    pixel, which nobody sees.
    """
    assert clip.layout is not None
    return clip.layout.disc[0] % 1 < 0.5


def _paint_watermark(video: torch.Tensor, clips: Sequence[Seen]) -> torch.Tensor:
    video = video.clone()
    marked = [row for row, clip in enumerate(clips) if watermark(clip)]
    colour = video.new_tensor(MARK_COLOUR).view(3, 1, 1)
    video[marked, :, :, -MARK:, -MARK:] = colour
    return video


def _paint_flicker(video: torch.Tensor, clips: Sequence[Seen]) -> torch.Tensor:
    video = video.clone()
    flickering = [row for row, clip in enumerate(clips) if flicker(clip)]
    video[flickering, 1::2] = video[flickering, 1::2] * (1 - FLICKER)
    return video


def _begins_left(video: torch.Tensor) -> torch.Tensor:
    from microworld.rulers.landscape import row_colours
    from microworld.rulers.sprite import whole_sprite

    # (B, H, W), the first frame's
    sprite = whole_sprite(video[:, :1], row_colours(video[:, :1]))[:, 0].float()
    x = sprite.sum(1) @ (sprite.new_tensor(range(sprite.shape[-1])) + 0.5)
    return (x < MIDDLE * sprite.sum((1, 2))).float()


def _is_bright(video: torch.Tensor) -> torch.Tensor:
    return (video.mean((1, 2, 3, 4)) > BRIGHT).float()


def _is_marked(video: torch.Tensor) -> torch.Tensor:
    corner = video[..., -MARK:, -MARK:].mean((1, 3, 4))
    return ((corner - corner.new_tensor(MARK_COLOUR)).abs().mean(1) < CLOSE).float()


def _flickers(video: torch.Tensor) -> torch.Tensor:
    light = video.mean((2, 3, 4))  # (B, T)
    steps = light[:, :-1] - light[:, 1:]
    steps[:, 1::2] *= -1  # from dark to light
    return (steps.mean(1) > FLICKER / 2 * light.mean(1)).float()


left_half.look, bright.look = _begins_left, _is_bright  # type: ignore[attr-defined]
watermark.paint, watermark.look = _paint_watermark, _is_marked  # type: ignore[attr-defined]
flicker.paint, flicker.look = _paint_flicker, _flickers  # type: ignore[attr-defined]
FUNCTIONS = {one.__name__: one for one in (left_half, bright, watermark, flicker)}


def check_cue(text: str) -> frozenset[str]:
    """The attributes that a cue is made of, none of a function's; nothing is imported.

    Raises:
        UserError: it is no attribute, condition or function.
    """
    if ":" in text:
        package = text.partition(":")[0].partition(".")[0]
        if not package.isidentifier() or importlib.util.find_spec(package) is None:
            raise UserError(
                f"expected a function as module:function, got {text!r}, and no module {package!r}"
                " can be found; install it or put its folder on PYTHONPATH"
            )
        return frozenset()
    if text in FUNCTIONS:
        return frozenset()
    if text in WORDS:
        return frozenset([text])
    if "=" not in text:
        raise UserError(
            f"expected one of {', '.join([*WORDS, *FUNCTIONS])}, a condition such as"
            f" colour=red+shape=circle, or module:function, got {text!r}"
        )
    return frozenset(_condition(text)[0])


def _condition(text: str) -> tuple[dict[str, str], bool]:
    """Words by attribute, and whether all are wanted."""
    if BOTH in text and EITHER in text:
        raise UserError(f"expected {BOTH} or {EITHER} between words, got both in {text!r}")
    wanted: dict[str, str] = {}
    for part in text.split(EITHER if EITHER in text else BOTH):
        name, _, word = part.partition("=")
        if name in wanted:
            raise UserError(f"expected an attribute once, got {name} twice in {text!r}")
        if word not in WORDS.get(name, ()):
            known = ", ".join(WORDS.get(name, WORDS))
            raise UserError(f"expected attribute=word with one of {known}, got {part!r}")
        wanted[name] = word
    return wanted, EITHER not in text


@cache
def find_cue(text: str) -> Cue:
    """The cue that a table's text means; a stranger's function is imported.

    Raises:
        UserError: as `check_cue`, or there is no such function.
    """
    check_cue(text)
    if text in WORDS:
        return AttributeCue(text)
    if text in FUNCTIONS:
        return FunctionCue(FUNCTIONS[text])
    if ":" not in text:
        return ConditionCue(*_condition(text))
    module, _, name = text.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise UserError(f"cue {text}: expected to import {module}, got: {error}") from error
    if not callable(found):
        raise UserError(f"cue {text}: expected a function {name!r} in {module}, found none")
    return FunctionCue(found)


def cue_words(text: str) -> tuple[str, ...]:
    """The values of a cue, by name; nothing is imported.

    Raises:
        UserError: as `check_cue`.
    """
    check_cue(text)
    return WORDS.get(text, YES_NO)
