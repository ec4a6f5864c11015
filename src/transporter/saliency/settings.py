"""The choices that make a map out of attention; which of them are good is measured by masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MinLen
from pydantic import Strict

from transporter.support.errors import UserError
from transporter.support.settings import (
    Count,
    Distinct,
    Level,
    Place,
    Share,
    read_settings,
    section,
)

Method = Literal["gram", "cross_attention", "concept_attention", "query_key"]
Standardise = Literal["tokens", "clip", "texts", "minmax", "none"]
Contrast = Literal["pad", "prompt", "list", "none"]
ContrastOf = Literal["scores", "maps"]
Heads = Literal["all", "chi", "silhouette", "davies_bouldin", "fisher", "random"]
Surrogate = Literal["first", "mean"]
Preset = Literal[
    "gramcol",
    "cross_attention",
    "concept_attention",
    "imap_released",
    "imap_released_wan",
    "gramcol_released",
    "gramcol_released_wan",
]
Layout = Literal["mevis", "vspw"]
Layer = Annotated[int, Strict(), Ge(-1000), Le(1000)]
Layers = Annotated[tuple[Layer, ...], MinLen(1), Distinct]


@section
class MapSettings:
    """How a map is made out of attention."""

    method: Method = "query_key"
    """What each head says of a token: `gram`, its likeness to the token that matches the word best;
    `cross_attention`, its share of attention for the word; `concept_attention`, the match of its
    output with the word's; `query_key`, the match of its query with the word's key.
    """
    standardise: Standardise = "tokens"
    """What puts heads on one scale: mean and deviation over a frame's `tokens`, over those of the
    whole `clip`, so that frames can be compared, or over all `texts` as released; `minmax` over a
    frame's tokens; or `none`.
    """
    contrast: Contrast = "prompt"
    """What a word's map is taken against: `pad`, the row of padding; `prompt`, the rows of the
    prompt; `list`, the words that are listed beside it, and padding, as released; or `none`.
    """
    contrast_of: ContrastOf = "scores"
    """Whether the contrast is taken of a head's `scores`, before they are standardised, or of its
    `maps`, after.
    """
    padding: Share | None = 0.5
    """The share of padding in the contrast `prompt`, the rest of which is the prompt's words: less
    tells words apart better, more tells them from no word. Null is all its rows alike.
    """
    surrogate: Surrogate = "mean"
    """The key of a word of several sub-words: their `first`, or the `mean` of all."""
    heads: Heads = "all"
    """Which heads count: `all`, or the best by how far they keep frames apart: `chi` (the index of
    Calinski and Harabasz), `silhouette`, `davies_bouldin` or `fisher`; or as many at `random`.
    """
    top_k: Count = 5
    """How many heads of a layer count, unless all do."""
    layers: Literal["all"] | Layers = "all"
    """Which layers count: `all`, or their numbers from 0; -1 is the last."""
    steps: tuple[Share, Share] = (0.0, 1.0)
    """First and last share of the sampling steps that count, half-open."""

    def __post_init__(self) -> None:
        """Refuse choices that mean nothing together, in one line."""
        if self.standardise == "texts" and self.contrast == "none":
            raise UserError(
                "standardise: expected a contrast (pad, prompt or list) beside `texts`, got none;"
                " there is no text to standardise over"
            )
        if self.steps[0] >= self.steps[1]:
            raise UserError(
                f"steps: expected the first share less than the last, got {list(self.steps)}"
            )

    @property
    def contrast_first(self) -> bool:
        """Whether a contrast is taken of scores, before they are standardised over tokens."""
        taken = self.contrast != "none" and self.contrast_of == "scores"
        return taken and self.standardise != "texts"

    @property
    def prompt_padding(self) -> float | None:
        """`padding`, where rows of the prompt are not all alike by definition."""
        alike = self.method == "cross_attention" or self.standardise == "texts"
        return None if alike else self.padding

    @property
    def rows(self) -> str:
        """Which rows of text are needed beside the words: `pad`, `prompt` or `list`."""
        if self.method == "cross_attention":
            return "prompt"
        if self.method == "concept_attention":
            return "list"
        return "pad" if self.contrast == "none" else self.contrast


@section
class ReadingSettings:
    """How a given clip is noised and read."""

    sigmas: Annotated[tuple[Level, ...], MinLen(1)] = (0.35,)
    """Noise levels, one pass each, whose maps are averaged."""
    draws: Count = 1
    """Noises per level."""


@section
class MaskSettings:
    """Real clips with masks, by which maps are scored too."""

    layout: Layout = "mevis"
    """How the folder of real clips is laid out: as a split of `mevis` with masks, or as `vspw`."""
    folder: Place | None = None
    """Folder of real clips with masks, by which maps are scored too, or null."""
    clips: Count = 16
    """Real clips that are scored, the first that the folder lists."""


@section
class PromptSettings:
    """Prompts that the generator makes clips of, whose words are looked for."""

    table: Place | None = None
    """Table of prompts and their words, which are looked for in clips of them, or null; IMAP's, a
    file that a rule fetches, are `results/saliency/imap_prompts.json`.
    """
    seeds: Annotated[int, Strict(), Ge(1), Le(1000)] = 1
    """Clips of each prompt."""


IMAP = MapSettings(
    method="gram",
    standardise="texts",
    contrast="list",
    surrogate="first",
    heads="chi",
    top_k=5,
)
PRESETS: dict[str, MapSettings] = {
    "imap_released": IMAP,
    "imap_released_wan": replace(IMAP, contrast="prompt", padding=None, top_k=3),
    "gramcol_released": replace(IMAP, heads="all"),
    "gramcol_released_wan": replace(IMAP, contrast="prompt", padding=None, heads="all"),
    "gramcol": MapSettings(method="gram", contrast="pad"),
    "cross_attention": MapSettings(method="cross_attention", standardise="none", contrast="none"),
    "concept_attention": MapSettings(
        method="concept_attention", standardise="none", contrast="none"
    ),
}
"""By name, those of `Preset`. In the released code, Wan's text is the prompt's own, and that of
other families the words that are listed.
"""


def preset(name: str, **others: Any) -> MapSettings:
    """The settings of a name, some keys otherwise.

    Raises:
        UserError: no preset of that name.
    """
    if name not in PRESETS:
        raise UserError(f"preset: expected one of {', '.join(PRESETS)}, got {name!r}")
    return replace(PRESETS[name], **others)


def chosen(settings: Mapping[str, Any]) -> MapSettings:
    """The choices that the section `saliency` of the settings says, by a preset or key by key."""
    if settings["preset"]:
        return preset(settings["preset"])
    return read_settings(MapSettings, settings["map"], "saliency.map")


def read_reading(settings: Mapping[str, Any]) -> ReadingSettings:
    """How clips are read, as the section `saliency` says."""
    return read_settings(ReadingSettings, settings["reading"], "saliency.reading")


def read_masks(settings: Mapping[str, Any]) -> MaskSettings:
    """Which real clips with masks there are, as the section `saliency` says."""
    return read_settings(MaskSettings, settings["masks"], "saliency.masks")
