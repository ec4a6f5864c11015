"""Aligned embeddings of one split, as the scripts of the coupling read them."""

from pathlib import Path
from typing import Any

from stage import unfinished
from transporter.coupling.aligned import Sources, read_pairs
from transporter.coupling.network import Pairs
from transporter.generators.base import Generator
from transporter.support.hashes import digest, files_hash


def split_pairs(snakemake: Any, split: str, generator: Generator) -> Pairs:
    """The clips of a split that all three embeddings have, with the conditions of their captions;
    those of many clips are kept in the job's folder.
    """
    inputs = snakemake.input
    places = [Path(inputs[f"{name}_{split}"]) for name in Sources._fields]
    key = digest(snakemake.params.generator, files_hash(inputs.generator))
    return read_pairs(Sources(*places), generator, unfinished(snakemake) / f"pi_{split}", key)
