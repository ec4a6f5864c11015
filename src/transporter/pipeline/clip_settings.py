"""Keys of the settings about the clips that the coupling is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from transporter.clips.listing import Layout
from transporter.clips.settings import Fit
from transporter.pipeline.setting_types import Clips, Duration, Windows
from transporter.support.settings import Place, Seconds, Share, section


@section
class Splits:
    """Clips in each split: their number, or a share of all clips of your own folder."""

    train: Clips | None = None
    """Clips that the coupling and the concept bank are trained on, fewer where no more are left;
    null is 1200 of the world, and 0.7 of your own.
    """
    validation: Clips | None = None
    """Clips by which training is watched; null is 128 of the world, and 0.1 of your own."""
    held_out: Clips | None = None
    """Clips that only reports see, in the microworld combinations of attributes that no training
    clip has; null is 192 of the world, and 0.2 of your own.
    """


@section
class ClipSettings:
    """The clips that the coupling is trained on."""

    source: Literal["world", "folder"] = "world"
    """`world` renders the microworld into `folder`; `folder` takes your own clips from it."""
    folder: Place = "data"
    """Where the clips are. Your own folder holds `captions.tsv` (columns `clip` and `caption`) and
    the files in `clips/`, or what `layout` says.
    """
    layout: Layout = "captions"
    """What your own folder holds: `captions`, as above; `csv`, a file of columns `path` and
    `caption`, the paths within the folder; `vatex`, a file of JSON with `videoID` and `enCap`, and
    `clips/`; `webdataset`, tar files of videos with captions in `.txt` or `.json`.
    """
    splits: Splits = Splits()
    start: Seconds = 0
    """Where in a clip reading begins, in seconds from its first frame."""
    seconds: Duration | None = None
    """How many seconds of a clip are read, by as many frames as the generator makes; null is what
    they last at the generator's rate (`frames` / `fps`), so that motion keeps its speed; `all` is
    the rest of the clip. A clip that is shorter is left out and named.
    """
    windows: Windows = 1
    """How many parts of each of your own clips are taken, as many as fit side by side, spread
    evenly from `start` to the end; each is a clip of its own, with the same caption and in the same
    split.
    """
    fit: Fit = "crop"
    """What is done about a clip of other proportions than the generator's: `crop` cuts off both
    ends, `pad` adds black bars, `stretch` distorts it.
    """
    left_out: Share = 0.2
    """Largest share of your own clips that may be left out because they cannot be read; beyond it
    the run stops.
    """


SPLITS: Mapping[str, Splits] = {
    "world": Splits(1200, 128, 192),
    "folder": Splits(0.7, 0.1, 0.2),
}
"""What the splits are, by the source of the clips, where the settings do not say."""
