"""The clips of the benchmark: those that depend on no VLM, made once for all of them, and those of
one VLM's explanations.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank, random_like
from transporter.coupling.reader import Reader
from transporter.generation.captions import fresh_pairs
from transporter.generation.sweeps import sweep
from transporter.generators.base import Generator, Sampling, encode_captions
from transporter.generators.condition import Condition
from transporter.support.errors import UserError
from transporter.support.files import read_table, write_table, written_whole
from transporter.truth.cases import Case

ORIGIN, RANDOM, PROMPTS, ORACLE = "origin", "random", "prompt_interpolation", "oracle"
CONTEXTS = ("minus", "plus")
CLIPS_AT_ONCE = 8


class NothingFlips(UserError):
    """A VLM that answers no clip at phi = 0 by the source, so that no explanation of it can be
    judged.
    """


@dataclass(frozen=True)
class Controls:
    """Clips of one concept that are the same for every VLM: `z_xi[method]` `(P, S, c, t, h, w)` of
    P caption pairs and S seeds.

    `origin`: the source caption, phi = 0; `random`: changed in a random direction as long as the
    mean difference of both prompts; `prompt_interpolation`: `pi+`, the caption with the target
    word, where the interpolation ends at phi = 1.
    """

    pairs: list[tuple[str, str]]
    z_xi: dict[str, torch.Tensor]

    def save(self, folder: str | os.PathLike[str]) -> None:
        with written_whole(folder) as partial:
            partial.mkdir(parents=True)
            save_file(
                {name: z.cpu().contiguous() for name, z in self.z_xi.items()},
                partial / "latents.safetensors",
            )
            write_table(pd.DataFrame(self.pairs, columns=list(CONTEXTS)), partial / "contexts.tsv")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Controls:
        table = read_table(Path(folder) / "contexts.tsv", CONTEXTS)
        return cls(
            list(table[list(CONTEXTS)].itertuples(index=False, name=None)),
            load_file(Path(folder) / "latents.safetensors"),
        )

    def only(self, rows: Sequence[int]) -> Controls:
        """Those of some caption pairs."""
        pairs = [self.pairs[row] for row in rows]
        return Controls(pairs, {name: z[list(rows)] for name, z in self.z_xi.items()})

    def first(self) -> Controls:
        """The first clip of the first caption pair, if there is one: an example nobody chose."""
        return Controls(self.pairs[:1], {name: z[:1, :1] for name, z in self.z_xi.items()})


def noise_seeds(pairs: int, seeds: int, seed: int) -> list[int]:
    """A noise of its own for each clip, caption by caption: `(pairs * seeds)`."""
    return [seed * 1_000_003 + number for number in range(pairs * seeds)]


def _sampled(
    generator: Generator,
    minus: Condition,
    change: Condition,
    noises: Sequence[int],
    sampling: Sampling,
    seeds: int,
) -> torch.Tensor:
    """Clips of P conditions, changed, from `seeds` noises each: `(P, S, c, t, h, w)`."""
    minus, change = (condition.repeat_interleave(seeds) for condition in (minus, change))
    return sweep(generator, minus, change, [1.0], noises, sampling).unflatten(0, (-1, seeds))[
        :, :, 0
    ]


def make_controls(
    concept: Concept,
    captions: Sequence[Sequence[str]],
    seen: Sequence[str],
    generator: Generator,
    count: int,
    seeds: int,
    sampling: Sampling,
    seed: int = 0,
) -> Controls:
    """Sample the controls in up to `count` different caption pairs that no vector was fitted on.

    They come from the first of several lists of `captions`, and from the next ones as far as it has
    too few.

    Raises:
        UserError: no caption outside `seen` holds either word.
    """
    pairs = fresh_pairs(concept, captions, seen, seed)[:count]
    minus, plus = map(partial(encode_captions, generator), zip(*pairs, strict=True))
    direction = random_like((plus - minus).embeddings.mean(0), seed)
    noises = noise_seeds(len(pairs), seeds, seed)
    changes = {
        ORIGIN: minus.along(torch.zeros_like(direction)),
        RANDOM: minus.along(direction),
        PROMPTS: plus - minus,
    }
    clips = {}
    for name, change in changes.items():
        clips[name] = _sampled(generator, minus, change, noises, sampling, seeds)
        print(f"concept {concept.name}, {name}: {len(pairs)} captions x {seeds} seeds", flush=True)
    return Controls(pairs, clips)


@torch.no_grad()
def open_contexts(controls: Controls, concept: Concept, reader: Reader, count: int) -> list[int]:
    """The first `count` caption pairs whose clips at phi = 0 the VLM answers by the source, in the
    mean over seeds: what can flip.

    Raises:
        NothingFlips: there is none.
    """
    rows = []
    for row, z_xi in enumerate(controls.z_xi[ORIGIN]):
        parts = [
            reader.log_odds(reader.reencoded(z.to(reader.generator.device)), concept)
            for z in z_xi.split(CLIPS_AT_ONCE)
        ]
        if torch.cat(parts).mean() < 0:
            rows.append(row)
        if len(rows) == count:
            break
    if not rows:
        raise NothingFlips(
            f"concept {concept.name}: expected clips at phi = 0 that the VLM answers by"
            f" {concept.source!r}, got none of {len(controls.pairs)} captions; turn the pair round"
            " or add held-out clips"
        )
    return rows


def explain(
    case: Case,
    controls: Controls,
    rows: Sequence[int],
    banks: Mapping[str, ConceptBank],
    captions: Mapping[str, Sequence[str]],
    generator: Generator,
    sampling: Sampling,
    seed: int = 0,
) -> Controls:
    """The clips of some of the caption pairs: the controls' and, at phi = 1, each bank's vector,
    what each method shows that gives another caption for each, and the true explanation.

    `banks` are named by their objective, `captions` by their method. Only a VLM with a shortcut
    that words can say gets `oracle`: an honest one's is `prompt_interpolation`.
    """
    chosen, seeds = controls.only(rows), controls.z_xi[ORIGIN].shape[1]
    noises = noise_seeds(len(controls.pairs), seeds, seed)
    noises = [noises[row * seeds + number] for row in rows for number in range(seeds)]
    minus = encode_captions(generator, [pair[0] for pair in chosen.pairs])
    changes = {name: bank.change(case.concept.name, minus) for name, bank in banks.items()}
    truth = [case.oracle(pair[0]) for pair in chosen.pairs] if case.shortcut else [None]
    if None not in truth:
        captions = {**captions, ORACLE: truth}
    changes |= {name: encode_captions(generator, texts) - minus for name, texts in captions.items()}
    clips = dict(chosen.z_xi)
    for name, change in changes.items():
        clips[name] = _sampled(generator, minus, change, noises, sampling, seeds)
        print(
            f"concept {case.concept.name}, {name}: {len(rows)} captions x {seeds} seeds",
            flush=True,
        )
    return Controls(chosen.pairs, clips)
