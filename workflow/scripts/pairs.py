"""Aligned embeddings of one split, as the scripts of the coupling read them."""

from pathlib import Path
from typing import Any

from transporter.clips.embeddings import aligned, load_embeddings
from transporter.coupling.network import Pairs
from transporter.generators.base import Generator
from transporter.support.files import read_table


def read_pairs(inputs: Any, split: str, generator: Generator) -> Pairs:
    """The clips of a split that all three embeddings have, with the conditions of their
    captions.
    """
    z_xi, z_omega, z_reencoded = aligned(
        *(
            load_embeddings(Path(inputs[f"{kind}_{split}"]))
            for kind in ("z_xi", "z_omega", "z_reencoded")
        )
    )
    table = read_table(inputs[f"captions_{split}"], ("clip", "caption"), text=("clip",)).set_index(
        "clip"
    )
    pi = generator.encode_text(table.loc[z_xi.clips, "caption"].tolist())
    return Pairs(z_xi.values, pi.embeddings.cpu(), z_omega.values, z_reencoded.values)
