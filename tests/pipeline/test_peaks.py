"""Memory of rules, counted without weights, against what the allocator gave to the same models with
weights: the embedded ones, and random ones of middle size.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLWan, WanPipeline
from peak_models import (
    CLIPS,
    CLOSE,
    CPU,
    GENERATOR,
    ROOT,
    VLM_SETTINGS,
    Allocated,
    counted_pair,
    whole_models,
)
from torchmetrics.functional.image.lpips import _LPIPS

from microworld.training.generator import build_transformer
from transporter.baselines.inversion import inversion_losses
from transporter.baselines.methods import leaps
from transporter.baselines.settings import InversionSettings
from transporter.baselines.targets import VLMTarget
from transporter.baselines.verifier import Verifier
from transporter.concepts.objectives import OBJECTIVES, Batch
from transporter.concepts.settings import BankSettings
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.coupling.settings import CouplingSettings
from transporter.coupling.training import coupling_losses
from transporter.generators.base import Generator
from transporter.networks.i3d import I3D
from transporter.pipeline import peaks
from transporter.pipeline.loading import load_generator
from transporter.pipeline.memory_settings import MemorySettings
from transporter.pipeline.paper_peaks import paper_rules
from transporter.pipeline.peaks import ASKED, Pair
from transporter.pipeline.rule_memory import Rule
from transporter.support.errors import UserError
from transporter.vlms.base import VLM


@pytest.fixture(scope="module")
def pair() -> Pair:
    return counted_pair()


@pytest.fixture(scope="module")
def models() -> tuple[Generator, VLM]:
    return whole_models()


def live(rule: Rule) -> int:
    """Bytes beside the weights, with `CLIPS` at once."""
    [stage] = rule.stages
    return stage.first + (CLIPS - 1) * stage.further


def bank(**keys: Any) -> BankSettings:
    return BankSettings.from_mapping({"form": "vector", "batch": CLIPS, **keys}, 0)


def test_weights_are_the_files(pair: Pair) -> None:
    """Which are stored in half the precision."""
    folders = {"transformer": "generator/transformer", "vae": "generator/vae"}
    for part, folder in folders.items():
        [file] = (ROOT / "models" / folder).glob("*.safetensors")
        assert pair.parts[part] == pytest.approx(2 * file.stat().st_size, rel=0.02)


def test_embedding_and_training(
    pair: Pair, models: tuple[Generator, VLM], allocated: Allocated
) -> None:
    generator, vlm = models
    shapes = generator.latent_shape, generator.condition_shape, vlm.tokens_shape
    coupling = Coupling(*shapes, CouplingSettings())

    @torch.no_grad()
    def encode() -> None:
        generator.encode(torch.zeros(CLIPS, *generator.video_shape))

    @torch.no_grad()
    def embed() -> None:
        vlm.encode(torch.zeros(CLIPS, *generator.video_shape))

    def train() -> None:
        z_xi, pi, tokens = (torch.zeros(CLIPS, *shape) for shape in shapes)
        losses = coupling_losses(coupling.parts(z_xi, pi, tokens), torch.zeros_like(tokens))
        losses["loss"].backward()
        coupling.zero_grad()

    rules = {rule.name: rule for rule in pair.light_rules(MemorySettings(embedding=CLIPS))}
    acts = {"embed_generator": encode, "embed_vlm": embed, "coupling": train}
    for name, act in acts.items():
        act()
        assert live(rules[name]) == pytest.approx(allocated(act), rel=CLOSE), name


def fit(reader: Reader, settings: BankSettings) -> None:
    """One step's gradient."""
    generator = reader.generator
    pi, ones = generator.encode_text(["a"]).expand(CLIPS), torch.ones(CLIPS)
    z_0 = torch.zeros(CLIPS, *generator.latent_shape)
    batch = Batch([ASKED] * CLIPS, pi, pi, z_0, ones, ones)
    q = torch.zeros(CLIPS, *generator.condition_shape, requires_grad=True)
    with ExitStack() as stack:
        if settings.recompute:
            stack.enter_context(generator.recomputing())
        objective = OBJECTIVES[settings.objective]
        objective(q, batch, reader, settings.logits, torch.Generator()).loss.mean().backward()


def test_a_step_of_the_bank(
    pair: Pair, models: tuple[Generator, VLM], allocated: Allocated
) -> None:
    expected = allocated(lambda: fit(Reader(*models), bank()))
    rule, one = pair.bank(bank()), pair.bank(bank(at_once=1))
    assert live(rule) == pytest.approx(expected, rel=CLOSE)
    assert (rule.clips, one.clips) == (CLIPS, 1)
    assert one.stages[0].first == rule.stages[0].first
    assert one.peak < rule.peak


def test_inversions_and_scores(
    pair: Pair, models: tuple[Generator, VLM], allocated: Allocated
) -> None:
    """A step of LEAPS as a job makes it, and what two of the metrics hold."""
    generator, vlm = models
    settings, shape = InversionSettings(), generator.video_shape
    rules = {rule.name: rule for rule in paper_rules(pair, settings, seeds=2, reading=CLIPS)}
    assert rules["inversion"].weights > pair.parts["vlm"] + 12_000_000 * 4
    assert (rules["baseline_captions"].clips, rules["scores"].clips) == (2, CLIPS)

    i3d, lpips = I3D(), _LPIPS(net="alex", pnet_rand=True)
    target = VLMTarget(vlm, ASKED, difference=True)
    method = leaps(target, torch.zeros(shape), Verifier.of_batch_norms(i3d), settings)
    parameters = method.start(torch.Generator())

    def step() -> None:
        draws = torch.Generator()
        inversion_losses(parameters, target, method, settings, 0, draws)["loss"].backward()
        parameters.zero_grad()

    @torch.no_grad()
    def features() -> None:
        i3d(torch.zeros(1, *shape))

    @torch.no_grad()
    def distances() -> None:
        frames = torch.zeros(1, *shape).flatten(0, 1)
        lpips(frames, frames, normalize=True)

    [inversion], (_, *metrics) = rules["inversion"].stages, rules["scores"].stages
    counted = [inversion.first, *(stage.first - 2 * pair.video_bytes for stage in metrics)]
    for act, held in zip((step, features, distances), counted, strict=True):
        assert held == pytest.approx(allocated(act), rel=CLOSE), act.__name__


def test_models_of_middle_size(tmp_path: Path, allocated: Allocated) -> None:
    """Six layers of twice the width, and a VAE as Wan 2.1 has it, a sixth as wide."""
    torch.manual_seed(0)
    parts = WanPipeline.from_pretrained(GENERATOR["path"]).components
    transformer = build_transformer(heads=8, layers=6)
    WanPipeline(
        **{**parts, "transformer": transformer, "vae": AutoencoderKLWan(base_dim=16)}
    ).save_pretrained(tmp_path)
    chosen = {**GENERATOR, "path": str(tmp_path), "frames": 9, "height": 32, "width": 32}
    pair = Pair(chosen, VLM_SETTINGS, CouplingSettings(batch=CLIPS), gpu=False)
    generator = load_generator(chosen, CPU)
    assert dict(generator.networks())

    @torch.no_grad()
    def encode() -> None:
        generator.encode(torch.zeros(CLIPS, *generator.video_shape))

    encoding = next(
        rule
        for rule in pair.light_rules(MemorySettings(embedding=CLIPS))
        if rule.name == "embed_generator"
    )
    assert live(encoding) == pytest.approx(allocated(encode), rel=CLOSE)
    settings = bank(recompute=True)
    expected = allocated(lambda: fit(Reader(generator, None), settings))
    assert live(pair.bank(settings)) == pytest.approx(expected, rel=CLOSE)


def test_an_adapter_of_another_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = load_generator(GENERATOR, CPU)
    monkeypatch.setattr(peaks, "load_generator", lambda *_: generator)
    monkeypatch.setattr(peaks, "load_vlm", lambda *_: object())
    with pytest.raises(UserError, match="adapter object: expected one made of a TransformersVLM"):
        Pair(GENERATOR, VLM_SETTINGS, CouplingSettings(), gpu=False)
