"""Sweeps of phi from one noise, for a concept vector and for its controls, written as clips and
latents.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
    total = torch.zeros_like(pi.embeddings)
    for name, phi in strengths.items():
        total = total + phi * bank.change(name, pi + total).embeddings
    return pi.along(total)


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
    with written_whole(folder) as partial:
        (partial / "clips").mkdir(parents=True)
        writer = _Writer(partial, generator.fps)
        # all captions before the first clip: large text encoders go then
        changes = [full_change(one, concept, pairs, generator, bank, seed) for one in methods]
        origins = None
        for method, (minus, change) in zip(methods, changes, strict=True):
            slider = Slider(generator, minus, change, seeds, stops, sampling, spacing)
            clips = slider.clips(f"{concept.name}-{method}", keep, origins)
            origins = origins or [clip.origin(stops) for clip in clips]
            for number, pair, clip in zip(seeds, pairs, clips, strict=True):
                writer.add(method, number, pair[0], clip.at(stops), generator)
            counts = f"{len(pairs)} captions x {len(stops)} strengths"
            print(f"concept {concept.name}, {method}: {counts}", flush=True)
        save_file({"z_xi": torch.stack(writer.z_xi).cpu()}, partial / "latents.safetensors")
        write_table(pd.DataFrame(writer.rows), partial / "index.tsv")


@dataclass
class _Writer:
    """A folder in the making: its latents, the rows of its index, and by seed where the clip at
    phi = 0 is, which all methods share.
    """

    folder: Path
    fps: float
    z_xi: list[torch.Tensor] = field(default_factory=list)
    rows: list[dict[str, object]] = field(default_factory=list)
    origins: dict[int, tuple[int, str]] = field(default_factory=dict)

    def add(
        self,
        method: str,
        seed: int,
        caption: str,
        clips: Mapping[float, tuple[float, torch.Tensor]],
        generator: Generator,
    ) -> None:
        """A row for each stop, from its phi and its latent `(c, t, h, w)`."""
        fresh = {phi: z for phi, z in clips.values() if phi or seed not in self.origins}
        # (P, T, C, H, W)
        videos = generator.decode(torch.stack([*fresh.values()]).to(generator.device)).clamp(0, 1)
        places = {
            phi: self._write(method, seed, phi, z, video)
            for (phi, z), video in zip(fresh.items(), videos, strict=True)
        }
        places.setdefault(0.0, self.origins.get(seed))
        for stop, (phi, _) in clips.items():
            row, name = places[phi]
            values = (row, method, seed, stop, phi, caption, name)
            self.rows.append(dict(zip(INDEX, values, strict=True)))

    def _write(
        self, method: str, seed: int, phi: float, z_xi: torch.Tensor, video: torch.Tensor
    ) -> tuple[int, str]:
        name = f"clips/{method if phi else 'origin'}_seed{seed}_phi{phi:g}.mp4"
        write_video(self.folder / name, video, self.fps)
        self.z_xi.append(z_xi)
        place = (len(self.z_xi) - 1, name)
        if not phi:
            self.origins[seed] = place
        return place


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
