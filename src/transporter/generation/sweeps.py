"""Sweeps of phi from one noise, for a concept vector and for its controls, written as clips and
latents.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from transporter.clips.contrast import Concept
from transporter.clips.video import write_video
from transporter.concepts.bank import ConceptBank, random_like
from transporter.generators.base import Generator, Sampling
from transporter.generators.condition import Condition
from transporter.generators.modulation import WHOLE, Modulation, compose
from transporter.support.errors import UserError
from transporter.support.files import read_table, write_table, written_whole

METHODS = ("transporter", "random", "prompt_interpolation")
INDEX = ("row", "method", "seed", "phi", "caption", "clip")


def fresh_pairs(
    concept: Concept, captions: Sequence[Sequence[str]], seen: Sequence[str]
) -> list[tuple[str, str]]:
    """The different caption pairs that no vector was fitted on, list by list, of each list those
    first that name most.

    Raises:
        UserError: no caption outside `seen` holds either word.
    """
    fitted = set(concept.contexts(seen))
    parts = [[pair for pair in concept.contexts(part) if pair not in fitted] for part in captions]
    if not any(parts):
        raise UserError(
            f"concept {concept.name}: expected captions with {concept.source!r} or"
            f" {concept.target!r} that were not fitted on, found none in {sum(map(len, captions))};"
            " add held-out clips"
        )
    return list(
        dict.fromkeys(
            pair for part in parts for pair in sorted(part, key=lambda pair: -len(pair[0].split()))
        )
    )


def pick_contexts(
    concept: Concept, captions: Sequence[str], seen: Sequence[str], count: int
) -> list[tuple[str, str]]:
    """`count` caption pairs that no vector was fitted on, those that name most first; cycled when
    there are fewer.

    Raises:
        UserError: no caption outside `seen` holds either word.
    """
    fresh = fresh_pairs(concept, [captions], seen)
    return [fresh[index % len(fresh)] for index in range(count)]


def full_change(
    method: str,
    concept: Concept,
    pairs: Sequence[tuple[str, str]],
    generator: Generator,
    bank: ConceptBank,
    seed: int,
) -> tuple[Condition, Condition]:
    """`pi-` and what `method` adds to it at phi = 1, B rows each.

    `transporter`: the concept's vector; `random`: a direction of equal norm;
    `prompt_interpolation`: `pi+ - pi-`.
    """
    minus, plus = (generator.encode_text([pair[side] for pair in pairs]) for side in (0, 1))
    vector = bank[concept.name].to(minus.embeddings)
    changes = {
        "transporter": lambda: minus.along(vector),
        "random": lambda: minus.along(random_like(vector, seed)),
        "prompt_interpolation": lambda: plus - minus,
    }
    if method not in changes:
        raise UserError(
            f"key generation.methods: expected some of {', '.join(METHODS)}, got {method!r}"
        )
    return minus, changes[method]()


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
    rows = max(1, sampling.batch // len(phis))
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
) -> torch.Tensor:
    """One video `(T, C, H, W)` in [0, 1] of `caption` with the named concepts at the given
    strengths.

    Raises:
        UserError: the bank lacks one of the concepts.
    """
    condition = generator.encode_text([caption])
    vectors = {name: bank[name].to(condition.embeddings) for name in strengths}
    modulation = None
    if strengths:
        modulation = Modulation(condition.along(compose(vectors, strengths)), steps, frames)
    z_xi = generator.sample(condition, [seed], sampling.steps, sampling.guidance, modulation)
    return generator.decode(z_xi)[0].clamp(0, 1)


def write_concept(
    folder: str | os.PathLike[str],
    concept: Concept,
    pairs: Sequence[tuple[str, str]],
    generator: Generator,
    bank: ConceptBank,
    phis: Sequence[float],
    methods: Sequence[str],
    sampling: Sampling,
    seed: int = 0,
) -> None:
    """Sweep every method over `phis`, one noise seed per caption pair; phi = 0 is the same clip for
    all methods, made once.

    Writes `clips/*.mp4`, `latents.safetensors` (`z_xi` `(rows, c, t, h, w)`) and `index.tsv`
    (columns of `INDEX`; `row` counts latents) into `folder`, which appears whole or not at all.
    """
    seeds = [seed + number for number in range(len(pairs))]
    z: list[torch.Tensor] = []
    index: list[dict[str, object]] = []
    origin: dict[int, tuple[int, str]] = {}
    with written_whole(folder) as partial:
        (partial / "clips").mkdir(parents=True)
        for method in methods:
            minus, change = full_change(method, concept, pairs, generator, bank, seed)
            wanted = [phi for phi in phis if phi or not origin]
            latents = sweep(generator, minus, change, wanted, seeds, sampling)
            for number, pair, rows in zip(seeds, pairs, latents, strict=True):
                fresh = dict(
                    zip(
                        wanted,
                        zip(rows, generator.decode(rows).clamp(0, 1), strict=True),
                        strict=True,
                    )
                )
                for phi in phis:
                    if phi in fresh:
                        z_xi, video = fresh[phi]
                        name = (
                            f"clips/{'origin' if not phi else method}_seed{number}_phi{phi:g}.mp4"
                        )
                        write_video(partial / name, video, generator.fps)
                        z.append(z_xi)
                        place = (len(z) - 1, name)
                        if not phi:
                            origin[number] = place
                    else:
                        place = origin[number]
                    values = (place[0], method, number, phi, pair[0], place[1])
                    index.append(dict(zip(INDEX, values, strict=True)))
            print(
                f"concept {concept.name}, {method}: {len(pairs)} captions x {len(phis)} strengths",
                flush=True,
            )
        save_file({"z_xi": torch.stack(z).cpu()}, partial / "latents.safetensors")
        write_table(pd.DataFrame(index), partial / "index.tsv")


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

    def by_method(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """The rows of each method, in the order they were made."""
        yield from self.index.groupby("method", sort=False)

    def distinct(self) -> Generated:
        """The same with every latent in one row, that of the first method that has it."""
        return Generated(self.index.drop_duplicates("row"), self.z_xi)
