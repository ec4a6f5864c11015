"""Keys of the settings about memory: how many clips pass through the models at once."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Le

from transporter.pipeline.setting_types import Precision
from transporter.support.settings import Size, section


@section
class MemorySettings:
    """Fewer clips at once take less memory and more time; what comes out differs by roundings."""

    embedding: Size = 16
    """Clips that are encoded, or decoded and encoded again, at once."""
    shard: Size = 16
    """Clips in a file of embeddings; a changed clip makes those of its file anew."""
    embedding_jobs: Annotated[Size, Le(1000)] = 1
    """Jobs that share the embedding of a split, so that several GPUs embed at once."""
    stored: Precision | None = None
    """Precision in which a VLM's tokens are stored; null is that of its weights, which loses
    nothing.
    """
    contexts: Size = 512
    """Captions that a concept is fitted on, at most; those of all concepts wait in the host's
    memory, as pairs of conditions.
    """
    sampling: Size = 16
    """Clips that are sampled, or read for maps of their words, at once."""
    reading: Size = 16
    """Generated clips that a VLM reads, or takes gradients to, at once."""
