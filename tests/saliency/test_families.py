"""What every family's maps must keep to."""

from __future__ import annotations

import gc

import pytest
import torch

from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.generators.modulation import Modulation
from transporter.saliency.locating import located, on_grid, renoised
from transporter.saliency.settings import MapSettings, ReadingSettings, preset
from transporter.saliency.words import Words
from transporter.support.errors import UserError

SETTINGS = [MapSettings(), preset("gramcol"), preset("imap_released", top_k=1)]
SMOOTH = [MapSettings(), preset("cross_attention")]
"""Without Gram columns: where two tokens match a word alike, rounding chooses between them."""
STEPS, SEEDS = 2, [0, 1]


def _sampled(
    generator: DiffusersGenerator, captions: list[str], guidance: float = 3.0
) -> torch.Tensor:
    return generator.sample(generator.encode_text(captions), SEEDS, STEPS, guidance)


def _z_t(generator: DiffusersGenerator) -> torch.Tensor:
    return torch.randn(2, *generator.latent_shape, generator=torch.Generator().manual_seed(3))


def _hooks(generator: DiffusersGenerator) -> int:
    modules = [module for _, network in generator.transformers() for module in network.modules()]
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)


def test_videos_are_the_same_bit_for_bit(
    generator: DiffusersGenerator, captions: list[str], words: Words
) -> None:
    plain = _sampled(generator, captions)
    with located(generator, words, SETTINGS, STEPS) as tallies:
        watched = _sampled(generator, captions)
    assert torch.equal(watched, plain)
    for tally in tallies:
        found = on_grid(generator, tally)
        assert found.shape == (2, 2, *generator.block_grid)
        assert found.isfinite().all()
        assert found.std() > 0
        assert tally.passed == STEPS
    assert not _hooks(generator)


def test_only_the_conditional_pass_is_read(
    name: str, generator: DiffusersGenerator, captions: list[str], words: Words
) -> None:
    if name == "hunyuan_video":
        pytest.skip("its guidance is no second pass")
    pi, found = generator.encode_text(captions), []
    for guidance in (1.0, 5.0):
        with located(generator, words, SMOOTH) as tallies:
            generator.sample(pi, SEEDS, 1, guidance)
        found.append(torch.stack([on_grid(generator, tally) for tally in tallies]))
    assert torch.allclose(*found, atol=1e-4)


def test_an_exception_restores(
    generator: DiffusersGenerator, captions: list[str], words: Words
) -> None:
    with pytest.raises(RuntimeError, match="on purpose"), located(generator, words, SETTINGS):
        raise RuntimeError("on purpose")
    assert not _hooks(generator)
    with located(generator, words, SETTINGS, STEPS) as [tally, *_]:
        _sampled(generator, captions)
    assert tally.mean() is not None


def test_a_second_entry_is_refused(generator: DiffusersGenerator, words: Words) -> None:
    with located(generator, words, SETTINGS):
        before = _hooks(generator)
        second = located(generator, words, SETTINGS)
        with pytest.raises(UserError, match="nobody reads maps from") as error, second:
            pass
        assert "\n" not in str(error.value)
        assert _hooks(generator) == before


def test_a_map_does_not_change_with_other_words(
    generator: DiffusersGenerator, captions: list[str], words: Words
) -> None:
    z_xi = _z_t(generator)
    settings = [MapSettings(), preset("gramcol"), preset("cross_attention")]
    more = Words.of(generator, captions, [["circle", "day", "left"], ["square", "sand", "red"]])
    few, many = (
        torch.stack(renoised(generator, z_xi, captions, some, settings, ReadingSettings()))
        for some in (words, more)
    )
    assert torch.allclose(few, many[:, :, :2], atol=1e-4)
    assert not torch.allclose(many[:, :, 1], many[:, :, 2], atol=1e-2)


def test_a_clips_map_does_not_depend_on_its_batch(
    generator: DiffusersGenerator, captions: list[str], words: Words
) -> None:
    z_xi = _z_t(generator)
    together = renoised(generator, z_xi, captions, words, SMOOTH, ReadingSettings())
    alone = Words.of(generator, captions[1:], [["square", "sand"]])
    single = renoised(generator, z_xi[1:], captions[1:], alone, SMOOTH, ReadingSettings())
    for whole, one in zip(together, single, strict=True):
        assert torch.allclose(whole[1:], one, atol=1e-4)


def _live() -> int:
    """Numbers in tensors that were made since `gc.freeze`."""
    gc.collect()
    made = [item for item in gc.get_objects() if type(item) is torch.Tensor]
    return sum(item.numel() for item in made)


def test_memory_does_not_grow_with_layers_or_steps(
    generator: DiffusersGenerator, captions: list[str], words: Words
) -> None:
    z_t, sigma = _z_t(generator), torch.full((2,), 0.5)
    pi, held = generator.encode_text(captions), {}
    for layers in ((0,), (0, 1)):
        for passes in (1, 4):
            with located(generator, words, [MapSettings(layers=layers)], passes) as tallies:
                gc.freeze()
                for _ in range(passes):
                    with torch.no_grad():
                        generator.velocity(z_t, sigma, pi)
                held[layers, passes] = _live()
                gc.unfreeze()
            del tallies
    assert len(set(held.values())) == 1
    assert min(held.values()) > 0


def test_layers_and_steps_that_count(
    generator: DiffusersGenerator, captions: list[str], words: Words
) -> None:
    parts = [MapSettings(layers=(layer,)) for layer in (0, -1)]
    halves = [MapSettings(steps=steps) for steps in ((0, 0.5), (0.5, 1))]
    with located(generator, words, [MapSettings(), *parts, *halves], STEPS) as tallies:
        _sampled(generator, captions)
    whole, *others = (tally.mean() for tally in tallies)
    for pair in (others[:2], others[2:]):
        assert torch.allclose(whole, sum(pair) / 2, atol=1e-4)
        assert not torch.allclose(*pair, atol=1e-2)


def test_a_batch_that_grows_has_a_map_for_each_row(
    generator: DiffusersGenerator, captions: list[str], words: Words
) -> None:
    pi = generator.encode_text(captions)
    delta = 0.0 * pi.along(torch.ones(pi.embeddings.shape[1:])).repeat_interleave(3)
    with located(generator, words, [MapSettings()], STEPS) as [tally]:
        generator.sample(pi, SEEDS, STEPS, 1.0, Modulation(delta, steps=(0.5, 1.0)))
    found = on_grid(generator, tally)
    assert found.shape[0] == 6
    assert torch.allclose(found[0], found[2], atol=1e-4)
    assert not torch.allclose(found[0], found[3], atol=1e-2)


def test_captions_that_say_nothing_have_no_map(generator: DiffusersGenerator, words: Words) -> None:
    with located(generator, words, [MapSettings()], STEPS) as [tally]:
        _sampled(generator, ["", ""])
    with pytest.raises(UserError, match="passes of the generator with a caption"):
        on_grid(generator, tally)


def test_words_are_refused_in_one_line(generator: DiffusersGenerator, captions: list[str]) -> None:
    for words, message in (
        ([["circle"], []], "as many for each of 2 clips"),
        ([["zebra"], ["circle"]], "that the generator knows, got 'zebra'"),
    ):
        with pytest.raises(UserError, match=message) as error:
            Words.of(generator, captions, words)
        assert "\n" not in str(error.value)
