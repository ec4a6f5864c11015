"""What teaches the VLMs: batches that show what a family's own processor looks at, and a training that resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from transporter.microworld.attributes import WORDS
from transporter.microworld.language import PAD
from transporter.microworld.renderer import FRAMES, SIZE
from transporter.microworld.training import vlm as training
from transporter.microworld.training.clips import Clips
from transporter.microworld.training.families import FAMILIES, IDS, load_family, shown_frames, untrained
from transporter.vlms.transformers_vlm import TransformersVLM

SMK = Path(__file__).parents[3] / "workflow" / "rules" / "models.smk"


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def vlm(family: str) -> TransformersVLM:
    return untrained(family, seed=0)


@pytest.fixture(scope="module")
def lesson(vlm: TransformersVLM, tmp_path_factory: pytest.TempPathFactory) -> training._Lesson:
    return training._Lesson(vlm, tmp_path_factory.mktemp("no VAE is needed"), batch=2)


def test_the_rule_trains_every_family() -> None:
    assert f"FAMILIES = {list(FAMILIES)}".replace("'", '"') in SMK.read_text()


def test_tokens_depend_on_the_shown_frames_alone(vlm: TransformersVLM) -> None:
    frames = shown_frames(vlm)
    others = np.setdiff1d(np.arange(FRAMES), frames)
    assert len(others) > 0
    video = torch.rand(1, FRAMES, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    hidden = video.clone()
    hidden[:, others] = 0
    with torch.no_grad():
        tokens = vlm.encode(video)
        torch.testing.assert_close(vlm.encode(hidden), tokens)
        for step in frames:
            changed = video.clone()
            changed[:, step] = 0
            moved = (vlm.encode(changed) - tokens).abs().sum(-1).view(len(frames), -1).sum(1) > 1e-4
            # the tokens of this step, and of no other
            assert moved.tolist() == [bool((other == step).all()) for other in frames]


def test_training_shows_rendered_clips_where_the_vlm_looks(lesson: training._Lesson, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "augment", lambda video, generator: video)
    batch = lesson.world.draw(2, 0, np.random.default_rng(3), torch.Generator().manual_seed(0))
    clips = Clips.draw(2, np.random.default_rng(3))
    assert batch.clips.attributes == clips.attributes
    with torch.no_grad():
        torch.testing.assert_close(lesson.vlm.encode(batch.video), lesson.vlm.encode(clips.video()))
    assert batch.shapes.shape == (2, lesson.vlm.tokens_shape[0])


def test_a_token_is_told_the_shape_where_and_when_the_sprite_is(lesson: training._Lesson) -> None:
    clips = Clips.draw(3, np.random.default_rng(0))
    side, (steps, frames) = lesson.world.side, lesson.world.frames.shape
    masks = torch.zeros(3, steps * frames, SIZE, SIZE, dtype=torch.bool)
    masks[:, :frames, : SIZE // side, -SIZE // side :] = True  # the first step's upper right cell
    shapes = lesson.world._shapes(masks, clips.attributes).view(3, steps, side, side)
    assert shapes[:, 0, 0, -1].tolist() == [1 + WORDS["shape"].index(a.shape) for a in clips.attributes]
    assert shapes.count_nonzero() == 3


def test_the_language_loss_is_that_of_each_row_alone(lesson: training._Lesson) -> None:
    """Padding the shorter rows of a batch changes nothing."""
    clips = Clips.draw(2, np.random.default_rng(1))
    with torch.no_grad():
        tokens = lesson.encode(clips.video())
        both = training._language_loss(lesson.vlm, tokens, clips, np.random.default_rng(4))
        rng, sums, counts = np.random.default_rng(4), [], []
        for index, attributes in enumerate(clips.attributes):
            ids, labels = training.conversation(attributes, rng)
            assert IDS[PAD] not in ids
            prompt = lesson.vlm.prompt_ids("")
            with training.half_precision("cpu"):
                logits = lesson.vlm.token_logits(tokens[index, None], torch.tensor([prompt + ids]), len(ids) + 1)[0, :-1]
            asked = [(place, label) for place, label in enumerate(labels) if label != training.IGNORE]
            sums.append(sum(-logits[place].log_softmax(-1)[label] for place, label in asked))
            counts.append(len(asked))
    torch.testing.assert_close(both, sum(sums) / sum(counts), atol=2e-2, rtol=1e-2)


def test_training_goes_through_both_parts_and_resumes(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "VAE_FROM", 2.0)
    schedule = training.Schedule(steps=4, log_every=1, save_every=1)
    folder = tmp_path / "checkpoints"
    model, processor, summary = training.train_vlm(family, folder, schedule, tmp_path / "no VAE", batch=2)
    again, _, _ = training.train_vlm(family, folder, schedule, tmp_path / "no VAE", batch=2)
    assert (summary.steps, summary.seed) == (4, 0)
    assert (folder / "vision" / "curve.tsv").exists()
    assert (folder / "curve.tsv").exists()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    assert load_family(family, tmp_path / "model").tokens_shape == untrained(family, 0).tokens_shape
