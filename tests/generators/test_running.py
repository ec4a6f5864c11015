"""What diffusers offers to save memory and time does what it says, and nothing else."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import WanPipeline, WanTransformer3DModel
from diffusers.models.attention_dispatch import _AttentionBackendRegistry

from transporter.generators.condition import Condition
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.pipeline.loading import load_generator
from transporter.support.errors import UserError

Make = Callable[..., DiffusersGenerator]
Clip = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def wan(families: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("wan")
    families["wan"].build().save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def make(wan: Path, size: dict[str, int]) -> Make:
    def made(path: Path = wan, adapter: str = "wan", **changed: Any) -> DiffusersGenerator:
        settings = {"adapter": adapter, "path": str(path), **size, **changed}
        return load_generator(settings, torch.device("cpu"))

    return made


def clip(generator: DiffusersGenerator, captions: list[str], steps: int = 2) -> Clip:
    """Latents, pixels, and latents of these."""
    z_xi = generator.sample(generator.encode_text(captions), [0, 1], steps, 3.0)
    with torch.no_grad():
        video = generator.decode(z_xi).clamp(0, 1)
        return z_xi, video, generator.encode(video)


@pytest.fixture(scope="module")
def plain(make: Make, captions: list[str]) -> Clip:
    return clip(make(), captions)


@pytest.mark.parametrize("where", ["model", "group", "sequential"])
def test_weights_that_wait_elsewhere_are_the_same(
    make: Make, captions: list[str], plain: Clip, where: str
) -> None:
    generator = make(running={"offload": where})
    assert all(map(torch.equal, clip(generator, captions), plain))
    transformer = generator.part("transformer")
    waits = {
        "model": hasattr(transformer, "_hf_hook"),
        "group": any(hasattr(block, "_diffusers_hook") for block in transformer.blocks),
        # the last layers that were used have been put away
        "sequential": all(weight.is_meta for weight in transformer.parameters()),
    }
    assert waits[where]
    pi = generator.encode_text(captions)
    embeddings = Condition(pi.embeddings.requires_grad_())
    with pytest.raises(UserError, match=r"running.offload: expected null where an objective"):
        generator.velocity(generator.noise([0, 1]), torch.tensor([0.5, 0.9]), embeddings)


def test_tiles_and_slices(make: Make, captions: list[str], plain: Clip) -> None:
    generator = make(running={"tiling": True, "slicing": True})
    torch.testing.assert_close(clip(generator, captions), plain, atol=1e-5, rtol=0)
    vae = generator.part("vae")
    assert vae.use_tiling and vae.use_slicing
    whole = make(running={"slicing": False})
    whole.as_on_gpu()
    assert not whole.part("vae").use_slicing


def test_kernels_of_one_model_are_its_own(make: Make, captions: list[str], plain: Clip) -> None:
    """The library sets them for the whole process, other models among it."""
    before = _AttentionBackendRegistry.get_active_backend()[0]
    generator = make(running={"attention": "_native_math"})
    torch.testing.assert_close(clip(generator, captions), plain, atol=1e-4, rtol=0)
    processors = {block.attn1.processor for block in generator.part("transformer").blocks}
    assert {one._attention_backend.value for one in processors} == {"_native_math"}
    assert _AttentionBackendRegistry.get_active_backend()[0] == before
    if not importlib.util.find_spec("flash_attn"):
        with pytest.raises(UserError, match=r"running.attention: expected what gives flash, got"):
            make(running={"attention": "flash"}).part("transformer")


def test_stored_in_eight_bits(make: Make, captions: list[str], plain: Clip) -> None:
    generator = make(running={"storage": "float8_e4m3fn"})
    z_xi, *_ = clip(generator, captions)
    transformer = generator.part("transformer")
    assert transformer.blocks[0].ffn.net[2].weight.dtype == torch.float8_e4m3fn
    assert transformer.dtype == torch.float32
    far = (z_xi - plain[0]).abs().max()
    assert 0 < far < 0.1 * plain[0].abs().max()


def test_a_cache_loses_something_and_says_so(
    make: Make, captions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    generator, steps = make(running={"cache": "taylorseer"}), 5
    [line] = [one for one in capsys.readouterr().err.splitlines() if "running" in one]
    assert line.startswith("running.cache: taylorseer changes clips, and not as much at every")
    pi = generator.encode_text(captions)
    z_xi, expected = (one.sample(pi, [0, 1], steps, 3.0) for one in (generator, make()))
    assert z_xi.isfinite().all() and not torch.equal(z_xi, expected)
    # none where velocities are asked for
    assert not generator.part("transformer").is_cache_enabled


def test_blocks_are_compiled(make: Make) -> None:
    """When they first run, which takes a compiler."""
    blocks = make(running={"compile": True}).part("transformer").blocks
    assert all(block._compiled_call_impl is not None for block in blocks)


@pytest.mark.parametrize(
    ("asked", "package"),
    [
        ({"quantisation": "torchao_int8"}, "torchao"),
        ({"quantisation": "bitsandbytes_4bit"}, "bitsandbytes"),
        ({"lora": "here"}, "peft"),
    ],
)
def test_a_package_that_is_not_there(
    make: Make, tmp_path: Path, asked: dict[str, str], package: str
) -> None:
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is there")
    [key] = asked
    with pytest.raises(UserError, match=rf"^running.{key}: expected what gives .*, got:"):
        make(running=asked).part("transformer")


def test_low_rank_weights(
    make: Make,
    wan: Path,
    tmp_path: Path,
    captions: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As the library adds them to its own model."""
    peft = pytest.importorskip("peft")
    own = WanTransformer3DModel.from_pretrained(wan / "transformer")
    names = ["to_q", "to_v", "to_out.0"]
    own.add_adapter(
        peft.LoraConfig(r=4, lora_alpha=4, init_lora_weights=False, target_modules=names)
    )
    weights = peft.get_peft_model_state_dict(own)
    WanPipeline.save_lora_weights(tmp_path, transformer_lora_layers=weights)
    generator = make(running={"lora": str(tmp_path)})
    pi, z_t, sigma = generator.encode_text(captions), make().noise([0, 1]), torch.tensor([0.5, 0.9])
    with torch.no_grad():
        got, without = (one.velocity(z_t, sigma, pi) for one in (generator, make()))
        expected = own(z_t, 1000 * sigma, pi.embeddings, return_dict=False)[0]
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    assert (got - without).abs().max() > 0.01
    clip(generator, captions)
    assert "running.lora: low-rank weights for 2 steps slow what moves" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"running.lora: expected weights that are not quantised"):
        make(running={"lora": str(tmp_path), "quantisation": "torchao_int8"})


def test_noise_levels_lean_by_the_shift(make: Make, wan: Path) -> None:
    """Esser et al. (2024): s sigma / (1 + (s - 1) sigma); the pipeline's own is 1 here."""
    own, leaning = (torch.tensor(make(flow_shift=shift).sigmas(6)) for shift in (None, 3.0))
    torch.testing.assert_close(leaning, 3 * own / (1 + 2 * own), atol=1e-3, rtol=0)
    assert make(flow_shift=3.0).pipeline.scheduler.config.use_flow_sigmas
    with pytest.raises(UserError, match="guidance_2: expected a pipeline of two transformers"):
        make(guidance_2=3.0)


def test_a_scheduler_without_a_shift(make: Make, families: dict[str, Any], tmp_path: Path) -> None:
    families["cogvideox"].build().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="flow_shift: expected a scheduler of flow matching"):
        make(tmp_path, "cogvideox", flow_shift=3.0)


def test_an_unknown_key_is_named(make: Make) -> None:
    with pytest.raises(UserError, match=r"running.offload: expected .*model"):
        make(running={"offload": "disk"})
