"""What a VLM's answers hang on: one-word edits whose clips it answers differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from transporter.clips.caption_words import attribute_of
from transporter.clips.contrast import Concept
from transporter.clips.stored import portions
from transporter.clips.world import World
from transporter.concepts.choices import AnsweredPairs, EditPairs
from transporter.concepts.contexts import LIMIT
from transporter.concepts.edits import SWAP, Edits
from transporter.concepts.insertions import Insertions, insertion_pairs
from transporter.concepts.word_maps import mean_states
from transporter.coupling.reader import Reader
from transporter.generators.base import encode_captions
from transporter.generators.condition import Condition
from transporter.support.errors import UserError

EDIT = ["about", "instead"]
"""What an edit is, whatever word it replaces: the question that the word is about, and the word
that comes.
"""
TELLING = 0.5
"""A swap of words tells what the answer hangs on if it moves the log-odds by this share of what the
most telling one does.
"""
DOUBT = 2
"""Captions without any effect that a swap's mean effect is taken over besides, so that one lucky
clip makes no swap telling.
"""
CLIPS_AT_ONCE = 64


@torch.no_grad()
def edit_moves(concept: Concept, edits: Edits, reader: Reader) -> pd.DataFrame:
    """All pairs of one-word edits: columns of `Edits.pairs`, the log-odds about the first clip
    (`before`), and how far the second clip's lie above these (`moves`).
    """
    device = reader.generator.device
    parts = (
        edits.z_reencoded[rows].to(device)
        for rows in portions(len(edits.z_reencoded), CLIPS_AT_ONCE)
    )
    log_odds = torch.cat([reader.log_odds(tokens, concept) for tokens in parts])
    odds = log_odds.float().cpu().numpy()
    pairs = edits.pairs()
    pairs["before"] = odds[pairs["source"]]
    pairs["moves"] = odds[pairs["target"]] - odds[pairs["source"]]
    return pairs


def mean_moves(pairs: pd.DataFrame, by: list[str]) -> pd.Series:
    """Of every pair the mean move of those that are the same by some columns; a lucky one alone
    does not make it large.
    """
    moves = pairs.groupby(by, sort=False)["moves"]
    return moves.transform("sum") / (moves.transform("size") + DOUBT)


def best_edit(concept: Concept, edits: Edits, reader: Reader) -> tuple[str, str] | None:
    """The edit (`EDIT`) that moves the VLM's answer most, on average over the captions that it
    answers by the source; None where none moves it towards the target.
    """
    pairs = edit_moves(concept, edits, reader).query("before < 0").reset_index(drop=True)
    mean = mean_moves(pairs, EDIT)
    if pairs.empty or mean.max() <= 0:
        return None
    about, instead = pairs.loc[mean.idxmax(), EDIT]
    return about, instead


def answered_pairs(
    concept: Concept,
    edits: Edits,
    reader: Reader,
    moves: pd.DataFrame | None = None,
    world: World | None = None,
) -> AnsweredPairs:
    """Pairs of captions that the VLM answers differently because of one word: what its answer hangs
    on.

    Among pairs whose first clip it answers by the source, the swaps of words that move its log-odds
    most towards the target, on average over captions, are kept (`TELLING`), and of these the pairs
    that are moved as far. Each pair is a context twice, with the clip of either caption. Words that
    were put in are no contexts, but what these words change where there is none, as a `world` puts
    it, is learnt beside.

    Raises:
        UserError: no clip is answered by the source, or no swap moves the answer towards the
            target.
    """
    whole = edit_moves(concept, edits, reader) if moves is None else moves
    pairs = whole[(whole["before"] < 0) & (whole["word"] != "")]
    if pairs.empty:
        raise UserError(
            f"concept {concept.name}: expected edits of captions whose clips the VLM answers by"
            f" {concept.source!r}, got none of {len(edits.table)}; turn the pair round, raise"
            " edits.captions, or set bank.objective to velocity"
        )
    kept, least = _telling(pairs)
    if kept.empty:
        raise UserError(
            f"concept {concept.name}: expected a swap of words that moves the VLM's answer towards"
            f" {concept.target!r}, got none of {len(pairs.groupby(SWAP))}; add concepts whose words"
            " may, or set bank.objective to velocity"
        )
    for swap, part in kept.groupby(SWAP, sort=False):
        moved = f"{swap[1]} to {swap[2]} moves {len(part)} answers, by {part['moves'].mean():.1f}"
        print(f"concept {concept.name}: {moved}", flush=True)
    return _contexts(whole, kept, least, edits, reader, world)


def _contexts(
    whole: pd.DataFrame,
    kept: pd.DataFrame,
    least: float,
    edits: Edits,
    reader: Reader,
    world: World | None,
) -> AnsweredPairs:
    captions = edits.table["caption"]

    def sides(some: pd.DataFrame) -> list[Condition]:
        texts = [captions[some[side]].tolist() for side in ("source", "target")]
        return [encode_captions(reader.generator, side).to("cpu") for side in texts]

    pi_minus, pi_plus = sides(kept)
    z_xi = torch.cat([edits.z_xi[kept[side].tolist()] for side in ("source", "target")])
    telling = kept[EDIT].drop_duplicates()
    parts = {}
    for about, instead in telling.itertuples(index=False):
        same = whole[_is(whole, about, instead)]
        swapped, put_in = same[same["word"] != ""], same[same["word"] == ""]
        further = None if put_in.empty else _insertions(instead, edits, reader, world)
        parts[f"{about} {instead}"] = EditPairs(*sides(swapped), further)
    before = whole.drop_duplicates("source").set_index("source")["before"]
    sources = before.index.to_numpy()
    unedited = (edits.table["about"] == "").to_numpy()[sources]
    columns = [_moved(whole, edit, sources, unedited) for edit in telling.itertuples(index=False)]
    return AnsweredPairs(
        Condition.cat([pi_minus] * 2),
        Condition.cat([pi_plus] * 2),
        z_xi.cpu(),
        parts,
        tuple(telling["about"]),
        _states(captions[sources].tolist(), reader),
        torch.from_numpy(before.to_numpy(copy=True)),
        torch.from_numpy(np.stack(columns, 1)),
        least,
    )


def _insertions(word: str, edits: Edits, reader: Reader, world: World | None) -> Insertions | None:
    about = attribute_of([word], world.words) if world else None
    captions = edits.shown["caption"].tolist()
    return insertion_pairs(word, about, captions, reader.generator, world, LIMIT)


def _states(captions: Sequence[str], reader: Reader) -> torch.Tensor:
    """Mean states of captions `(m, d + 1)`, a few whole ones in memory at a time."""
    parts = [
        mean_states(encode_captions(reader.generator, captions[rows])).cpu()
        for rows in portions(len(captions), CLIPS_AT_ONCE)
    ]
    return torch.cat(parts)


def _is(pairs: pd.DataFrame, about: str, instead: str) -> pd.Series:
    return (pairs["about"] == about) & (pairs["instead"] == instead)


def _moved(
    pairs: pd.DataFrame, edit: tuple[str, str], sources: np.ndarray, unedited: np.ndarray
) -> np.ndarray:
    """How far one edit moves the answer about each source, `(m,)`; of the `unedited`, all of whose
    edits were tried, those without this one have no place for it.
    """
    own = pairs[_is(pairs, *edit)].set_index("source")["moves"]
    found = own.reindex(sources).to_numpy(dtype=np.float32)
    return np.where(np.isnan(found) & unedited, np.float32(0), found)


def all_answered_pairs(
    concepts: Sequence[Concept],
    edits: Edits,
    reader: Reader,
    moves: Mapping[str, pd.DataFrame] | None = None,
    world: World | None = None,
) -> tuple[dict[str, AnsweredPairs], dict[str, str]]:
    """`answered_pairs` of every concept that has some, by name, and why the others have none.
    `moves` are those of each concept, by its name, where they are known.

    Raises:
        UserError: no concept has any.
    """
    contexts: dict[str, AnsweredPairs] = {}
    refused: dict[str, str] = {}
    for concept in concepts:
        try:
            known = moves[concept.name] if moves else None
            contexts[concept.name] = answered_pairs(concept, edits, reader, known, world)
        except UserError as error:
            if len(refused) + 1 == len(concepts):
                raise
            refused[concept.name] = str(error).removeprefix(f"concept {concept.name}: ")
    return contexts, refused


def _telling(pairs: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Of pairs with their `moves` those whose swap tells most, and which are moved as far
    themselves; and how far that is at least.
    """
    mean = mean_moves(pairs, SWAP)
    least = float(TELLING * mean.max())
    return pairs[(mean >= least) & (pairs["moves"] >= least) & (pairs["moves"] > 0)], least
