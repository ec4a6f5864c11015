"""What a run takes, by its settings and its models' configurations alone: memory of each rule, jobs
and disk, and which key helps where a device is too small.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from transporter.baselines.settings import InversionSettings
from transporter.clips.stored import RESIDENT
from transporter.concepts.settings import BankSettings
from transporter.coupling.settings import CouplingSettings
from transporter.pipeline.ablations import laid_over
from transporter.pipeline.loading import stored_precision
from transporter.pipeline.memory_settings import MemorySettings
from transporter.pipeline.paper_peaks import paper_rules
from transporter.pipeline.peaks import Pair, Stages
from transporter.pipeline.rule_memory import Rule
from transporter.pipeline.saliency_peaks import Places, rules_of_generator, rules_of_pair
from transporter.support.errors import UserError

GB = 10**9
LIBRARIES = GB
"""Of the host, once a job has imported what it needs; measured with torch 2 on Linux."""
READINGS = ("concept_readings", "readings_through_phi")
WHOLE_CLIP = ("embed_generator", "embed_reencoded", "generation", *READINGS)
"""Rules that encode or decode clips by the VAE."""
OF_CONCEPTS = ("saliency_maps", "saliency_restricted")
"""Rules of maps that have a job for each concept."""
AT_ONCE = {
    "embed_generator": "embedding",
    "embed_vlm": "embedding",
    "embed_reencoded": "embedding",
    "generation": "sampling",
    **dict.fromkeys((*READINGS, "scores", "saliency_looks"), "reading"),
    **dict.fromkeys(
        [f"saliency_{name}" for name in ("maps", "prompts", "truth", "restricted")], "sampling"
    ),
}
"""Keys of `memory` that say how many clips a rule has at once."""


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
    target: str = "all"
    """Of Snakemake, whose jobs these are."""


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
    run, coupling, thousand = _run(settings, memory, gpu, concepts)
    parts, needs, embeddings = {}, [], 0
    clips = sum(run.clips.values())
    for generator, vlm, pair in _pairs(settings, coupling, gpu):
        sizes = pair.parts
        parts[vlm] = {"vlm": sizes.pop("vlm")}
        parts[f"{generator}, {vlm}"] = {"coupling": sizes.pop("coupling")}
        stored = stored_precision(settings["vlms"][vlm], run.at_once.stored).itemsize
        embeddings += clips * 2 * pair.token_bytes * stored // 4
        if generator not in parts:
            embeddings += clips * pair.latent_bytes
        parts[generator] = sizes
        needs += run.needs(generator, vlm, pair)
        # clips that are inverted have the sizes of the first generator's
        if generator == settings["run"]["generators"][0]:
            needs += run.needs_of_paper(generator, vlm, pair, settings["baselines"])
    return MemoryPlan(parts, needs, embeddings, thousand)


def truth_needs(
    settings: Mapping[str, Any], memory: int, gpu: bool = True, concepts: int = 1
) -> list[Need]:
    """What the target `truth` needs beside a plain run: a bank for each of its objectives. Its
    other jobs are as large as those of a plain run that generate and read clips.

    The arguments are those of `memory_plan`, and so are the errors.
    """
    run, coupling, _ = _run(settings, memory, gpu, concepts)
    chosen, truth = settings["bank"], settings["truth"]
    base = BankSettings.from_mapping(laid_over(chosen, truth["bank"]), settings["seed"])
    banks = [base.fitted_to(objective) for objective in truth["objectives"]]
    return [
        run.need_of_truth(generator, vlm, pair, bank)
        for generator, vlm, pair in _pairs(settings, coupling, gpu)
        for bank in banks
    ]


def saliency_needs(
    settings: Mapping[str, Any], memory: int, gpu: bool = True, concepts: int = 1
) -> list[Need]:
    """What the target `saliency` needs beside a plain run: what reads maps of words, and what is
    asked of a world's clips whose masks are known.

    The arguments are those of `memory_plan`, and so are the errors.
    """
    run, coupling, _ = _run(settings, memory, gpu, concepts)
    places = Places.of(settings)
    known: dict[str, list[Rule]] = {}
    needs: list[Need] = []
    for generator, vlm, pair in _pairs(settings, coupling, gpu):
        if generator in known:  # its maps are read for every VLM, all else once
            alone = [rule for rule in known[generator] if rule.name == "saliency_maps"]
        else:
            alone = known[generator] = list(rules_of_generator(pair, places))
        for rule in (*alone, *rules_of_pair(pair, places)):
            needs.append(run.need_of_maps(generator, vlm, pair, rule, places))
    return needs


def _run(
    settings: Mapping[str, Any], memory: int, gpu: bool, concepts: int
) -> tuple[_Run, CouplingSettings, bool]:
    """What all needs depend on, the settings of Phi, and whether clips are those of a thousand."""
    chosen = dict(settings["coupling"])
    del chosen["literal_steps"]
    processes = chosen.pop("processes")
    clips, thousand = _clips(settings["clips"]["splits"])
    run = _Run(
        BankSettings.from_mapping(settings["bank"], settings["seed"]),
        MemorySettings(**settings["memory"]),
        clips,
        settings["generation"]["seeds"],
        settings["generation"]["spacing_rounds"] > 0,
        concepts,
        memory,
        gpu,
        processes,
    )
    return run, CouplingSettings.from_mapping(chosen), thousand


def _pairs(
    settings: Mapping[str, Any], coupling: CouplingSettings, gpu: bool
) -> Iterator[tuple[str, str, Pair]]:
    """Every generator and VLM of the run, by name, and both without weights."""
    known: Stages = {}
    for generator in settings["run"]["generators"]:
        for vlm in settings["run"]["vlms"]:
            models = settings["generators"][generator], settings["vlms"][vlm]
            yield generator, vlm, Pair(*models, coupling, gpu, known)


def _clips(splits: Mapping[str, float]) -> tuple[dict[str, int], bool]:
    """Clips in each split, and whether they are those of a thousand."""
    thousand = any(size < 1 for size in splits.values())
    scale = 1000 if thousand else 1
    return {name: round(size * scale) for name, size in splits.items()}, thousand


@dataclass(frozen=True)
class _Run:
    """What the needs of every pair of models depend on."""

    bank: BankSettings
    at_once: MemorySettings
    clips: Mapping[str, int]
    captions: int
    """Of a concept, that clips are generated of."""
    spaced: bool
    concepts: int
    memory: int
    gpu: bool
    processes: int
    """That train Phi, beside the one that starts them."""

    def needs(self, generator: str, vlm: str, pair: Pair) -> Iterator[Need]:
        """Of the rules of a plain run."""
        shared = self.at_once.embedding_jobs
        embedding = len(self.clips) * (shared + 1 if shared > 1 else 1)  # one gathers
        jobs = dict.fromkeys(("embed_generator", "embed_vlm", "embed_reencoded"), embedding)
        jobs |= {"captions": 0, "generation": self.concepts, "concept_readings": self.concepts}
        for rule in pair.rules(self.bank, self.at_once, self.captions, self.spaced):
            if rule.name == "coupling" and self.processes > 1:  # gradients are sent as a copy
                rule = replace(rule, weights=rule.weights + pair.parts["coupling"])
            yield self._need(generator, vlm, pair, rule, jobs.get(rule.name, 1))
            if rule.name == READINGS[0]:  # counted with Phi, as the same clips are read once more
                yield self._need(generator, vlm, pair, replace(rule, name=READINGS[1]), 1)

    def needs_of_paper(
        self, generator: str, vlm: str, pair: Pair, baselines: Mapping[str, Any]
    ) -> Iterator[Need]:
        """Of the rules that the target `paper` has besides."""
        chosen = dict(baselines)
        methods, seeds, real = (chosen.pop(key) for key in ("methods", "seeds", "real_clips"))
        settings = InversionSettings.from_mapping(chosen)
        jobs = {"inversion": self.concepts * sum(map(len, methods.values()))}
        clips = {"inversion": real + seeds, "baseline_captions": seeds}
        for rule in paper_rules(pair, settings, seeds, self.at_once.reading):
            held = clips.get(rule.name, rule.clips) * pair.video_bytes
            need = self._need(generator, vlm, pair, rule, jobs.get(rule.name, 1), held)
            yield replace(need, target="paper")

    def need_of_maps(
        self, generator: str, vlm: str, pair: Pair, rule: Rule, places: Places
    ) -> Need:
        """Of a rule of the target `saliency`."""
        jobs = self.concepts if rule.name in OF_CONCEPTS else 1
        need = self._need(generator, vlm, pair, rule, jobs, places.waiting(rule.name, pair))
        return replace(need, target="saliency")

    def need_of_truth(self, generator: str, vlm: str, pair: Pair, bank: BankSettings) -> Need:
        """Of one of the benchmark's banks; a job fits one after the other."""
        rule = pair.bank(bank)
        need = replace(self, bank=bank)._need(generator, vlm, pair, rule, 1)
        return replace(need, rule=f"truth_bank, {bank.objective}", target="truth")

    def _need(
        self, generator: str, vlm: str, pair: Pair, rule: Rule, jobs: int, held: int = 0
    ) -> Need:
        """Of one rule, which has so many bytes of clips on the host."""
        host = held + self._host(rule, pair)
        room = self.memory if self.gpu else self.memory - host
        device = rule.peak if self.gpu else rule.peak + host
        fits = rule.peak <= room
        advice = "" if fits else _advice(rule, pair, self.bank, room, generator, vlm)
        return Need(generator, vlm, rule.name, jobs, rule.clips, device, host, advice)

    def _host(self, rule: Rule, pair: Pair) -> int:
        """Of the host: the libraries, models on their way to a GPU one at a time, and embeddings
        and conditions that are read whole; processes that a job starts read them too.
        """
        held = 0
        if rule.name.startswith("coupling"):
            kinds = (pair.latent_bytes, pair.condition_bytes, pair.token_bytes, pair.token_bytes)
            sizes = [count * size for count in self.clips.values() for size in kinds]
            held = sum(min(size, RESIDENT) for size in sizes)
        if rule.name.startswith("concept_bank"):
            contexts = min(self.at_once.contexts, max(self.clips.values()))
            held = self.concepts * contexts * (pair.latent_bytes + 2 * pair.condition_bytes)
        started = self.processes if rule.name == "coupling" and self.processes > 1 else 0
        own = started * (LIBRARIES + held + (0 if self.gpu else rule.peak))
        return own + LIBRARIES + held + (max(pair.parts.values()) if self.gpu else 0)


def _advice(rule: Rule, pair: Pair, bank: BankSettings, room: int, generator: str, vlm: str) -> str:
    """Which key helps where there is room for so many bytes."""
    if rule.before > room:
        return f"the text encoder takes {size(rule.before)}: dtype, or a smaller generator"
    if rule.weights > room:
        return f"the models alone take {size(rule.weights)}: dtype, or smaller models"
    if rule.name.startswith("concept_bank") and not (bank.recompute and bank.at_once == 1):
        learns = bool(bank.phases)
        small = pair.bank(replace(bank, recompute=learns, at_once=1)).peak
        keys = "bank.recompute: true and bank.at_once: 1" if learns else "bank.at_once: 1"
        words = f"{keys}: {size(small)}"
        return words if small <= room else f"{words}; fewer frames, height or width"
    if rule.name == "coupling":
        fitting = rule.fitting(room)
        if fitting:
            times = math.ceil(rule.clips * pair.settings.accumulate / fitting)
            return f"coupling.batch: {fitting} and coupling.accumulate: {times}"
        return f"pooled_tokens or fewer frames for vlms.{vlm}, or a smaller coupling"
    if rule.name in AT_ONCE and (fitting := rule.fitting(room)):
        return f"memory.{AT_ONCE[rule.name]}: {fitting}"
    if rule.name in WHOLE_CLIP:
        return f"running: {{tiling: true}}, frames, height or width of generators.{generator}"
    if rule.name == "inversion":
        return f"frames or max_pixels of vlms.{vlm}, or a smaller VLM"
    return f"fewer frames, height or width of generators.{generator}"


def size(count: int) -> str:
    """Bytes for a person."""
    return f"{count / GB:.3g} GB"
