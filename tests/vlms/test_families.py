"""Every adapter against its family's own processor, forward pass and `generate`, on untrained
models.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch

from transporter.networks.live_memory import LiveMemory
from transporter.pipeline.loading import load_vlm
from transporter.support.errors import UserError
from transporter.vlms.gemma3 import Gemma3
from transporter.vlms.transformers_vlm import TransformersVLM

PROMPT = "how fast does it move ?"


def whole_inputs(
    family: Any, vlm: TransformersVLM, video: torch.Tensor, prompt: str, answer: str = ""
) -> dict[str, torch.Tensor]:
    """What the family's processor makes of template and clips, the answer begun."""
    clips = (video * 255).round()
    if family.frames is None:
        media, count, clips = "video", 1, {"videos": list(clips)}
    else:
        media, count, clips = (
            "image",
            len(family.frames),
            {"images": [[clip[i] for i in family.frames] for clip in clips]},
        )
    content = [{"type": media}] * count + [{"type": "text", "text": prompt}]
    if family.written is not None:
        content = family.written * count + prompt
    speaker = vlm.processor if vlm.processor.chat_template else vlm.processor.tokenizer
    text = speaker.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    settings = {
        key: value * len(video) if isinstance(value, list) else value
        for key, value in family.settings.items()
    }
    inputs = vlm.processor(
        text=[text + answer] * len(video),
        **clips,
        **settings,
        add_special_tokens=False,
        return_tensors="pt",
    )
    return {key: value for key, value in inputs.items() if isinstance(value, torch.Tensor)}


def test_tokens_have_the_declared_shape(
    family: Any, vlm: TransformersVLM, video: torch.Tensor
) -> None:
    tokens = vlm.encode(video)
    assert tokens.shape == (2, *vlm.tokens_shape) == (2, *family.tokens)
    assert tokens.dtype == torch.float32


def test_tokens_go_step_by_step_in_time(
    family: Any, vlm: TransformersVLM, video: torch.Tensor
) -> None:
    """All families encode steps in time apart from each other: another first frame changes the
    first step's tokens alone.
    """
    changed = video.clone()
    changed[:, family.frames[0] if family.frames else 0].mul_(0.5)
    with torch.no_grad():
        moved = (
            (vlm.encode(changed) - vlm.encode(video))
            .abs()
            .unflatten(1, (vlm.time_steps, -1))
            .amax((0, 2, 3))
        )
    assert vlm.time_steps > 1
    assert moved[0] > 1e-3
    assert moved[1:].max() < 1e-5


def test_logits_equal_those_of_the_processor_and_the_whole_model(
    family: Any, vlm: TransformersVLM, video: torch.Tensor
) -> None:
    with torch.no_grad():
        expected = vlm.model(**whole_inputs(family, vlm, video, PROMPT)).logits[:, -1]
        got = vlm.logits(vlm.encode(video), PROMPT)
    assert (expected[0] - expected[1]).abs().max() > 0.01, (
        "the clip must matter for this to tell anything"
    )
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_a_clip_alone_is_read_as_in_a_batch(vlm: TransformersVLM, video: torch.Tensor) -> None:
    with torch.no_grad():
        tokens = vlm.encode(video)
        alone = torch.cat([vlm.encode(clip[None]) for clip in video])
        torch.testing.assert_close(tokens, alone, atol=1e-5, rtol=1e-4)
        each = torch.cat([vlm.logits(clip[None], PROMPT) for clip in tokens])
        torch.testing.assert_close(vlm.logits(tokens, PROMPT), each, atol=1e-4, rtol=1e-4)


def test_gradients_reach_video_and_tokens(
    family: Any, vlm: TransformersVLM, video: torch.Tensor
) -> None:
    video = video.clone().requires_grad_()
    tokens = vlm.encode(video)
    tokens.retain_grad()
    vlm.log_probs(tokens, PROMPT, [family.answers[1]]).sum().backward()
    assert (tokens.grad.abs().sum((1, 2)) > 0).all()
    shown = video.grad if family.frames is None else video.grad[:, list(family.frames)]
    assert shown.abs().sum() > 0
    assert shown.isfinite().all()
    assert all(p.grad is None and not p.requires_grad for p in vlm.model.parameters())


def test_log_probs_of_several_tokens_multiply(
    family: Any, vlm: TransformersVLM, video: torch.Tensor
) -> None:
    """Against the whole model that reads the answer after the prompt."""
    several, single = family.answers
    ids = vlm.processor.tokenizer(several, add_special_tokens=False).input_ids
    assert len(ids) > 1
    with torch.no_grad():
        both = vlm.log_probs(vlm.encode(video), PROMPT, [several, single])
        alone = vlm.log_probs(vlm.encode(video), PROMPT, [single])
        begun = vlm.model(**whole_inputs(family, vlm, video, PROMPT, family.gap + several)).logits
    steps = begun[:, -len(ids) - 1 : -1].log_softmax(-1)
    expected = sum(steps[:, step, token] for step, token in enumerate(ids))
    torch.testing.assert_close(both[:, 0], expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(both[:, 1:], alone, atol=1e-4, rtol=1e-4)


def test_caption_is_the_greedy_continuation(
    family: Any, vlm: TransformersVLM, video: torch.Tensor
) -> None:
    inputs = whole_inputs(family, vlm, video, vlm.describe)
    start = inputs["input_ids"].shape[1]
    silent = [vlm.visual_token]
    answer = vlm.model.generate(
        **inputs, max_new_tokens=3, do_sample=False, suppress_tokens=silent
    )[:, start:]
    expected = [
        text.strip()
        for text in vlm.processor.tokenizer.batch_decode(answer, skip_special_tokens=True)
    ]
    assert vlm.caption(vlm.encode(video), max_tokens=3) == expected
    assert any(expected)


def test_an_answer_ends_where_a_turn_ends(
    vlm: TransformersVLM, video: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = vlm.encode(video[:1])
    logits = vlm.logits(tokens, vlm.describe)[0]
    logits[vlm.visual_token] = -torch.inf
    first = int(logits.argmax())
    monkeypatch.setattr(vlm.model.generation_config, "eos_token_id", [first])
    word = vlm.processor.tokenizer.decode([first], skip_special_tokens=True).strip()
    assert vlm.caption(tokens, max_tokens=3) == [word]


def test_an_empty_continuation_is_refused(vlm: TransformersVLM, video: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        vlm.log_probs(vlm.encode(video), PROMPT, [""])


@pytest.mark.parametrize("frames", [0, 7])
def test_more_frames_than_the_clip_has_are_refused(frames: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 6 frames"):
        Gemma3("nowhere", (6, 3, 40, 96), frames=frames)


def test_a_setting_that_an_adapter_does_not_know_is_refused() -> None:
    with pytest.raises(UserError, match="key lora: the adapter qwen_vl has no such setting"):
        load_vlm(
            {"adapter": "qwen_vl", "path": "nowhere", "fps": None, "lora": "x"}, (6, 3, 40, 96)
        )


def test_layers_that_are_computed_again_change_no_gradient(
    vlm: TransformersVLM, video: torch.Tensor
) -> None:
    gradients = []
    for inside in (nullcontext(), vlm.recomputing()):
        pixels = video.clone().requires_grad_()
        with inside, LiveMemory() as memory:
            loss = vlm.logits(vlm.encode(pixels), PROMPT).square().mean()
            waiting = memory.live
            loss.backward()
        gradients.append((pixels.grad, waiting))
    (kept, most), (made, fewer) = gradients
    assert kept.abs().max() > 0
    torch.testing.assert_close(made, kept)
    assert fewer < most
    assert not any(module.training for module in vlm.model.modules())
