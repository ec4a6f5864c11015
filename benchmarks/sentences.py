"""Does a concept carry over to sentences that it was not fitted on? Vector, map and swapped word,
side by side from the same noises.

Run in a checkout after `make run`: python benchmarks/sentences.py [clips per cell] [concept ...]
Captions are drawn at random, none of them a training caption, in three kinds: every attribute named
with "moves", the same with "bounces" or "spins", and few attributes named. Prints the share of
clips that the probes read as the target word, among all words of its attribute, with exact 95 %
intervals; the worst kind of every method; and how near the change of the condition is to the true
one (cosine).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import binomtest
from torch.nn.functional import cosine_similarity

from microworld.attributes import WORDS
from microworld.language import caption
from transporter.clips.contrast import Concept, read_concepts
from transporter.clips.world import Probes
from transporter.concepts.bank import ConceptBank
from transporter.concepts.maps import ConceptMap
from transporter.concepts.settings import Bank
from transporter.generators.base import Generator
from transporter.generators.condition import Condition
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator
from transporter.pipeline.world import load_world
from transporter.support.files import read_table

SEED, FIRST_NOISE, BATCH, CONTEXTS = 20_261_129, 700_000, 16, 512
KINDS = ("all named, moves", "all named, bounces or spins", "few named")
BANK = Path("results/concepts/microworld/qwen2_vl/bank.safetensors")
TURNS = ("bounces", "spins")
NAMED = 0.25
"""Chance that a caption of few words names an attribute that it may leave out."""


def attribute_of(concept: Concept) -> str:
    [attribute] = [name for name, words in WORDS.items() if concept.source in words]
    return attribute


def sentence(concept: Concept, kind: str, rng: np.random.Generator) -> str:
    """A caption with the concept's source word; shape, motion and ground always stand in it."""
    words: dict[str, str | None] = {name: str(rng.choice(some)) for name, some in WORDS.items()}
    about = attribute_of(concept)
    moves = [word for word in WORDS["motion"] if word not in TURNS]
    words["motion"] = str(rng.choice(TURNS if kind == KINDS[1] else moves))
    if kind == KINDS[2]:
        for name in {"size", "colour", "speed", "time"} - {about}:
            words[name] = words[name] if rng.random() < NAMED else None
    words[about] = concept.source
    return caption(words)


def fresh(concept: Concept, kind: str, count: int, seen: set[str]) -> list[str]:
    """Captions whose pairs no concept was fitted on."""
    rng, found = np.random.default_rng(SEED), []
    while len(found) < count:
        text = sentence(concept, kind, rng)
        if seen.isdisjoint(concept.pair(text)):
            found.append(text)
    return found


def fitted_map(concept: Concept, captions: Sequence[str], generator: Generator) -> ConceptMap:
    pairs = [pair for text in captions if (pair := concept.pair(text))][:CONTEXTS]
    minus, plus = map(generator.encode_text, zip(*pairs, strict=True))
    return ConceptMap.fit(minus, plus, Bank.ridge, Bank.rank)


def reached(
    concept: Concept,
    conditions: Mapping[str, Condition],
    generator: Generator,
    probes: Probes,
    sampling: Mapping[str, float],
) -> dict[str, int]:
    """How many clips the probes read as the target word, by method."""
    about, found = attribute_of(concept), dict.fromkeys(conditions, 0)
    target = probes.vocabulary[about].index(concept.target)
    for method, pi in conditions.items():
        for start in range(0, len(pi), BATCH):
            part = pi[start : start + BATCH]
            noises = range(FIRST_NOISE + start, FIRST_NOISE + start + len(part))
            z = generator.sample(part, noises, sampling["steps"], sampling["guidance"])
            read = probes.probabilities(generator.decode(z).clamp(0, 1))[about]
            found[method] += int((read.argmax(-1) == target).sum())
    return found


def share(hits: int, clips: int) -> str:
    interval = binomtest(hits, clips).proportion_ci(0.95, "exact")
    return f"{hits / clips:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


@torch.no_grad()
def main(clips: int, names: Sequence[str]) -> None:
    config = load_config("config/config.yaml")
    model = config["generators"]["microworld"]
    generator = load_generator(model)
    probes = load_world(config["world"]).probes(config["probes"])
    bank = ConceptBank.load(BANK, generator.device)
    training = read_table("data/train/captions.tsv", ("clip", "caption"))["caption"].tolist()
    rows = []
    for concept in read_concepts(config["concepts"], names or None):
        own = fitted_map(concept, training, generator)
        for kind in KINDS:
            if kind == KINDS[1] and attribute_of(concept) == "motion":
                continue
            captions = fresh(concept, kind, clips, set(training))
            minus = generator.encode_text(captions)
            word = generator.encode_text([concept.swap(text) for text in captions])
            changes = {
                "vector": bank.change(concept.name, minus),
                "map": minus.along(own(minus)),
                "word": word - minus,
            }
            conditions = {method: minus + change for method, change in changes.items()}
            hits = reached(concept, conditions, generator, probes, model)
            true = changes["word"].embeddings.flatten(1)
            for method, change in changes.items():
                near = cosine_similarity(change.embeddings.flatten(1), true).mean()
                rows.append((concept.name, kind, method, hits[method], clips, float(near)))
            print(f"{concept.name}, {kind}: {hits} of {clips}", flush=True)
    tell(pd.DataFrame(rows, columns=["concept", "kind", "method", "hits", "clips", "cosine"]))


def tell(table: pd.DataFrame) -> None:
    for keys in (["kind", "method"], ["method"]):
        sums = table.groupby(keys, sort=False)[["hits", "clips"]].sum()
        cosine = table.groupby(keys, sort=False)["cosine"].mean().round(2)
        shares = [share(*row) for row in sums.itertuples(index=False)]
        print(sums.assign(share=shares, cosine=cosine).to_string(), end="\n\n")
    cells = table.assign(share=table["hits"] / table["clips"])
    for method, own in cells.groupby("method", sort=False):
        worst = own.loc[own["share"].idxmin()]
        print(
            f"worst cell of {method}: {worst['concept']}, {worst['kind']}:"
            f" {share(worst['hits'], worst['clips'])}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 16, sys.argv[2:])
