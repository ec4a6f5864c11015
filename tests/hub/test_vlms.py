"""VLMs as the hub has them, in bfloat16 and with its processors, against their own forward pass."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_models import ADAPTERS, FPS, SHAPE
from transformers.video_utils import VideoMetadata

from transporter.support.errors import UserError
from transporter.vlms import transformers_vlm
from transporter.vlms.transformers_vlm import TransformersVLM

PROMPT = "how fast does it move?"
MakeVLM = Callable[..., TransformersVLM]
CLIP_OF_PAPER = (49, 3, 480, 832)


@pytest.fixture(scope="module", params=ADAPTERS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def vlm(name: str, make_vlm: MakeVLM) -> TransformersVLM:
    return make_vlm(name)


def whole(vlm: TransformersVLM, name: str, video: torch.Tensor, fps: float = FPS) -> dict[str, Any]:
    """What the family's own processor makes of template and clips."""
    frames = (video * 255).round()
    count = len(video[0])
    if name == "gemma3":
        media, clips = "image", {"images": [[clip[4]] for clip in frames]}
    else:
        times = [VideoMetadata(count, fps=fps, frames_indices=list(range(count))) for _ in video]
        media, clips = "video", {"videos": list(frames), "video_metadata": times}
    if name == "video_llama3":
        clips["use_token_compression"] = False
    content = [{"type": media}, {"type": "text", "text": PROMPT}]
    text = vlm.processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    inputs = vlm.processor(
        text=[text] * len(video), **clips, add_special_tokens=False, return_tensors="pt"
    )
    return {key: torch.as_tensor(inputs[key]) for key in inputs if key != "video_metadata"}


def test_logits_are_those_of_the_whole_model(
    name: str, make_vlm: MakeVLM, video: torch.Tensor
) -> None:
    vlm = make_vlm(name, dtype="float32")
    with torch.no_grad():
        expected = vlm.model(**whole(vlm, name, video)).logits[:, -1]
        got = vlm.logits(vlm.encode(video), PROMPT)
    assert (expected[0] - expected[1]).abs().max() > 0.05
    torch.testing.assert_close(got, expected, atol=1e-3, rtol=1e-4)


def test_the_last_layer_is_in_single_precision(vlm: TransformersVLM, video: torch.Tensor) -> None:
    """In bfloat16 logits would be rounded to steps of a quarter at 40."""
    head, seen = vlm.model.get_output_embeddings(), []
    hook = head.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    with torch.no_grad():
        got = vlm.logits(vlm.encode(video), PROMPT)
    hook.remove()
    assert got.dtype == torch.float32
    [last] = seen
    expected = last[:, -1].double() @ head.weight.double().T
    torch.testing.assert_close(got.double(), expected, atol=1e-4, rtol=1e-5)
    rounded = expected.to(torch.bfloat16).double()
    assert (got.double() - expected).abs().max() < 0.01 * (rounded - expected).abs().max()


def test_gradients_pass_the_last_layer(vlm: TransformersVLM, video: torch.Tensor) -> None:
    tokens = vlm.encode(video).detach().requires_grad_()
    vlm.log_probs(tokens, PROMPT, ["slowly"]).sum().backward()
    assert tokens.grad.abs().sum() > 0
    assert tokens.grad.isfinite().all()


def test_a_caption_is_as_long_as_it_is_asked_for(
    name: str, make_vlm: MakeVLM, vlm: TransformersVLM, video: torch.Tensor
) -> None:
    ends = vlm.ends.tolist()
    lengths = []
    tokens = vlm.encode(video[:1])
    for asked in (vlm, make_vlm(name, caption_tokens=5)):
        steps: list[int] = []
        count = asked.token_logits

        def counted(*args: Any, steps: list[int] = steps, count: Any = count) -> torch.Tensor:
            steps.append(1)
            logits = count(*args)
            logits[..., ends] = -torch.inf
            return logits

        asked.token_logits = counted
        asked.caption(tokens)
        del asked.token_logits
        lengths.append(len(steps))
    assert lengths == [32, 5]


@pytest.mark.parametrize(
    ("name", "keys", "tokens"),
    [
        # 25 steps of 17 x 30 tokens
        ("qwen2_vl", {}, 12750),
        ("qwen2_vl", {"frames": 16, "max_pixels": 100352}, 8 * 8 * 14),
        ("qwen2_5_vl", {"frames": 16, "max_pixels": 100352}, 8 * 8 * 14),
        # one frame a second, and no more than its processor allows of all together
        ("video_llama3", {"frames": 16, "max_pixels": 100352}, 16 * 8 * 14),
        ("video_llama3", {"max_pixels": 100352}, 4 * 8 * 14),
    ],
)
def test_frames_and_pixels_of_a_large_clip(
    name: str, keys: dict[str, int], tokens: int, make_vlm: MakeVLM
) -> None:
    vlm = make_vlm(name, CLIP_OF_PAPER, fps=16, **keys)
    assert vlm.tokens_shape == (tokens, 64)


def test_chosen_frames_are_those_that_are_encoded(make_vlm: MakeVLM, video: torch.Tensor) -> None:
    """Of 9 frames the middles of 3 parts, with the times that they are at."""
    vlm = make_vlm("video_llama3", frames=3, max_pixels=3136)
    changed = video.clone()
    changed[:, [0, 2, 3, 5, 6, 8]] = 0
    with torch.no_grad():
        assert torch.equal(vlm.encode(changed), vlm.encode(video))
    text = vlm.processor.tokenizer.decode(vlm.prompt_ids(PROMPT))
    assert [time in text for time in ("Time 0.1s:", "Time 0.5s:", "Time 0.9s:")] == [True] * 3
    assert vlm.time_steps == 3


def test_qwen2_5_knows_how_long_a_step_lasts(make_vlm: MakeVLM, video: torch.Tensor) -> None:
    slow, fast = (make_vlm("qwen2_5_vl", fps=fps, dtype="float32") for fps in (1.0, 8.0))
    tokens = slow.encode(video)
    with torch.no_grad():
        answers = [vlm.logits(tokens, PROMPT) for vlm in (slow, fast)]
        for vlm, fps, got in ((slow, 1.0, answers[0]), (fast, 8.0, answers[1])):
            expected = vlm.model(**whole(vlm, "qwen2_5_vl", video, fps)).logits[:, -1]
            torch.testing.assert_close(got, expected, atol=1e-3, rtol=1e-4)
    assert (answers[0] - answers[1]).abs().max() > 0.05


def test_clips_of_the_embedded_size_are_shown_whole(make_vlm: MakeVLM) -> None:
    assert make_vlm("qwen2_vl", SHAPE).time_steps == 5


def test_names_of_old_tensors_are_understood(hub: Path, vlm: TransformersVLM) -> None:
    """As published they are not the names that the library gives them now; none is left random."""
    assert len(list(Path(hub).glob("*/*.safetensors"))) > 4
    assert all(weight.isfinite().all() for weight in vlm.model.parameters())


def test_what_the_library_lays_out_is_the_same_model(
    make_vlm: MakeVLM, video: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a map of devices, or with other kernels of attention."""
    load, asked = transformers_vlm.load_network, []

    def noted(*arguments: Any, **options: Any) -> Any:
        asked.append(options)
        return load(*arguments, **options)

    monkeypatch.setattr(transformers_vlm, "load_network", noted)
    settings = (None, {"device_map": "auto"}, {"attention": "eager"})
    models = [make_vlm("qwen2_5_vl", dtype="float32", running=running) for running in settings]
    assert [one.get("device_map") for one in asked] == [None, "auto", None]
    kernels = [vlm.model.config._attn_implementation for vlm in models]
    assert kernels == ["sdpa", "sdpa", "eager"]
    with torch.no_grad():
        plain, laid_out, eager = (vlm.logits(vlm.encode(video), PROMPT) for vlm in models)
    assert torch.equal(plain, laid_out)
    torch.testing.assert_close(eager, plain, atol=1e-3, rtol=1e-4)


def test_a_package_that_quantises_is_asked_for(make_vlm: MakeVLM) -> None:
    if importlib.util.find_spec("torchao"):
        pytest.skip("torchao is there")
    with pytest.raises(UserError, match=r"^running.quantisation: expected what gives torchao_int8"):
        make_vlm("qwen2_5_vl", running={"quantisation": "torchao_int8"})
