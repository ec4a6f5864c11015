"""The objective `logits` through Phi against re-encoding: processor time of a step, and do the
gradients agree?

Run: python benchmarks/objectives.py [concept] [clips] [rounds] [folder of a VLM ...] It needs the
results of a run (`snakemake --cores all`): clips, latents and the coupling of Qwen2-VL. Other
folders hold VLMs of that family with the same visual tokens. Both paths take turns on the same
clips and noise. Prints the median seconds of each, their ratio, and the cosine of both gradients
with respect to the vector: of single clips, of the clips' mean, and of the mean within the
principal directions; then how far two clips' gradients agree, which says how many clips a step
needs.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from transporter.clips.contrast import Concept, read_concepts
from transporter.clips.embeddings import load_embeddings
from transporter.concepts.contexts import Contexts, draw, gather_contexts
from transporter.concepts.objectives import Batch, logits
from transporter.concepts.settings import LogitsSettings
from transporter.concepts.vectors import principal_directions
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.files import read_table

GENERATOR, VLM = "microworld", "qwen2_vl"
PATHS = ("reencoded", "phi")
FAR = 100.0
"""A margin that no clip reaches, so that every clip's gradient is that of its log-odds."""


def gradients(path: str, batch: Batch, reader: Reader) -> tuple[torch.Tensor, float]:
    """Of the loss without trust with respect to one vector per clip, `(B, L d)`, and the processor
    time of both passes.
    """
    q = torch.zeros_like(batch.pi_minus, requires_grad=True)
    begun = time.process_time()
    logits(
        q,
        batch,
        reader,
        LogitsSettings(path=path, margin=FAR, trust=0.0),
        torch.Generator().manual_seed(0),
    ).loss.mean().backward()
    return q.grad.flatten(1), time.process_time() - begun


def coherence(clips: torch.Tensor) -> float:
    """Mean cosine of two different clips' gradients `(B, L d)`."""
    cosines = F.normalize(clips, dim=-1) @ F.normalize(clips, dim=-1).T
    return float((cosines.sum() - cosines.trace()) / (len(clips) * (len(clips) - 1)))


def compare(name: str, batch: Batch, reader: Reader, directions: torch.Tensor, rounds: int) -> None:
    taken: dict[str, list[float]] = {path: [] for path in PATHS}
    found = {}
    for _ in range(rounds):
        for path in PATHS:
            found[path], seconds = gradients(path, batch, reader)
            taken[path].append(seconds)
    reencoded, phi = (found[path] for path in PATHS)
    medians = [statistics.median(taken[path]) for path in PATHS]
    means = [clips.mean(0) for clips in (reencoded, phi)]
    print(
        f"{name}: reencoded {medians[0]:.2f} s, phi {medians[1]:.2f} s, ratio"
        f" {medians[1] / medians[0]:.2f}; cosine of single clips"
        f" {F.cosine_similarity(reencoded, phi).mean():.3f}, of the mean"
        f" {F.cosine_similarity(*means, dim=0):.3f}, within {len(directions)} directions"
        f" {F.cosine_similarity(*(directions @ mean for mean in means), dim=0):.3f}; between two"
        f" clips {coherence(reencoded):.3f} (reencoded),"
        f" {coherence(reencoded @ directions.T):.3f} within the"
        " directions",
        flush=True,
    )


def contexts_of(concept: Concept, reader: Reader) -> Contexts:
    clips, z_xi = load_embeddings(Path(f"results/embeddings/train/generators/{GENERATOR}"))
    table = read_table("data/train/captions.tsv", ("clip", "caption"), text=("clip",)).set_index(
        "clip"
    )
    captions = table.loc[clips, "caption"].tolist()
    return gather_contexts(concept, captions, z_xi, reader.generator, limit=128)


def main(name: str, clips: int, rounds: int, folders: list[str]) -> None:
    config = load_config("config/config.yaml")
    generator = load_generator(config["generators"][GENERATOR])
    coupling = Coupling.load(
        f"results/coupling/{GENERATOR}/{VLM}/coupling.safetensors", generator.device
    )
    (concept,) = read_concepts(config["concepts"], [name])
    contexts = contexts_of(concept, Reader(generator, None, coupling))
    pi_minus, pi_plus, z_0 = draw(
        contexts, clips, torch.Generator().manual_seed(0), generator.device
    )
    batch = Batch([concept] * clips, pi_minus, pi_plus, z_0, torch.ones(clips), torch.ones(clips))
    directions = principal_directions([contexts], "each", LogitsSettings().directions)
    for folder in folders or [config["vlms"][VLM]["path"]]:
        vlm = load_vlm(config["vlms"][VLM] | {"path": folder}, generator.video_shape)
        compare(
            f"{Path(folder).name}, {name}",
            batch,
            Reader(generator, vlm, coupling),
            directions,
            rounds,
        )


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    main(given.get(1, "slowly_quickly"), int(given.get(2, 8)), int(given.get(3, 3)), sys.argv[4:])
