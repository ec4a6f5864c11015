"""Do concepts hold when several act at once, and in captions that lack their word? Maps of the bank
beside swapped words, from the same noises.

Run in a checkout after `make run`: python benchmarks/compositions.py [captions per cell]
Captions are drawn at random, none of them a training caption. A concept counts where the probes
read its target word among all words of its attribute; an attribute is kept where they read as in
the clip of the unchanged caption. Prints shares with exact 95 % intervals, and the worst concept.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sentences import attribute_of, share

from microworld.attributes import WORDS
from microworld.language import caption
from transporter.clips.contrast import Concept, read_concepts
from transporter.clips.world import Probes
from transporter.concepts.bank import ConceptBank
from transporter.generation.sweeps import composed
from transporter.generators.base import Generator
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator
from transporter.pipeline.world import load_world
from transporter.support.files import read_table

SEED, FIRST_NOISE, BATCH = 20_261_130, 600_000, 16
BANK = Path("results/concepts/microworld/qwen2_vl/bank.safetensors")
TOGETHER = (1, 2, 3, 4)
MAY_LACK = ("size", "colour", "speed", "time")
"""Attributes that a caption need not name."""
Words = dict[str, str | None]


class Trial:
    """Clips of captions from the same noises, read by the probes."""

    def __init__(self, generator: Generator, probes: Probes, model: Mapping[str, Any]) -> None:
        self.generator, self.probes, self.model = generator, probes, model

    def read(self, conditions: Sequence[Any]) -> list[dict[str, str]]:
        """Every attribute's word in the clip of each condition, `(1, L, d)`."""
        rows: list[dict[str, str]] = []
        for start in range(0, len(conditions), BATCH):
            part = type(conditions[0]).cat(conditions[start : start + BATCH])
            noises = range(FIRST_NOISE + start, FIRST_NOISE + start + len(part))
            z = self.generator.sample(part, noises, self.model["steps"], self.model["guidance"])
            seen = self.probes.probabilities(self.generator.decode(z).clamp(0, 1))
            rows += [
                {
                    name: words[int(seen[name][row].argmax())]
                    for name, words in self.probes.vocabulary.items()
                }
                for row in range(len(part))
            ]
        return rows


def drawn(concepts: Sequence[Concept], rng: np.random.Generator, lacks: bool = False) -> Words:
    """Words of a caption with all sources; with `lacks` some attributes are left out at random, the
    concepts' first of all.
    """
    words: Words = {name: str(rng.choice(some)) for name, some in WORDS.items()}
    words |= {attribute_of(concept): concept.source for concept in concepts}
    if lacks:
        for name in MAY_LACK:
            words[name] = words[name] if rng.random() < 0.5 else None
        words |= {attribute_of(concept): None for concept in concepts}
    return words


def fresh(make: Callable[[], Words], count: int, seen: set[str]) -> list[Words]:
    found: list[Words] = []
    while len(found) < count:
        words = make()
        if caption(words) not in seen and words not in found:
            found.append(words)
    return found


def scored(
    origin: Mapping[str, str], clip: Mapping[str, str], words: Words, concepts: Sequence[Concept]
) -> dict[str, list[tuple[str, int]]]:
    """Which concepts the clip shows, and which of the other named attributes are kept."""
    own = {attribute_of(concept) for concept in concepts}
    others = [name for name, word in words.items() if word and name not in own]
    hits = [(one.name, int(clip[attribute_of(one)] == one.target)) for one in concepts]
    return {"hits": hits, "kept": [(name, int(clip[name] == origin[name])) for name in others]}


def tell(title: str, table: Mapping[str, list[dict[str, list[tuple[str, int]]]]]) -> None:
    """A line for each method."""
    for method, rows in table.items():
        hits = pd.DataFrame([one for row in rows for one in row["hits"]], columns=["name", "hit"])
        kept = [one for row in rows for _, one in row["kept"]]
        whole = [all(hit for _, hit in row["hits"]) for row in rows]
        worst = hits.groupby("name")["hit"].agg(["mean", "sum", "size"]).sort_values("mean").iloc[0]
        print(
            f"| {title} | {method} | {share(int(hits['hit'].sum()), len(hits))}"
            f" | {share(sum(whole), len(whole))} | {share(sum(kept), len(kept))}"
            f" | {worst.name}: {share(int(worst['sum']), int(worst['size']))} |",
            flush=True,
        )


@torch.no_grad()
def main(captions: int) -> None:
    config = load_config("config/config.yaml")
    model = config["generators"]["microworld"]
    generator = load_generator(model)
    probes = load_world(config["world"]).probes(config["probes"])
    bank = ConceptBank.load(BANK, generator.device)
    seen = set(read_table("data/train/captions.tsv", ("clip", "caption"))["caption"])
    concepts = read_concepts(config["concepts"])
    trial, rng = Trial(generator, probes, model), np.random.default_rng(SEED)

    def pi(words: Words) -> Any:
        return generator.encode_text([caption(words)])

    def changed(condition: Any, some: Sequence[Concept]) -> Any:
        return condition + composed(bank, condition, {one.name: 1.0 for one in some})

    def summed(condition: Any, some: Sequence[Concept]) -> Any:
        changes = [bank.change(one.name, condition).embeddings for one in some]
        return condition + torch.stack(changes).sum(0)

    def swapped(words: Words, some: Sequence[Concept]) -> Words:
        return words | {attribute_of(one): one.target for one in some}

    print("| captions | method | concepts seen | all of a clip | others kept | worst concept |")
    print("|---|---|---|---|---|---|")
    for count in TOGETHER:
        sets = [some_concepts(concepts, count, rng) for _ in range(captions)]
        texts = [fresh(lambda some=some: drawn(some, rng), 1, seen)[0] for some in sets]
        origins = trial.read([pi(words) for words in texts])
        made = {
            "maps, summed": [
                summed(pi(words), some) for words, some in zip(texts, sets, strict=True)
            ],
            "maps in turn": [
                changed(pi(words), some) for words, some in zip(texts, sets, strict=True)
            ],
            "words": [pi(swapped(words, some)) for words, some in zip(texts, sets, strict=True)],
        }
        table = {
            method: list(map(scored, origins, trial.read(conditions), texts, sets))
            for method, conditions in made.items()
        }
        tell(f"{count} together", table)
    lacking = [concept for concept in concepts if attribute_of(concept) in MAY_LACK]
    sets = [[lacking[number % len(lacking)]] for number in range(captions)]
    texts = [fresh(lambda some=some: drawn(some, rng, True), 1, seen)[0] for some in sets]
    origins = trial.read([pi(words) for words in texts])
    sources = [
        words | {attribute_of(one): one.source for one in some}
        for words, some in zip(texts, sets, strict=True)
    ]
    made = {
        "map": [changed(pi(words), some) for words, some in zip(texts, sets, strict=True)],
        "source put in, then the map": [
            changed(pi(words), some) for words, some in zip(sources, sets, strict=True)
        ],
        "target put in": [
            pi(swapped(words, some)) for words, some in zip(texts, sets, strict=True)
        ],
    }
    table = {
        method: list(map(scored, origins, trial.read(conditions), texts, sets))
        for method, conditions in made.items()
    }
    tell("without the word", table)


def some_concepts(
    concepts: Sequence[Concept], count: int, rng: np.random.Generator
) -> list[Concept]:
    """So many of different attributes."""
    chosen: list[Concept] = []
    for number in rng.permutation(len(concepts)):
        if attribute_of(concepts[number]) not in {attribute_of(one) for one in chosen}:
            chosen.append(concepts[number])
    return chosen[:count]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 48)
