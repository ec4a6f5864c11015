"""What every family's reader takes out of a pass, against the family's own code."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.saliency.gram import Heads, Texts
from transporter.saliency.locating import located
from transporter.saliency.settings import MapSettings, preset
from transporter.saliency.tally import Tally
from transporter.saliency.words import Words


def _z_t(generator: DiffusersGenerator) -> torch.Tensor:
    return torch.randn(2, *generator.latent_shape, generator=torch.Generator().manual_seed(3))


def _captured(
    generator: DiffusersGenerator,
    captions: list[str],
    words: Words,
    settings: MapSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[list[tuple[Heads, Texts]], list[list[dict[str, Any]]]]:
    """What the tally is told of each layer, and what each block was given."""
    told: list[tuple[Heads, Texts]] = []
    given: list[list[dict[str, Any]]] = []
    handles = []
    for layer in generator.blocks():
        place: list[dict[str, Any]] = []
        given.append(place)

        def keep(module: nn.Module, args: tuple, kwargs: dict, place: list = place) -> None:
            place.append({"args": args, "kwargs": kwargs})

        handles.append(layer.module.register_forward_pre_hook(keep, with_kwargs=True))
    with monkeypatch.context() as patch, torch.no_grad():
        patch.setattr(Tally, "add", lambda self, heads, texts: told.append((heads, texts)))
        with located(generator, words, [settings]):
            sigma = torch.full((2,), 0.5)
            generator.velocity(_z_t(generator), sigma, generator.encode_text(captions))
    for handle in handles:
        handle.remove()
    return told, given


def test_the_stream_of_words_is_what_the_block_does_to_a_text_of_one_row(
    name: str,
    generator: DiffusersGenerator,
    captions: list[str],
    words: Words,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each word alone as a block's whole text, with the image that the true text has made."""
    if name == "wan":
        pytest.skip("its words are no stream")
    told, given = _captured(generator, captions, words, preset("imap_released"), monkeypatch)
    network = generator.part("transformer")
    attention = "attn1" if name == "cogvideox" else "attn"
    for clip, word in ((0, 0), (0, 1), (1, 1)):
        row = _first_state(name, generator, words, clip, word)
        for layer, (_, texts) in enumerate(told):
            block = network.transformer_blocks[layer]
            kept: dict[str, torch.Tensor] = {}
            module = getattr(block, attention)
            key = module.norm_k if name == "cogvideox" else module.norm_added_k
            handle = key.register_forward_hook(lambda m, a, o, kept=kept: kept.update(k=o))
            image = _alone(name, given[layer][0], clip, row)
            with torch.no_grad():
                _, row = block(**image)
            handle.remove()
            k = kept["k"][0, :, 0] if name == "cogvideox" else kept["k"][0, 0]
            assert torch.allclose(texts.k[clip, :, word], k, atol=1e-4)
    assert len(told) == 2


def _first_state(
    name: str, generator: DiffusersGenerator, words: Words, clip: int, word: int
) -> torch.Tensor:
    """A word's state before the first block, `(1, 1, width)`."""
    network = generator.part("transformer")
    state = words.alone.embeddings[None, clip * words.count + word, :1]
    with torch.no_grad():
        if name == "cogvideox":
            return network.patch_embed.text_proj(state)
        time = torch.full((1,), 500.0)
        return network.context_embedder(state, time, torch.ones(1, 1))


def _alone(name: str, given: dict[str, Any], clip: int, row: torch.Tensor) -> dict[str, Any]:
    """A block's arguments for one clip and a text of one row."""
    names = ("hidden_states", "encoder_hidden_states", "temb", "attention_mask", "freqs_cis")
    known = dict(zip(names, given["args"], strict=False)) | given["kwargs"]
    one = {key: known[key][clip : clip + 1] for key in ("hidden_states", "temb")}
    rotary = "image_rotary_emb" if name == "cogvideox" else "freqs_cis"
    return {**one, "encoder_hidden_states": row, rotary: known.get(rotary)}


def test_the_words_of_wan_are_keys_of_its_prompt(
    name: str,
    generator: DiffusersGenerator,
    captions: list[str],
    words: Words,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if name != "wan":
        pytest.skip("its words are a stream")
    told, given = _captured(generator, captions, words, MapSettings(), monkeypatch)
    for (heads, texts), [block], layer in zip(told, given, generator.blocks(), strict=True):
        attention = layer.module.attn2
        with torch.no_grad():
            keys = attention.norm_k(attention.to_k(block["args"][1])).unflatten(2, (4, -1))
        place = captions[0].split().index("circle")
        assert torch.allclose(texts.k[0, :, 0], keys[0, place], atol=1e-5)
        assert torch.allclose(texts.other_k[:, :, :-1], keys.transpose(1, 2), atol=1e-5)
        # what the model attends with gives what it attends to
        made = torch.nn.functional.scaled_dot_product_attention(
            heads.q, texts.other_k[:, :, :-1], texts.other_v[:, :, :-1]
        )
        assert torch.allclose(made, heads.h, atol=1e-4)


def test_image_queries_and_outputs_are_those_that_attend(
    name: str,
    generator: DiffusersGenerator,
    captions: list[str],
    words: Words,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against what torch's own attention is called with."""
    if name == "wan":
        pytest.skip("see above")
    calls: list[tuple[torch.Tensor, torch.Tensor]] = []
    plain = torch.nn.functional.scaled_dot_product_attention

    def watched(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **more: Any) -> Any:
        output = plain(query, key, value, **more)
        if query.shape[2] == key.shape[2]:
            calls.append((query.clone(), output))
        return output

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", watched)
    told, _ = _captured(generator, captions, words, MapSettings(), monkeypatch)
    tokens = told[0][0].q.shape[2]
    image = slice(-tokens, None) if name == "cogvideox" else slice(0, tokens)
    joint = [call for call in calls if call[0].shape[2] == tokens + 16]
    assert len(joint) >= len(told) == 2
    for (heads, _), (query, output) in zip(told, joint, strict=False):
        assert torch.allclose(heads.q, query[:, :, image], atol=1e-5)
        assert torch.allclose(heads.h, output[:, :, image], atol=1e-5)
