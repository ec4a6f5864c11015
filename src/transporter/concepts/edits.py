"""Captions with one word changed, and a clip of each: what a VLM's answers hang on, found by
changing it.

A group is a caption and its edits, all sampled from one noise, so that two clips of a group differ
by what the generator makes of one word. No VLM takes part in making them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch

from transporter.clips.caption_words import one_word_edits
from transporter.clips.contrast import Concept
from transporter.clips.embedding import embed_rows
from transporter.clips.embeddings import aligned, open_embeddings
from transporter.clips.stored import Rows
from transporter.clips.world import World
from transporter.generators.base import Generator, Sampling
from transporter.support.errors import UserError
from transporter.support.files import read_table, write_table

TABLE = "edits.tsv"
COLUMNS = ("clip", "group", "about", "word", "instead", "caption")
SWAP = ["about", "word", "instead"]
SHARD = 128
FIRST_NOISE = 500_000
"""Of a seed's noises; sweeps and benchmarks take the first ones, so no vector is tried on the noise
that it was fitted on.
"""


def widened(concepts: Sequence[Concept], words: Mapping[str, Sequence[str]]) -> list[Concept]:
    """A table of concepts that also asks about those words of a world that no row of it has, beside
    the words of their attribute; for edits alone.
    """
    known = {word: one for one in concepts for word in (one.source, one.target)}
    more = []
    for group in words.values():
        beside = next((known[word] for word in group if word in known), None)
        if beside is not None:
            new = [word for word in group if word not in known]
            more += [replace(beside, name=f"{beside.name}_{w}", target=w) for w in new]
    return [*concepts, *more]


def plan_edits(
    captions: Sequence[str], concepts: Sequence[Concept], groups: int, world: World | None = None
) -> pd.DataFrame:
    """The first `groups` different captions that hold a word of the concepts, each with all its
    edits: a table of `COLUMNS`.

    In the row of the caption itself `about`, `word` and `instead` are empty; in that of a word that
    was put in, as a world does it, `word` is.

    Raises:
        UserError: no caption holds a word of the concepts.
    """
    edited = (
        (caption, found)
        for caption in dict.fromkeys(captions)
        if (found := list(one_word_edits(caption, concepts, world)))
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
    clips `(n, N, D)`. Of edits from or to the `hidden` words nothing is told.
    """

    table: pd.DataFrame
    z_xi: Rows
    z_reencoded: Rows
    hidden: frozenset[str] = frozenset()

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
        `target`, and the swap of words, of one that comes in with an empty `word`.
        """
        return pd.DataFrame(list(_pairs(self.shown)), columns=["source", "target", *SWAP])

    @property
    def shown(self) -> pd.DataFrame:
        """The rows of the table that nothing is hidden of, by their numbers."""
        swapped = self.table[["word", "instead"]].isin(self.hidden)
        return self.table[~swapped.any(axis=1)]


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
                if source != target and after:  # to take a word away puts nothing in its place
                    yield source, target, about, before, after
