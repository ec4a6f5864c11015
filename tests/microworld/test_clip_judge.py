"""The clip judge as a model: unit vectors, padding without effect, saved and loaded unchanged; and
what its training contrasts.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from microworld.attributes import WORDS, draw_attributes
from microworld.clip_judge import ClipJudge
from microworld.language import caption
from microworld.renderer import FRAMES
from microworld.training.clip_judge import contrastive_loss, near_misses, train_clip_judge
from transporter.support.errors import UserError
from transporter.training.schedule import Schedule

VAE = Path(__file__).parents[2] / "models" / "vae"


@pytest.fixture(scope="module")
def clip_judge() -> ClipJudge:
    torch.manual_seed(0)
    return ClipJudge().eval()


@pytest.fixture(scope="module")
def video() -> torch.Tensor:
    return torch.rand(3, FRAMES, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_embeddings_are_unit_vectors_and_scores_their_cosines(
    clip_judge: ClipJudge, video: torch.Tensor
) -> None:
    captions = [
        "a red circle moves left on sand",
        "a circle spins on snow",
        "a large blue square bounces on grass",
    ]
    of_video, of_text = clip_judge.embed_video(video), clip_judge.embed_text(captions)
    torch.testing.assert_close(of_video.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(of_text.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(
        clip_judge.score(video, captions), 100 * F.cosine_similarity(of_video, of_text)
    )


@torch.no_grad()
def test_a_longer_neighbour_changes_no_caption(clip_judge: ClipJudge) -> None:
    short, long = (
        "a circle spins on snow",
        "a large blue square moves slowly left on grass during the night",
    )
    torch.testing.assert_close(
        clip_judge.embed_text([short, long])[0],
        clip_judge.embed_text([short])[0],
        atol=1e-5,
        rtol=1e-5,
    )


@torch.no_grad()
def test_saved_and_loaded(clip_judge: ClipJudge, video: torch.Tensor, tmp_path: Path) -> None:
    clip_judge.save_pretrained(tmp_path)
    loaded = ClipJudge.from_pretrained(tmp_path).eval()
    assert torch.equal(loaded.embed_video(video), clip_judge.embed_video(video))


def test_another_size_is_refused(clip_judge: ClipJudge) -> None:
    with pytest.raises(
        UserError,
        match=r"expected clips of shape \(B, \*\(17, 3, 64, 64\)\), got \(1, 5, 3, 64, 64\)",
    ):
        clip_judge.features(torch.zeros(1, 5, 3, 64, 64))


def test_near_misses_differ_in_one_attribute_and_never_fit() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        attributes = draw_attributes(rng)
        true = caption(attributes.words()).split()
        for name, miss in zip(WORDS, near_misses(attributes, rng), strict=True):
            words = [word for word in miss.split() if word in WORDS[name]]
            assert len(words) == 1
            assert attributes.probabilities(name)[WORDS[name].index(words[0])] <= 0.5
            assert attributes.word(name) != words[0]
            others = {word for other in WORDS if other != name for word in WORDS[other]}
            assert [word for word in miss.split() if word in others] == [
                word for word in true if word in others
            ]


def test_loss_equals_the_definition_and_misses_only_add() -> None:
    generator = torch.Generator().manual_seed(0)
    video, text = (F.normalize(torch.randn(4, 8, generator=generator), dim=-1) for _ in range(2))
    misses, scale = (
        F.normalize(torch.randn(4, 3, 8, generator=generator), dim=-1),
        torch.tensor(10.0),
    )
    plain = contrastive_loss(video, text, misses[:, :0], scale)
    logits = scale * video @ text.T
    expected = (
        -(logits.log_softmax(1).diagonal().mean() + logits.log_softmax(0).diagonal().mean()) / 2
    )
    torch.testing.assert_close(plain, expected)
    assert contrastive_loss(video, text, misses, scale) > plain


def test_training_runs_and_resumes_with_its_own_vae_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("microworld.training.clip_judge.VAE_FROM", 2.0)
    schedule = Schedule(steps=2, log_every=1, save_every=1)
    trained, summary = train_clip_judge(tmp_path, schedule, VAE, batch=4)
    again, _ = train_clip_judge(tmp_path, schedule, VAE, batch=4)
    assert summary.steps == 2
    assert all(
        torch.equal(a, b) for a, b in zip(trained.parameters(), again.parameters(), strict=True)
    )
    assert "starting afresh" not in capsys.readouterr().out
    other = shutil.copytree(VAE, tmp_path / "vae")
    (other / "diffusion_pytorch_model.safetensors").write_bytes(b"other weights")
    train_clip_judge(tmp_path, schedule, other, batch=4)
    assert "starting afresh" in capsys.readouterr().out
