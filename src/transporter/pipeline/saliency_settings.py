"""Settings of `snakemake saliency`: where and when words are."""

from __future__ import annotations

from typing import Annotated

from annotated_types import MinLen

from transporter.saliency.settings import (
    MapSettings,
    MaskSettings,
    Preset,
    PromptSettings,
    ReadingSettings,
)
from transporter.support.settings import Count, Distinct, Level, section


@section
class SaliencySettings:
    """Maps of words, `snakemake saliency`."""

    preset: Preset | None = None
    """Choices by name in place of those of `map`: `gramcol`, `cross_attention`,
    `concept_attention`, and as the released code has them `imap_released` and `gramcol_released`,
    for Wan `imap_released_wan` and `gramcol_released_wan`; or null.
    """
    map: MapSettings = MapSettings()
    reading: ReadingSettings = ReadingSettings()
    choosing: Count = 96
    """Rendered clips, of combinations that training clips have, on which readings are compared."""
    reported: Count = 128
    """Rendered clips of other combinations, about which the table reports."""
    levels: Annotated[tuple[Level, ...], MinLen(1), Distinct] = (0.2, 0.5, 0.7, 0.85)
    """Further noise levels at which the default is reported."""
    shifts: Count = 1
    """Shifts of a clip by parts of a token, along each side, whose maps are averaged for maps of
    pixels; 1 is none.
    """
    masks: MaskSettings = MaskSettings()
    prompts: PromptSettings = PromptSettings()
