"""Aligned embeddings of one split, read from what jobs have written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from transporter.clips.embedding import embed_rows
from transporter.clips.embeddings import aligned, open_embeddings
from transporter.clips.stored import RESIDENT, Rows
from transporter.coupling.network import Pairs
from transporter.generators.base import CAPTIONS_AT_ONCE, Generator, encode_captions
from transporter.support.files import read_table
from transporter.support.hashes import digest


class Sources(NamedTuple):
    """Folders of a split's embeddings, and the table of its captions."""

    z_xi: Path
    z_omega: Path
    z_reencoded: Path
    captions: Path


def read_pairs(
    sources: Sources, generator: Generator, folder: Path, key: str, resident: int = RESIDENT
) -> Pairs:
    """The clips that all three embeddings have, with the conditions of their captions.

    What is larger than `resident` bytes of float32 stays on disk; conditions then go to `folder`,
    where they are found again if `key`, which should name the generator, is the same.

    Raises:
        UserError: embeddings or captions are missing, damaged or of other clips.
    """
    spaces = (open_embeddings(space, resident) for space in sources[:3])
    z_xi, z_omega, z_reencoded = aligned(*spaces)
    table = read_table(sources.captions, ("clip", "caption"), text=("clip",)).set_index("clip")
    captions = table.loc[z_xi.clips, "caption"].tolist()
    pi = _conditions(z_xi.clips, captions, generator, folder, key, resident)
    return Pairs(z_xi.values, pi, z_omega.values, z_reencoded.values)


def _conditions(
    clips: Sequence[str],
    captions: Sequence[str],
    generator: Generator,
    folder: Path,
    key: str,
    resident: int,
) -> Rows:
    """Embeddings of captions `(n, L, d)`."""
    length, width = generator.condition_shape
    if 4 * len(captions) * length * width <= resident:
        return encode_captions(generator, captions).embeddings.cpu()
    embed_rows(
        clips,
        lambda rows: encode_captions(generator, [captions[row] for row in rows]).embeddings,
        folder,
        CAPTIONS_AT_ONCE,
        CAPTIONS_AT_ONCE,
        digest(key, list(captions)),
    )
    return open_embeddings(folder, resident).values
