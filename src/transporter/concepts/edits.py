"""Captions with one word changed, and a clip of each: what a VLM's answers hang on, found by
changing it.

A group is a caption and its edits, all sampled from one noise, so that two clips of a group differ
by what the generator makes of one word. No VLM takes part in making them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from transporter.clips.contrast import Concept, swaps
from transporter.clips.embeddings import aligned, embed_rows, open_embeddings
from transporter.clips.stored import Rows, portions
from transporter.concepts.contexts import Contexts
from transporter.coupling.reader import Reader
from transporter.generators.base import Generator, Sampling, encode_captions
from transporter.generators.condition import Condition
from transporter.support.errors import UserError
from transporter.support.files import read_table, write_table

TABLE = "edits.tsv"
COLUMNS = ("clip", "group", "about", "word", "instead", "caption")
SWAP = ["about", "word", "instead"]
SHARD = 128
TELLING = 0.5
"""A swap of words tells what the answer hangs on if it moves the log-odds by this share of what the
most telling one does.
"""
DOUBT = 2
"""Captions without any effect that a swap's mean effect is taken over besides, so that one lucky
clip makes no swap telling.
"""
CLIPS_AT_ONCE = 64
FIRST_NOISE = 500_000
"""Of a seed's noises; sweeps and benchmarks take the first ones, so no vector is tried on the noise
that it was fitted on.
"""


def plan_edits(captions: Sequence[str], concepts: Sequence[Concept], groups: int) -> pd.DataFrame:
    """The first `groups` different captions that hold a word of the concepts, each with all its
    edits: a table of `COLUMNS`.

    In the row of the caption itself `about`, `word` and `instead` are empty.

    Raises:
        UserError: no caption holds a word of the concepts.
    """
    edited = (
        (caption, found)
        for caption in dict.fromkeys(captions)
        if (found := list(swaps(caption, concepts)))
    )
    rows: list[tuple[str, int, str, str, str, str]] = []
    for group, (caption, found) in zip(range(groups), edited, strict=False):
        versions = [
            ("", "", "", caption),
            *((swap.about, swap.word, swap.instead, swap.caption) for swap in found),
        ]
        rows += [
            (f"{group:04d}-{number:02d}", group, *version)
            for number, version in enumerate(versions)
        ]
    if not rows:
        raise UserError(
            f"expected captions that hold a word of the concepts, got none in {len(captions)}; add"
            " clips or concepts"
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def sample_edits(
    table: pd.DataFrame,
    generator: Generator,
    sampling: Sampling,
    seed: int,
    folder: Path,
    key: str = "",
) -> None:
    """Sample the clips of a planned table, each group from a noise of its own, into a folder of
    embeddings.

    A run that was interrupted goes on, if `key` is the same: it should name the generator and the
    table.
    """

    def make(rows: list[int]) -> torch.Tensor:
        chosen = table.iloc[rows]
        noises = [seed * 1_000_003 + FIRST_NOISE + group for group in chosen["group"]]
        return generator.sample(
            generator.encode_text(chosen["caption"].tolist()),
            noises,
            sampling.steps,
            sampling.guidance,
        )

    embed_rows(table["clip"].tolist(), make, folder, sampling.batch, SHARD, key)
    write_table(table, folder / TABLE)


@dataclass(frozen=True)
class Edits:
    """Sampled edits: their table, latents `(n, c, t, h, w)`, and the VLM's tokens of the decoded
    clips `(n, N, D)`.
    """

    table: pd.DataFrame
    z_xi: Rows
    z_reencoded: Rows

    @classmethod
    def load(cls, folder: Path, reencoded: Path) -> Edits:
        """Those that could be embedded, from the folders of latents and of tokens.

        Raises:
            UserError: a folder lacks a table or a shard, or they are of different clips.
        """
        z_xi, z_reencoded = aligned(open_embeddings(folder), open_embeddings(reencoded))
        table = read_table(
            folder / TABLE, COLUMNS, text=[name for name in COLUMNS if name != "group"]
        )
        return cls(
            table.set_index("clip").loc[z_xi.clips].reset_index(), z_xi.values, z_reencoded.values
        )

    def pairs(self) -> pd.DataFrame:
        """All pairs of clips of one group that differ in one word: their rows `source` and
        `target`, and the swap of words.
        """
        return pd.DataFrame(list(_pairs(self.table)), columns=["source", "target", *SWAP])


def _pairs(table: pd.DataFrame) -> Iterator[tuple[int, int, str, str, str]]:
    unedited = {group: row for row, group in table.loc[table["about"] == "", "group"].items()}
    for (group, about, word), edited in table[table["about"] != ""].groupby(
        ["group", "about", "word"], sort=False
    ):
        versions = list(edited["instead"].items())
        if group in unedited:
            versions.insert(0, (unedited[group], word))
        for source, before in versions:
            for target, after in versions:
                if source != target:
                    yield source, target, about, before, after


@torch.no_grad()
def answered_pairs(concept: Concept, edits: Edits, reader: Reader) -> Contexts:
    """Pairs of captions that the VLM answers differently because of one word: what its answer hangs
    on.

    Among pairs whose first clip it answers by the source, the swaps of words that move its log-odds
    most towards the target, on average over captions, are kept (`TELLING`), and of these the pairs
    that are moved as far. Each pair is a context twice, with the clip of either caption.

    Raises:
        UserError: no clip is answered by the source, or no swap moves the answer towards the
            target.
    """
    device = reader.generator.device
    parts = (
        edits.z_reencoded[rows].to(device)
        for rows in portions(len(edits.z_reencoded), CLIPS_AT_ONCE)
    )
    log_odds = torch.cat([reader.log_odds(tokens, concept) for tokens in parts])
    odds = log_odds.float().cpu().numpy()
    pairs = edits.pairs()
    pairs["moves"] = odds[pairs["target"]] - odds[pairs["source"]]
    pairs = pairs[odds[pairs["source"]] < 0]
    if pairs.empty:
        raise UserError(
            f"concept {concept.name}: expected edits of captions whose clips the VLM answers by"
            f" {concept.source!r}, got none of {len(odds)}; turn the pair round, raise"
            " edits.captions, or set bank.objective to velocity"
        )
    kept = _telling(pairs)
    if kept.empty:
        raise UserError(
            f"concept {concept.name}: expected a swap of words that moves the VLM's answer towards"
            f" {concept.target!r}, got none of {len(pairs.groupby(SWAP))}; add concepts whose words"
            " may, or set bank.objective to velocity"
        )
    for swap, part in kept.groupby(SWAP, sort=False):
        moved = f"{swap[1]} to {swap[2]} moves {len(part)} answers, by {part['moves'].mean():.1f}"
        print(f"concept {concept.name}: {moved}", flush=True)
    captions = edits.table["caption"]
    pi_minus, pi_plus = (
        encode_captions(reader.generator, captions[kept[side]].tolist())
        for side in ("source", "target")
    )
    z_xi = torch.cat([edits.z_xi[kept[side].tolist()] for side in ("source", "target")])
    return Contexts.on_host(Condition.cat([pi_minus] * 2), Condition.cat([pi_plus] * 2), z_xi)


def all_answered_pairs(
    concepts: Sequence[Concept], edits: Edits, reader: Reader
) -> tuple[dict[str, Contexts], dict[str, str]]:
    """`answered_pairs` of every concept that has some, by name, and why the others have none.

    Raises:
        UserError: no concept has any.
    """
    contexts: dict[str, Contexts] = {}
    refused: dict[str, str] = {}
    for concept in concepts:
        try:
            contexts[concept.name] = answered_pairs(concept, edits, reader)
        except UserError as error:
            if len(refused) + 1 == len(concepts):
                raise
            refused[concept.name] = str(error).removeprefix(f"concept {concept.name}: ")
    return contexts, refused


def _telling(pairs: pd.DataFrame) -> pd.DataFrame:
    """Of pairs with their `moves` those whose swap tells most, and which are moved as far
    themselves.
    """
    moves = pairs.groupby(SWAP, sort=False)["moves"]
    mean = moves.transform("sum") / (moves.transform("size") + DOUBT)
    bound = TELLING * mean.max()
    return pairs[(mean >= bound) & (pairs["moves"] >= bound) & (pairs["moves"] > 0)]
