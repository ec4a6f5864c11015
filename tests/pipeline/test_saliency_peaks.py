"""Memory of the target `saliency`, counted without weights, against what the allocator gave to the
same models with weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from peak_models import CLIPS, CLOSE, ROOT, Allocated, counted_pair, whole_models

from transporter.clips.contrast import Concept
from transporter.coupling.reader import Reader
from transporter.generation.sweeps import Generated
from transporter.generators.base import Generator, Sampling
from transporter.metrics import restriction
from transporter.pipeline.config import check_config, read_yaml
from transporter.pipeline.peaks import ASKED, Pair
from transporter.pipeline.rule_memory import Rule
from transporter.pipeline.saliency_peaks import Places, rules_of_generator, rules_of_pair
from transporter.saliency.benchmark import parts, rivals, timed
from transporter.saliency.generated import SweepMaps
from transporter.saliency.locating import renoised
from transporter.saliency.looking import gradients
from transporter.saliency.masked_clips import WORDS
from transporter.saliency.prompted import prompted
from transporter.saliency.prompts import Prompt
from transporter.saliency.settings import MapSettings, ReadingSettings
from transporter.saliency.words import Words
from transporter.vlms.base import VLM

WORD, CONCEPT = ASKED.source, Concept("red_blue", "object", "red", "blue", "what colour is it ?")


@pytest.fixture(scope="module")
def pair() -> Pair:
    return counted_pair()


@pytest.fixture(scope="module")
def models() -> tuple[Generator, VLM]:
    return whole_models()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        settings = read_yaml("config/config.yaml")
        settings["memory"] = {"sampling": CLIPS, "reading": CLIPS}
        settings["generation"]["seeds"] = CLIPS
        settings["gallery"] = {"seeds": CLIPS}
        folder = tmp_path_factory.mktemp("masks")
        prompts = {"table": "config/prompts.tsv", "seeds": CLIPS}
        settings["saliency"] = {"masks": {"folder": str(folder)}, "prompts": prompts}
        return Places.of(check_config(settings, [("test", settings)], clips=False))


@pytest.fixture(scope="module")
def rules(pair: Pair, places: Places) -> dict[str, Rule]:
    found = (*rules_of_generator(pair, places), *rules_of_pair(pair, places))
    return {rule.name: rule for rule in found}


def live(rule: Rule) -> int:
    """Bytes beside the weights."""
    return max(stage.first + (rule.clips - 1) * stage.further for stage in rule.stages)


def read(generator: Generator, settings: Sequence[MapSettings], words: int, clips: int) -> None:
    """Maps of some words in clips."""
    captions = [WORD] * clips
    found = Words.of(generator, captions, [[WORD] * words] * clips)
    z_xi = torch.zeros(clips, *generator.latent_shape)
    renoised(generator, z_xi, captions, found, settings, ReadingSettings())


def test_all_jobs_are_there(rules: dict[str, Rule], places: Places, pair: Pair) -> None:
    names = ("maps", "prompts", "masked", "truth", "clip", "looks", "restricted")
    assert set(rules) == {f"saliency_{name}" for name in names}
    alone = ("saliency_masked", "saliency_clip")
    assert all(rule.clips == (1 if rule.name in alone else CLIPS) for rule in rules.values())
    assert {question.text for question in places.asked} >= {CONCEPT.question}
    # every part of the generator stays beside its maps
    assert rules["saliency_maps"].weights == sum(
        size for name, size in pair.parts.items() if name not in ("vlm", "coupling")
    )
    assert places.waiting("saliency_truth", pair) == 2 * (96 + 128) * pair.video_bytes


def test_maps_by_many_readings(
    rules: dict[str, Rule], models: tuple[Generator, VLM], places: Places, allocated: Allocated
) -> None:
    """Of the benchmark, one clip, and of masks; distances between all tokens take most."""
    generator, _ = models
    config = generator.config("transformer")
    heads, layers = config.num_attention_heads, config.num_layers
    able = rivals(MapSettings(), heads)
    every = [*able.values(), *timed().values(), *parts(MapSettings(), heads, layers).values()]
    [_, truth], [_, masked] = (rules[f"saliency_{name}"].stages for name in ("truth", "masked"))

    def benchmark() -> None:
        read(generator, every, places.kinds + 1, CLIPS)

    def of_masks() -> None:
        read(generator, [*able.values()], WORDS, 1)

    assert truth.first + (CLIPS - 1) * truth.further == pytest.approx(
        allocated(benchmark), rel=CLOSE
    )
    assert masked.first == pytest.approx(allocated(of_masks), rel=CLOSE)


def test_maps_of_a_sweep(
    rules: dict[str, Rule], models: tuple[Generator, VLM], allocated: Allocated
) -> None:
    generator, _ = models
    reading, decoding = rules["saliency_maps"].stages

    @torch.no_grad()
    def decode() -> None:
        generator.decode(torch.zeros(CLIPS, *generator.latent_shape)).clamp(0, 1)

    def read_one() -> None:
        read(generator, [MapSettings()], 1, CLIPS)

    for stage, act in ((reading, read_one), (decoding, decode)):
        counted = stage.first + (CLIPS - 1) * stage.further
        assert counted == pytest.approx(allocated(act), rel=CLOSE), act.__name__


def test_maps_while_clips_are_made(
    rules: dict[str, Rule], models: tuple[Generator, VLM], places: Places, allocated: Allocated
) -> None:
    generator, _ = models
    words = [WORD] * places.words_of_prompts
    prompt = Prompt(WORD, tuple(words), ("thing",) * len(words))
    sampling = Sampling(2, 3.0, CLIPS)
    expected = allocated(lambda: prompted(generator, prompt, range(CLIPS), MapSettings(), sampling))
    reading, _ = rules["saliency_prompts"].stages
    counted = reading.first + (CLIPS - 1) * reading.further
    assert len(words) > 1 and counted == pytest.approx(expected, rel=CLOSE)


def test_where_a_vlm_looks(
    rules: dict[str, Rule], models: tuple[Generator, VLM], places: Places, allocated: Allocated
) -> None:
    generator, vlm = models
    video = torch.zeros(CLIPS, *generator.video_shape)
    expected = allocated(lambda: gradients(vlm, video, places.asked))
    assert live(rules["saliency_looks"]) == pytest.approx(expected, rel=CLOSE)


def test_a_vector_in_some_places(
    rules: dict[str, Rule],
    models: tuple[Generator, VLM],
    allocated: Allocated,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole job, without its probes."""
    generator, vlm = models
    rows = [
        (2 * seed + end, "transporter", seed, float(end), "a red circle moves left", "")
        for seed in range(CLIPS)
        for end in (0, 1)
    ]
    columns = ["row", "method", "seed", "phi", "caption", "clip"]
    index = pd.DataFrame(rows, columns=columns)
    swept = Generated(index, torch.zeros(len(rows), *generator.latent_shape))
    maps = torch.rand(len(rows), 2, *generator.block_grid)
    bank = SimpleNamespace(change=lambda _, pi: pi.along(torch.zeros_like(pi.embeddings)))
    probes = SimpleNamespace(vocabulary={})
    monkeypatch.setattr(restriction, "probed", lambda *_: pd.DataFrame({"hit": [1] * CLIPS}))
    monkeypatch.setattr(restriction, "kept", lambda *_: 1.0)

    def job() -> Any:
        given = (swept, SweepMaps(CONCEPT, index, maps), CONCEPT, Reader(generator, vlm), bank)
        return restriction.read_restricted(*given, probes, Sampling(2, 3.0, CLIPS))

    assert live(rules["saliency_restricted"]) == pytest.approx(allocated(job), rel=CLOSE)
