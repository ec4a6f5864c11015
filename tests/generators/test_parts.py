"""Networks that load when they are first used, and text encoders that go after it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import hostile
import pytest
import torch

from transporter.generators import diffusers_generator
from transporter.generators.condition import Condition
from transporter.generators.diffusers_generator import TEXT_ENCODERS, DiffusersGenerator
from transporter.pipeline.loading import load_generator

CPU = torch.device("cpu")
Make = Callable[..., DiffusersGenerator]


@pytest.fixture
def fresh(name: str, folder: Path, size: dict[str, int]) -> Make:
    def make(path: Path = folder) -> DiffusersGenerator:
        return load_generator({"adapter": name, "path": str(path), **size}, CPU)

    return make


def loaded(generator: DiffusersGenerator) -> set[str]:
    return {name for name, one in generator.pipeline.components.items() if _is_network(one)}


def _is_network(part: object) -> bool:
    return isinstance(part, torch.nn.Module)


def test_a_job_loads_what_it_uses(fresh: Make, pi: Condition) -> None:
    generator = fresh()
    sizes = (generator.latent_shape, generator.condition_shape, generator.sigmas(3))
    assert all(sizes) and not loaded(generator)
    z_xi = torch.zeros(1, *generator.latent_shape)
    with torch.no_grad():
        generator.decode(z_xi)
        assert loaded(generator) == {"vae"}
        generator.velocity(z_xi, torch.ones(1), pi[:1])
        assert loaded(generator) == {"vae", "transformer"}
    generator.free()
    assert not loaded(generator)
    generator.encode_text(["a red circle"])
    assert loaded(generator) <= set(TEXT_ENCODERS)


def test_results_are_those_of_a_generator_that_is_whole(
    generator: DiffusersGenerator, fresh: Make, captions: list[str]
) -> None:
    """Bit for bit, and whatever is drawn between."""
    assert loaded(generator) or dict(generator.networks())
    clips = []
    for one in (generator, fresh()):
        torch.manual_seed(3)
        pi = one.encode_text(captions)
        z_xi = one.sample(pi, [0, 1], 2, 3.0)
        with torch.no_grad():
            video = one.decode(z_xi)
            clips.append((pi.embeddings, z_xi, video, one.encode(video), torch.rand(3)))
    assert all(torch.equal(*two) for two in zip(*clips, strict=True))


def test_large_text_encoders_go_once(
    fresh: Make, captions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffusers_generator, "SMALL", 0)
    generator, whole = fresh(), fresh()
    pi = generator.encode_text(captions)
    z_xi = generator.sample(pi, [0, 1], 2, 3.0)
    # what guidance leads away from was encoded before
    assert loaded(generator) == {"transformer"}
    monkeypatch.setattr(diffusers_generator, "SMALL", 10**9)
    assert torch.equal(whole.sample(whole.encode_text(captions), [0, 1], 2, 3.0), z_xi)
    monkeypatch.setattr(diffusers_generator, "SMALL", 0)
    again = generator.encode_text(captions)
    generator.decode(z_xi)
    # a job that goes to and fro keeps them
    assert loaded(generator) > {"transformer", "vae"}
    assert torch.equal(again.embeddings, pi.embeddings)


def test_what_is_loaded_while_layers_are_computed_again_is_too(fresh: Make, pi: Condition) -> None:
    generator = fresh()
    with generator.recomputing():
        blocks = generator.part("transformer").modules()
        assert any(getattr(block, "gradient_checkpointing", False) for block in blocks)
    blocks = generator.part("transformer").modules()
    assert not any(getattr(block, "gradient_checkpointing", False) for block in blocks)


@pytest.mark.parametrize("name", ["wan"], indirect=True)
def test_a_tensor_that_lacks_is_told_when_its_network_is_used(
    fresh: Make, folder: Path, tmp_path: Path, captions: list[str]
) -> None:
    mine = Path(shutil.copytree(folder, tmp_path / "model"))
    change, expected = hostile.bad_tensors("block", "layers.")["missing"]
    change(mine / "transformer")
    generator = fresh(mine)
    pi = generator.encode_text(captions)
    z_xi = generator.encode(torch.zeros(2, *generator.video_shape))
    message = hostile.refusal(lambda: generator.velocity(z_xi, torch.ones(2), pi))
    assert message.startswith(f"{mine / 'transformer'}: expected all weights of a ")
    assert expected in message
