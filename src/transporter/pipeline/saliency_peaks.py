"""The most memory that the jobs of the target `saliency` take: maps of words by a generator's
attention, where a VLM looks, and vectors that act where their words are.

Texts are encoded again for every batch of clips, so text encoders stay beside the transformers that
maps are read from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from transporter.clips.contrast import read_concepts
from transporter.generators.diffusers_generator import TEXT_ENCODERS, TRANSFORMERS
from transporter.networks.live_memory import META
from transporter.pipeline.memory_settings import MemorySettings
from transporter.pipeline.peaks import ASKED, Pair
from transporter.pipeline.rule_memory import Rule, Stage, counted
from transporter.pipeline.world import load_world
from transporter.saliency import benchmark, generated, looking
from transporter.saliency.benchmark import SHOWN, parts, rivals, timed
from transporter.saliency.locating import renoised
from transporter.saliency.looking import Question, gradients, questions
from transporter.saliency.masked_clips import WORDS
from transporter.saliency.prompts import read_prompts
from transporter.saliency.settings import MapSettings, chosen, read_reading
from transporter.saliency.words import Words

VIDEOS = 4
"""Of every seed's clip, that the measure of restricted vectors holds: before the change, after it,
their difference and its size.
"""


@dataclass(frozen=True)
class Places:
    """What the maps of a run hang on beside its models.

    Attributes:
        settings: all of them, checked.
        asked: what a VLM is asked about each attribute of the world; empty without one.
        kinds: how many kinds of words the world's clips have masks of; 0 without one.
    """

    settings: Mapping[str, Any]
    asked: tuple[Question, ...]
    kinds: int

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Places:
        """Of the world and the table of concepts that the settings name.

        Raises:
            UserError: no installed package offers the world, or there is no such table.
        """
        world = load_world(settings["world"])
        if world is None:
            return cls(settings, (), 0)
        asked = questions(world.words, read_concepts(settings["concepts"]))
        clip = next(iter(world.placed(1, settings["seed"], held_out=True)))
        return cls(settings, tuple(asked.values()), len(clip.masks))

    @property
    def maps(self) -> Mapping[str, Any]:
        """The section `saliency`."""
        return self.settings["saliency"]

    @property
    def at_once(self) -> MemorySettings:
        return MemorySettings(**self.settings["memory"])

    @property
    def seeds(self) -> int:
        """Clips of a concept that vectors act on in some places; 0 where no probe reads them."""
        probed = self.kinds and self.settings["probes"]
        return self.settings["generation"]["seeds"] if probed else 0

    @property
    def words_of_prompts(self) -> int:
        """Words that are looked for in a prompt's clip at most, as many as in a masked one where
        the table has still to be fetched; 0 without a table.
        """
        table = self.maps["prompts"]["table"]
        if table is None or not Path(table).is_file():
            return WORDS if table else 0
        return max(len(prompt.words) for prompt in read_prompts(table))

    def waiting(self, rule: str, pair: Pair) -> int:
        """Bytes of clips on the host: rendered ones and a copy of them as a batch, or a sweep's
        latents and the videos of one of its seeds.
        """
        sweep = self.settings["generation"]
        strengths = 1 + len(sweep["methods"]) * (len(sweep["phi"]) - 1)
        latents = strengths * sweep["seeds"] * pair.latent_bytes
        rendered = 2 * (self.maps["choosing"] + self.maps["reported"]) * pair.video_bytes
        return {
            "saliency_maps": latents + 2 * strengths * pair.video_bytes,
            "saliency_restricted": latents,
            "saliency_truth": rendered,
            "saliency_looks": rendered,
        }.get(rule, pair.video_bytes)


def rules_of_generator(pair: Pair, places: Places) -> Iterator[Rule]:
    """Those of a generator alone, which are the same beside every VLM."""
    config = pair.generator.config("transformer")
    heads, layers = config.num_attention_heads, config.num_layers
    default, weights = chosen(places.maps), _of_generator(pair)
    able, encode = rivals(default, heads), pair.stage("encode")

    def reading(settings: Iterable[MapSettings], words: int) -> Stage:
        return counted(lambda clips: _read(pair, list(settings), places, words, clips))

    at_once = min(generated.BATCH, places.at_once.sampling)
    stages = (reading([default], 1), pair.stage("decode"))
    yield Rule("saliency_maps", weights, at_once, stages)
    if words := places.words_of_prompts:
        # while they are made, with places and times
        both = reading([default, replace(default, standardise="clip", contrast="pad")], words)
        at_once = min(places.at_once.sampling, places.maps["prompts"]["seeds"])
        yield Rule("saliency_prompts", weights, at_once, (both, _at_one(pair.stage("decode"))))
    if places.maps["masks"]["folder"]:
        yield Rule("saliency_masked", weights, 1, (encode, reading(able.values(), WORDS)))
    if places.kinds:
        # every kind of word with a place, and one without
        words = places.kinds + 1
        every = {**able, **timed(), **parts(default, heads, layers)}
        at_once = min(benchmark.BATCH, places.at_once.sampling)
        stages = (encode, reading(every.values(), words))
        yield Rule("saliency_truth", weights, at_once, stages)
        shown = reading([able[name] for name in SHOWN], words)
        yield Rule("saliency_clip", weights, 1, (encode, shown))


def rules_of_pair(pair: Pair, places: Places) -> Iterator[Rule]:
    """Those of a generator and a VLM."""
    vlm, weights = pair.parts["vlm"], _of_generator(pair)
    if places.asked:
        # what the graph of one question holds stays while the next is asked
        asked = sorted(places.asked, key=lambda question: len(question.words))[-2:]
        look = counted(lambda clips: gradients(pair.vlm, _video(pair, clips), asked))
        held = (len(places.asked) - len(asked)) * pair.video_bytes
        default = chosen(places.maps)
        read = counted(lambda clips: _read(pair, [default], places, len(places.asked), clips))
        at_once = min(looking.AT_ONCE, places.at_once.reading)
        stages = (pair.stage("encode"), read, look.beside(held))
        yield Rule("saliency_looks", weights + vlm, at_once, stages)
    if places.seeds:
        yield _restricted(pair, places)


def _restricted(pair: Pair, places: Places) -> Rule:
    """All captions are encoded before the first clip, as in `generation`."""
    velocity, videos = pair.stage("velocity"), places.seeds * pair.video_bytes
    # a pass without the change stands beside the one with it
    doubled = Stage(velocity.first + velocity.further, 2 * velocity.further)
    measured = [pair.stage(name) for name in ("decode", "embed", "answer")]
    held = [Stage(stage.first + 2 * videos, stage.further) for stage in measured]
    vlm, text = pair.parts["vlm"], _bytes(pair, TEXT_ENCODERS)
    captions = pair.stage("captions")
    before = vlm + text + captions.first + (places.seeds - 1) * captions.further
    used = vlm + _bytes(pair, ("vae", *TRANSFORMERS))
    stages = (doubled, *held, Stage(VIDEOS * videos, 0))
    at_once = min(places.at_once.sampling, places.seeds)
    return Rule("saliency_restricted", used, at_once, stages, before)


def _at_one(stage: Stage) -> Stage:
    """A stage of one clip, however many others have."""
    return Stage(stage.first, 0)


def _of_generator(pair: Pair) -> int:
    return _bytes(pair, (*TEXT_ENCODERS, "vae", *TRANSFORMERS))


def _bytes(pair: Pair, names: Sequence[str]) -> int:
    """Of those of the parts that are there."""
    parts = pair.parts
    return sum(parts.get(name, 0) for name in names)


def _video(pair: Pair, clips: int) -> torch.Tensor:
    return torch.empty(clips, *pair.generator.video_shape, device=META)


def _read(
    pair: Pair, settings: Sequence[MapSettings], places: Places, words: int, clips: int
) -> None:
    """Read maps of so many words in each clip."""
    generator, word = pair.generator, ASKED.source
    captions = [word] * clips
    found = Words.of(generator, captions, [[word] * words] * clips)
    z_xi = torch.empty(clips, *generator.latent_shape, device=META)
    renoised(generator, z_xi, captions, found, settings, read_reading(places.maps))
