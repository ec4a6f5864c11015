"""Where a run's clips are: those that a rule renders, or a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transporter.clips.contrast import Concept
from transporter.pipeline import paths

Wildcards = Mapping[str, str]
"""Names of a job by wildcard; Snakemake's own are read by `items` alone."""
Getter = Callable[[Wildcards], Any]


class ClipPlan:
    """The clips of a run, by the checked settings `clips` and `seed`."""

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.splits = list(settings["splits"])

    def captions(self, split: str = "{split}") -> str:
        """The table of a split's clips; of any split, a pattern."""
        return paths.captions(self.settings, split)

    def folder(self, split: str = "{split}") -> str:
        """The folder of a split's clips; of any split, a pattern."""
        return paths.clip_folder(self.settings, split)

    def folder_from(self, split: str | None = None) -> Getter:
        """The folder of a split's clips, by default of the job's own."""
        return lambda wildcards: self.folder(split or names_of(wildcards)["split"])

    def inputs(self, split: str = "{split}") -> str | list[str]:
        """What a job that reads clips waits for beside the table of its split: the folder that a
        rule renders. Of a user's own clips the table says what they hold.
        """
        return [] if self.own else self.folder(split)

    @property
    def own(self) -> bool:
        """Whether the clips are a user's own."""
        return self.settings["source"] == "folder"

    @property
    def listed(self) -> bool:
        """Whether the clips are a user's own, and what lists them is there."""
        from transporter.clips.layouts import is_listed

        return self.own and is_listed(self._place, self._layout)

    @property
    def packed(self) -> bool:
        """Whether the clips are a user's own, in archives that they are taken out of."""
        from transporter.clips.layouts import is_packed

        return self.own and is_packed(self._layout)

    def lists(self) -> list[str]:
        """The files that list a user's own clips; the example's too, before a rule makes it."""
        from transporter.clips.layouts import listed_by

        if self._layout == "captions":
            return [f"{self.settings['folder']}/captions.tsv"]
        return list(map(str, listed_by(self._place, self._layout)))

    def hash(self, wildcards: Wildcards) -> str:
        """Hash of a user's own clips, those of a job's split or all; "" where a rule has still to
        make them, as Snakemake asks again before the job starts.
        """
        if not self.listed:
            return ""
        from transporter.pipeline.own_clips import clips_hash

        split = names_of(wildcards).get("split")
        return clips_hash(self._place, self.settings["splits"], self.seed, split, self._layout)

    def lacks(self, concepts: Sequence[Concept]) -> dict[str, str]:
        """Of some concepts those that the captions of own clips cannot serve, and why."""
        if not self.listed:
            return {}
        from transporter.pipeline.own_clips import run_lacks

        return run_lacks(self._place, self.settings["splits"], self.seed, concepts, self._layout)

    def left_out(self) -> dict[str, Any]:
        """The table of those of a user's own clips that are left out, and those of the splits."""
        if not self.own:
            return {}
        return {"failed": paths.FAILED, "splits": [self.captions(split) for split in self.splits]}

    def rendered_folders(self) -> list[str]:
        """Folders of clips that jobs write to; a user's own are not among them."""
        return [] if self.own else [self.settings["folder"]]

    @property
    def _place(self) -> Path:
        return Path(self.settings["folder"])

    @property
    def _layout(self) -> str:
        return self.settings["layout"]


def names_of(wildcards: Wildcards) -> dict[str, str]:
    """A job's names as a mapping of our own."""
    return dict(wildcards.items())
