"""The microworld as `transporter` sees it, a `transporter.clips.world.World`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

from microworld.attributes import WORDS
from microworld.language import caption
from microworld.shortcuts import Shortcut, read_shortcuts
from microworld.splits import SPLITS, draw_clip, split_seed

if TYPE_CHECKING:
    import torch

    from microworld.clip_judge import ClipJudge
    from microworld.probes import Probes
    from transporter.baselines.verifier import Verifier
    from transporter.clips.world import Placed


class Microworld:
    """A sprite of some shape, colour, size, motion and speed on some ground, by day or at night."""

    words = WORDS

    def caption(self, words: Mapping[str, str | None]) -> str:
        return caption(words)

    def read_shortcuts(
        self, path: str | os.PathLike[str], names: Sequence[str] | None = None
    ) -> dict[str, Shortcut]:
        return read_shortcuts(path, names)

    def captions(self, seed: int, split: str) -> Iterator[str]:
        for index in count():
            attributes, _ = draw_clip(index, split_seed(seed, split), SPLITS[split])
            yield caption(attributes.words())

    # models and what renders are imported where they are asked for: a dry run needs none

    def clips(self, seed: int) -> Iterator[tuple[str, torch.Tensor]]:
        from microworld.dataset import make_clip

        for index in count():
            clip = make_clip(index, split_seed(seed, "train"), SPLITS["train"])
            yield caption(clip.attributes.words()), clip.video

    def placed(self, count: int, seed: int, held_out: bool) -> Iterator[Placed]:
        from microworld.places import placed

        return placed(count, seed, held_out)

    def thing(self, video: torch.Tensor) -> torch.Tensor:
        from microworld.rulers.landscape import row_colours
        from microworld.rulers.sprite import whole_sprite

        return whole_sprite(video, row_colours(video))

    def probes(self, folder: str | os.PathLike[str], device: torch.device | None = None) -> Probes:
        from microworld.probes import Probes

        return Probes.from_pretrained(folder, device)

    def clip_judge(self, folder: str | os.PathLike[str], device: torch.device) -> ClipJudge:
        from microworld.clip_judge import ClipJudge
        from transporter.networks.pretrained import refused_in_one_line

        with refused_in_one_line(folder, "a clip judge: config.json and model.safetensors"):
            judge = ClipJudge.from_pretrained(folder, strict=True)
        return judge.to(device).eval()

    def verifier(
        self, folder: str | os.PathLike[str], clips: Iterable[torch.Tensor], device: torch.device
    ) -> Verifier:
        from microworld.verifier import microworld_verifier

        on_device = (clip.to(device) for clip in clips)
        return microworld_verifier(self.clip_judge(folder, device), on_device)


MICROWORLD = Microworld()
