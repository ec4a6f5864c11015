"""What a run takes, by its settings and its models' configurations alone: memory of each rule, jobs
and disk, and which key helps where a device is too small.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from transporter.clips.stored import RESIDENT
from transporter.concepts.contexts import LIMIT
from transporter.concepts.settings import BankSettings
from transporter.coupling.settings import CouplingSettings
from transporter.pipeline.peaks import Pair, Rule
from transporter.support.errors import UserError

GB = 10**9
LIBRARIES = GB
"""Of the host, once a job has imported what it needs; measured with torch 2 on Linux."""
WHOLE_CLIP = ("embed_generator", "embed_reencoded", "generation", "concept_readings")
"""Rules that encode or decode clips by the VAE."""


@dataclass(frozen=True)
class Need:
    """What one rule needs for one generator and VLM."""

    generator: str
    vlm: str
    rule: str
    jobs: int
    """0 of what is a part of other jobs: captions are encoded within."""
    clips: int
    """Clips at once."""
    device: int
    """Bytes at most."""
    host: int
    """Bytes at most."""
    advice: str
    """What helps where the device is too small; empty where it is not."""


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes of each network by model and name, needs of each rule, and bytes on disk: embeddings,
    of all clips or, of clips that are a share of your own, of a thousand.
    """

    parts: dict[str, dict[str, int]]
    needs: list[Need]
    embeddings: int
    thousand: bool

    @property
    def fits(self) -> bool:
        return not any(need.advice for need in self.needs)


def memory_bytes(text: str) -> int:
    """Bytes of a size such as 24GB.

    Raises:
        UserError: the text is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(?:GB)?", text)
    if not found or not 0 < float(found[1]) < 1e6:
        raise UserError(f"--memory: expected a size such as 24GB, got {text!r}")
    return int(float(found[1]) * GB)


def memory_plan(
    settings: Mapping[str, Any], memory: int, gpu: bool = True, concepts: int = 1
) -> MemoryPlan:
    """Of the run that the checked `settings` describe, with so many concepts, on devices of
    `memory` bytes: GPUs, or CPUs, which are their own host.

    Raises:
        UserError: the configuration of a model is not there.
    """
    chosen = dict(settings["coupling"])
    del chosen["literal_steps"]
    coupling = CouplingSettings.from_mapping(chosen)
    bank = BankSettings.from_mapping(settings["bank"], settings["seed"])
    clips, thousand = _clips(settings["clips"]["splits"])
    parts, needs, embeddings = {}, [], 0
    for generator in settings["run"]["generators"]:
        for vlm in settings["run"]["vlms"]:
            models = settings["generators"][generator], settings["vlms"][vlm]
            pair = Pair(*models, coupling, gpu)
            sizes = pair.parts
            parts[vlm] = {"vlm": sizes.pop("vlm")}
            parts[f"{generator}, {vlm}"] = {"coupling": sizes.pop("coupling")}
            embeddings += sum(clips.values()) * 2 * pair.token_bytes
            if generator not in parts:
                embeddings += sum(clips.values()) * pair.latent_bytes
            parts[generator] = sizes
            needs += _needs(generator, vlm, pair, bank, clips, memory, gpu, concepts)
    return MemoryPlan(parts, needs, embeddings, thousand)


def _clips(splits: Mapping[str, float]) -> tuple[dict[str, int], bool]:
    """Clips in each split, and whether they are those of a thousand."""
    thousand = any(size < 1 for size in splits.values())
    scale = 1000 if thousand else 1
    return {name: round(size * scale) for name, size in splits.items()}, thousand


def _needs(
    generator: str,
    vlm: str,
    pair: Pair,
    bank: BankSettings,
    clips: Mapping[str, int],
    memory: int,
    gpu: bool,
    concepts: int,
) -> Iterator[Need]:
    jobs = dict.fromkeys(("embed_generator", "embed_vlm", "embed_reencoded"), len(clips))
    jobs |= {"captions": 0, "generation": concepts, "concept_readings": concepts}
    for rule in pair.rules(bank):
        host = _host(rule, pair, clips, gpu, concepts)
        room = memory if gpu else memory - host
        device = rule.peak if gpu else rule.peak + host
        advice = "" if rule.peak <= room else _advice(rule, pair, bank, room, generator, vlm)
        count = jobs.get(rule.name, 1)
        yield Need(generator, vlm, rule.name, count, rule.clips, device, host, advice)


def _host(rule: Rule, pair: Pair, clips: Mapping[str, int], gpu: bool, concepts: int) -> int:
    """Of the host: the libraries, models on their way to a GPU one at a time, and embeddings that
    are read whole.
    """
    held = 0
    if rule.name.startswith("coupling"):
        kinds = (pair.latent_bytes, pair.condition_bytes, pair.token_bytes, pair.token_bytes)
        sizes = [count * size for count in clips.values() for size in kinds]
        held = sum(min(size, RESIDENT) for size in sizes)
    if rule.name.startswith("concept_bank"):
        contexts = min(LIMIT, max(clips.values()))
        held = concepts * contexts * (pair.latent_bytes + 2 * pair.condition_bytes)
    return LIBRARIES + held + (max(pair.parts.values()) if gpu else 0)


def _advice(rule: Rule, pair: Pair, bank: BankSettings, room: int, generator: str, vlm: str) -> str:
    """Which key helps where there is room for so many bytes."""
    if rule.weights > room:
        return f"the models alone take {size(rule.weights)}: dtype, or smaller models"
    if rule.name.startswith("concept_bank") and not (bank.recompute and bank.at_once == 1):
        learns = bank.form == "vector"
        small = pair.bank(replace(bank, recompute=learns, at_once=1)).peak
        keys = "bank.recompute: true and bank.at_once: 1" if learns else "bank.at_once: 1"
        words = f"{keys}: {size(small)}"
        return words if small <= room else f"{words}; fewer frames, height or width"
    if rule.name == "coupling":
        fitting = rule.fitting(room)
        if fitting:
            times = math.ceil(rule.clips * pair.settings.accumulate / fitting)
            return f"coupling.batch: {fitting} and coupling.accumulate: {times}"
        return f"fewer frames for vlms.{vlm}, or a smaller coupling"
    if rule.name in WHOLE_CLIP:
        return f"options: {{tiling: true}}, frames, height or width of generators.{generator}"
    return f"fewer frames, height or width of generators.{generator}"


def size(count: int) -> str:
    """Bytes for a person."""
    return f"{count / GB:.3g} GB"
