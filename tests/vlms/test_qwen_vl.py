"""The Qwen2-VL adapter against the family's own processor and forward pass, on an untrained model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from transporter.microworld.training.vlm_model import build_processor, build_vlm
from transporter.vlms.qwen_vl import QwenVL

SHAPE = (17, 3, 64, 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vlm")
    build_vlm().save_pretrained(path)
    build_processor().save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def vlm(folder: Path) -> QwenVL:
    return QwenVL(str(folder), SHAPE, describe="describe the video :")


@pytest.fixture(scope="module")
def video() -> torch.Tensor:
    return torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0))


def test_tokens_have_the_declared_shape(vlm: QwenVL, video: torch.Tensor) -> None:
    assert vlm.encode(video).shape == (2, *vlm.tokens_shape) == (2, 32, 128)


def test_logits_equal_those_of_the_processor_and_the_whole_model(vlm: QwenVL, video: torch.Tensor) -> None:
    prompt = "how fast does it move ?"
    content = [{"type": "video"}, {"type": "text", "text": prompt}]
    text = vlm.processor.apply_chat_template([{"role": "user", "content": content}], tokenize=False)
    inputs = vlm.processor(text=[text] * 2, videos=list((video * 255).round()), add_special_tokens=False, return_tensors="pt")
    with torch.no_grad():
        expected = vlm.model(**inputs).logits[:, -1]
        got = vlm.logits(vlm.encode((video * 255).round() / 255), prompt)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_gradients_reach_video_and_tokens(vlm: QwenVL, video: torch.Tensor) -> None:
    video = video.clone().requires_grad_()
    tokens = vlm.encode(video)
    tokens.retain_grad()
    vlm.log_probs(tokens, "what time is it ?", ["day"]).sum().backward()
    assert tokens.grad.abs().sum() > 0
    assert video.grad.abs().sum() > 0
    assert all(p.grad is None for p in vlm.model.parameters())


def test_log_probs_of_several_tokens_multiply(vlm: QwenVL, video: torch.Tensor) -> None:
    with torch.no_grad():
        tokens = vlm.encode(video)
        both = vlm.log_probs(tokens, "what is the ground ?", ["grass night", "snow"])
        first = vlm.log_probs(tokens, "what is the ground ?", ["grass"])[:, 0]
        second = vlm.log_probs(tokens, "what is the ground ? grass", ["night"])[:, 0]
        single = vlm.log_probs(tokens, "what is the ground ?", ["snow"])[:, 0]
    torch.testing.assert_close(both[:, 0], first + second)
    torch.testing.assert_close(both[:, 1], single)


def test_caption_is_the_greedy_continuation(vlm: QwenVL, video: torch.Tensor) -> None:
    tokens = vlm.encode(video)
    captions = vlm.caption(tokens, max_tokens=3)
    word = vlm.processor.tokenizer.decode(vlm.logits(tokens, vlm.describe).argmax(-1)[:1], skip_special_tokens=True)
    assert len(captions) == 2
    assert captions[0].startswith(word)


def test_an_empty_continuation_is_refused(vlm: QwenVL, video: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        vlm.log_probs(vlm.encode(video), "what time is it ?", [""])
