"""Sweeps of phi from one noise, for a concept vector and for its controls, written as clips and
latents.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from transporter.clips.contrast import Concept
from transporter.clips.writing import write_video
from transporter.concepts.bank import ConceptBank
from transporter.generation.captions import Pair
from transporter.generation.slider import Slider, Spacing
from transporter.generators.base import Generator, Sampling
from transporter.generators.condition import Condition
from transporter.generators.modulation import WHOLE, Modulation
from transporter.support.errors import UserError
from transporter.support.files import read_table, write_table, written_whole
from transporter.support.kept import Keep, made

METHODS = ("transporter", "random", "prompt_interpolation")
INDEX = ("row", "method", "seed", "stop", "phi", "caption", "clip")
"""Columns of an index; `stop` is the place on the slider, also phi unless strengths are spaced."""


def full_change(
    method: str,
    concept: Concept,
    pairs: Sequence[Pair],
    generator: Generator,
    bank: ConceptBank,
    seed: int,
) -> tuple[Condition, Condition]:
    """`pi-` and what `method` adds to it at phi = 1, B rows each.

    `transporter`: the concept's vector; `random`: a direction of equal norm;
    `prompt_interpolation`: `pi+ - pi-`.
    """
    minus, plus = map(generator.encode_text, zip(*pairs, strict=True))
    changes = {
        "transporter": lambda: bank.change(concept.name, minus),
        "random": lambda: bank.control(concept.name, minus, seed),
        "prompt_interpolation": lambda: plus - minus,
    }
    if method not in changes:
        raise UserError(
            f"key generation.methods: expected some of {', '.join(METHODS)}, got {method!r}"
        )
    return minus, changes[method]()


def composed(bank: ConceptBank, pi: Condition, strengths: Mapping[str, float]) -> Condition:
    """What several concepts add to B conditions, each at its strength, in turn: a map takes the
    captions as those before it leave them, `c_k = phi_k q_k(pi + c_1 + ... + c_(k-1))`. Of vectors,
    which are the same for all captions, this is the sum.
    """
    total = pi.along(torch.zeros_like(pi.embeddings))
    for name, phi in strengths.items():
        total = total + phi * bank.change(name, pi + total)
    return total


def sweep(
    generator: Generator,
    condition: Condition,
    change: Condition,
    phis: Sequence[float],
    seeds: Sequence[int],
    sampling: Sampling,
    steps: tuple[float, float] = WHOLE,
    frames: tuple[float, float] = WHOLE,
) -> torch.Tensor:
    """Latents at every phi, each of B rows of `condition` from its own noise:
    `(B, len(phis), c, t, h, w)`.

    `steps` and `frames` are the ranges of `Modulation` (step injection, partial frames).
    """
    strengths = torch.tensor(phis).to(change.embeddings)
    rows = sampling.rows(len(phis))
    z = []
    for start in range(0, len(condition), rows):
        part = slice(start, start + rows)
        # (B P,), the strengths of a row side by side
        phi = strengths.repeat(len(change[part]))
        delta = phi * change[part].repeat_interleave(len(phis))
        modulation = Modulation(delta, steps, frames)
        z.append(
            generator.sample(
                condition[part], seeds[part], sampling.steps, sampling.guidance, modulation
            )
        )
    return torch.cat(z).unflatten(0, (len(condition), len(phis)))


def generate(
    generator: Generator,
    bank: ConceptBank,
    caption: str,
    strengths: Mapping[str, float],
    seed: int,
    sampling: Sampling,
    steps: tuple[float, float] = WHOLE,
    frames: tuple[float, float] = WHOLE,
    where: torch.Tensor | None = None,
) -> torch.Tensor:
    """One video `(T, C, H, W)` in [0, 1] of `caption` with the named concepts at the given
    strengths, in the steps, latent frames and places `(t, h, w)` of `Modulation`.

    Raises:
        UserError: the bank lacks one of the concepts.
    """
    condition = generator.encode_text([caption])
    modulation = None
    if strengths:
        modulation = Modulation(composed(bank, condition, strengths), steps, frames, where)
    z_xi = generator.sample(condition, [seed], sampling.steps, sampling.guidance, modulation)
    return generator.decode(z_xi)[0].clamp(0, 1)


def write_concept(
    folder: str | os.PathLike[str],
    concept: Concept,
    pairs: Sequence[Pair],
    generator: Generator,
    bank: ConceptBank,
    stops: Sequence[float],
    methods: Sequence[str],
    sampling: Sampling,
    seed: int = 0,
    keep: Keep = made,
    spacing: Spacing | None = None,
) -> None:
    """Sweep every method over the `stops` of a slider, one noise seed per caption pair; phi = 0 is
    the same clip for all methods, made once.

    Writes `clips/*.mp4`, `latents.safetensors` (`z_xi` `(rows, c, t, h, w)`) and `index.tsv`
    (columns of `INDEX`; `row` counts latents) into `folder`, which appears whole or not at all.
    `keep` is asked for some latents at a time. With `spacing` a clip's phi at a stop is one of its
    own, else the stop.
    """
    seeds = [seed + number for number in range(len(pairs))]
    with written_whole(folder) as unfinished:
        (unfinished / "clips").mkdir(parents=True)
        writer = _Writer(unfinished, generator)
        # all captions before the first clip: large text encoders go then
        changes = [full_change(one, concept, pairs, generator, bank, seed) for one in methods]
        origins = None
        for method, (minus, change) in zip(methods, changes, strict=True):
            show = partial(writer.show, method)
            slider = Slider(generator, minus, change, seeds, stops, sampling, spacing, show)
            clips = slider.clips(f"{concept.name}-{method}", keep, origins)
            origins = origins or [clip.origin(stops) for clip in clips]
            for number, pair, clip in zip(seeds, pairs, clips, strict=True):
                writer.add(method, number, pair[0], clip.at(stops))
            counts = f"{len(pairs)} captions x {len(stops)} strengths"
            print(f"concept {concept.name}, {method}: {counts}", flush=True)
        writer.end()


@dataclass
class _Writer:
    """A folder in the making: its latents, the rows of its index, and where in the latents each
    clip is. The clip at phi = 0 is one for all methods.
    """

    folder: Path
    generator: Generator
    z_xi: list[torch.Tensor] = field(default_factory=list)
    rows: list[dict[str, object]] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)

    def show(
        self, method: str, seeds: Sequence[int], phis: Sequence[float], video: torch.Tensor
    ) -> None:
        """Write clips `(n, T, C, H, W)` in [0, 1]."""
        for seed, phi, clip in zip(seeds, phis, video, strict=True):
            write_video(self.folder / _name(method, seed, phi), clip, self.generator.fps)

    def add(
        self,
        method: str,
        seed: int,
        caption: str,
        clips: Mapping[float, tuple[float, torch.Tensor]],
    ) -> None:
        """A row for each stop, from its phi and its latent `(c, t, h, w)`; clips that were not
        shown are decoded.
        """
        names = {phi: _name(method, seed, phi) for phi, _ in clips.values()}
        hidden = {phi: z for phi, z in clips.values() if not (self.folder / names[phi]).is_file()}
        if hidden:
            z_xi = torch.stack([*hidden.values()]).to(self.generator.device)
            video = self.generator.decode(z_xi).clamp(0, 1)
            self.show(method, [seed] * len(hidden), [*hidden], video)
        for stop, (phi, z) in clips.items():
            name = names[phi]
            if name not in self.places:
                self.places[name] = len(self.z_xi)
                self.z_xi.append(z)
            values = (self.places[name], method, seed, stop, phi, caption, name)
            self.rows.append(dict(zip(INDEX, values, strict=True)))

    def end(self) -> None:
        """Write latents and index, and leave out clips that no row has."""
        for path in (self.folder / "clips").iterdir():
            if path.relative_to(self.folder).as_posix() not in self.places:
                path.unlink()
        save_file({"z_xi": torch.stack(self.z_xi).cpu()}, self.folder / "latents.safetensors")
        write_table(pd.DataFrame(self.rows), self.folder / "index.tsv")


def _name(method: str, seed: int, phi: float) -> str:
    return f"clips/{method if phi else 'origin'}_seed{seed}_phi{phi:g}.mp4"


@dataclass(frozen=True)
class Generated:
    """What `write_concept` left: one row of `index` per method, seed and phi, and the latents that
    its column `row` counts.
    """

    index: pd.DataFrame
    z_xi: torch.Tensor

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Generated:
        index = read_table(Path(folder) / "index.tsv", INDEX)
        return cls(index, load_file(Path(folder) / "latents.safetensors")["z_xi"])

    def of(self, methods: Collection[str]) -> Generated:
        """The rows of these methods alone."""
        return Generated(self.index[self.index["method"].isin(methods)], self.z_xi)

    def by_method(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """The rows of each method, in the order they were made."""
        yield from self.index.groupby("method", sort=False)

    def distinct(self) -> Generated:
        """The same with every latent in one row, that of the first method that has it."""
        return Generated(self.index.drop_duplicates("row"), self.z_xi)
