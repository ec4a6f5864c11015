"""CLIP^v and Delta against transformers' own similarity and the judge's; LAION's heads on
embeddings of rated images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from torchvision.transforms.functional import to_pil_image
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
)

from microworld.clip_judge import ClipJudge
from transporter.metrics.alignment import (
    AestheticScore,
    Alignment,
    HubCLIP,
    aesthetic_scores,
    load_head,
)
from transporter.support.errors import Unavailable, UserError

SIZE = 32
CAPTIONS = ["a red circle moves left", "snow", "it spins quickly on the sand"]
SMALL = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "projection_dim": 8,
}


def tokenizer() -> PreTrainedTokenizerFast:
    letters = {
        letter: index
        for index, letter in enumerate(
            ["<bos>", "<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
        )
    }
    bytewise = Tokenizer(models.BPE(vocab=letters, merges=[]))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 0), ("<eos>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bytewise, bos_token="<bos>", eos_token="<eos>", pad_token="<eos>"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained CLIP."""
    torch.manual_seed(0)
    words = tokenizer()
    text = SMALL | {
        "vocab_size": len(words),
        "max_position_embeddings": 40,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
    vision = SMALL | {"image_size": SIZE, "patch_size": 8}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    for parameter in model.parameters():  # CLIP's own beginning is too even to tell captions apart
        nn.init.normal_(parameter, std=0.3) if parameter.ndim > 1 else None
    path = tmp_path_factory.mktemp("clip")
    model.save_pretrained(path)
    size = {"size": {"shortest_edge": SIZE}, "crop_size": {"height": SIZE, "width": SIZE}}
    CLIPProcessor(image_processor=CLIPImageProcessor(**size), tokenizer=words).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def clip(folder: Path) -> HubCLIP:
    return HubCLIP(str(folder))


def alignment(
    model: HubCLIP | ClipJudge,
    video: torch.Tensor,
    source: torch.Tensor,
    captions: list[str],
    batch: int = 100,
) -> dict:
    metric = Alignment(model, "tiny")
    for start in range(0, len(video), batch):
        rows = slice(start, start + batch)
        metric.update(video[rows], source[rows], captions[rows])
    return metric.compute()


@torch.no_grad()
def test_clip_score_is_the_mean_over_frames_of_transformers_own(clip: HubCLIP, clips) -> None:
    video = (clips(3, frames=2, size=SIZE) * 255).round() / 255
    expected = []
    for frames, caption in zip(video, CAPTIONS, strict=True):
        inputs = clip.processor(
            text=[caption], images=[to_pil_image(frame) for frame in frames], return_tensors="pt"
        )
        expected += (
            (100 * clip.model(**inputs).logits_per_image / clip.model.logit_scale.exp())
            .flatten()
            .tolist()
        )
    assert np.std(expected) > 1
    assert alignment(clip, video, video, CAPTIONS)["clip"] == pytest.approx(
        np.mean(expected), abs=1e-3
    )


def test_judge_gives_its_own_score(judge: ClipJudge, clips) -> None:
    video = clips(3)
    assert alignment(judge, video, video, CAPTIONS)["clip"] == pytest.approx(
        float(judge.score(video, CAPTIONS).mean()), abs=1e-4
    )


@pytest.mark.parametrize("model", ["clip", "judge"])
def test_delta_is_a_difference_and_order_and_batches_do_not_matter(
    model: str, clips, request: pytest.FixtureRequest
) -> None:
    model, size = request.getfixturevalue(model), SIZE if model == "clip" else 64
    video, source = clips(3, size=size), clips(3, size=size, seed=1)
    first = alignment(model, video, source, CAPTIONS)
    assert alignment(model, video, video, CAPTIONS)["delta"] == 0
    assert alignment(model, source, video, CAPTIONS)["delta"] == pytest.approx(
        -first["delta"], abs=1e-4
    )
    assert first["delta"] == pytest.approx(
        first["clip"] - alignment(model, source, source, CAPTIONS)["clip"], abs=1e-4
    )
    assert alignment(model, video, source, CAPTIONS, batch=2) == pytest.approx(first, abs=1e-4)
    assert alignment(model, video.flip(0), source.flip(0), CAPTIONS[::-1]) == pytest.approx(
        first, abs=1e-4
    )


def test_long_captions_are_cut(clip: HubCLIP) -> None:
    with torch.no_grad():
        torch.testing.assert_close(clip.embed_text(["x" * 1000]).norm(dim=-1), torch.ones(1))


def test_gradients_reach_the_video(clip: HubCLIP, clips) -> None:
    video = clips(1, frames=2, size=SIZE).requires_grad_()
    (clip.embed_video(video) * clip.embed_text(["snow"])).sum().backward()
    assert (video.grad.flatten(2).abs().sum(-1) > 0).all()


def test_counts_must_match(judge: ClipJudge, clips) -> None:
    with pytest.raises(
        UserError, match="expected equally many, got 2 clips, 2 origins, 1 captions"
    ):
        Alignment(judge, "judge").update(clips(2), clips(2), ["one"])


def test_a_clip_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"CLIP: .*missing \(main\) could not be loaded"):
        HubCLIP(str(tmp_path / "missing"))


@pytest.mark.parametrize("family", ["vit_b_32", "vit_l_14"])
def test_aesthetic_scores_rise_with_the_rating(reference: Path, family: str) -> None:
    head = load_head(reference / "aesthetic" / f"sa_0_4_{family}_linear.pth")
    folder = reference / "aesthetic" / f"{family}_embeddings"
    embeddings = [
        torch.from_numpy(np.load(folder / f"rating{rating}.npy", allow_pickle=False))
        for rating in range(10)
    ]
    scores = torch.stack([aesthetic_scores(head, some).mean() for some in embeddings])
    assert (scores.diff() > 0).all()
    torch.testing.assert_close(
        aesthetic_scores(head, 3 * embeddings[4]), aesthetic_scores(head, embeddings[4])
    )


def write_head(path: Path, width: int) -> Path:
    save_file({"weight": torch.arange(float(width))[None], "bias": torch.tensor([0.5])}, path)
    return path


def test_aesthetic_score_of_clips(clip: HubCLIP, clips, tmp_path: Path) -> None:
    head, video = write_head(tmp_path / "head.safetensors", 8), clips(3, frames=2, size=SIZE)
    metric = AestheticScore(clip, head, "tiny")
    metric.update(video[:2])
    metric.update(video[2:])
    with torch.no_grad():
        expected = (clip.embed_frames(video) @ torch.arange(8.0) + 0.5).mean()
    assert metric.compute() == {"aesthetic": pytest.approx(float(expected), abs=1e-5)}
    assert float(metric.per_clip()["aesthetic"].mean()) == pytest.approx(float(expected), abs=1e-5)
    assert metric.protocol() == {"model": "tiny"}


def test_no_clip_or_no_head(clip: HubCLIP, tmp_path: Path) -> None:
    for model, head in ((None, tmp_path / "head.pth"), (clip, None), (clip, tmp_path / "head.pth")):
        with pytest.raises(Unavailable, match=r"aesthetic score: "):
            AestheticScore(model, head, "tiny")


def test_a_head_of_another_clip(clip: HubCLIP, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a head for 8 features, got one for 512"):
        AestheticScore(clip, write_head(tmp_path / "head.safetensors", 512), "tiny")


def test_a_head_that_is_none(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2, 8)}, tmp_path / "head.pth")
    with pytest.raises(
        UserError, match=r"head\.pth: expected weight \(1, e\) and bias \(1,\), got"
    ):
        load_head(tmp_path / "head.pth")
