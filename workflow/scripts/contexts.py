"""What concepts are fitted on, as the scripts of the concept bank read it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transporter.clips.contrast import Concept
from transporter.clips.embeddings import open_embeddings
from transporter.clips.world import World
from transporter.concepts.contexts import Contexts, gather_contexts
from transporter.generators.base import Generator
from transporter.support.files import read_table


def read_contexts(
    inputs: Any,
    concepts: Sequence[Concept],
    generator: Generator,
    limit: int,
    world: World | None = None,
) -> dict[str, Contexts]:
    """The captions of a split that hold the words of each concept, at most `limit`, and the latents
    of their clips; of a world, also captions that lack them.
    """
    clips, z_xi = open_embeddings(Path(inputs.z_xi))
    table = read_table(inputs.captions, ("clip", "caption"), text=("clip",)).set_index("clip")
    captions = table.loc[clips, "caption"].tolist()
    return {
        concept.name: gather_contexts(concept, captions, z_xi, generator, limit, world)
        for concept in concepts
    }
