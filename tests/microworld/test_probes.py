import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from microworld.attributes import HUES, WORDS, Attributes, draw_attributes
from microworld.probes import SOURCES, STRIDE, AnalyticProbes, Classifier, Probes
from microworld.renderer import (
    BOUNCES,
    FRAMES,
    PATH,
    RADIUS,
    SIZE,
    TURNS,
    draw_layout,
    render,
)
from transporter.support.errors import UserError

SHIPPED = Path(__file__).parents[2] / "models" / "probes"
CLIPS = 64
PLAIN = Attributes("circle", float(HUES[0]), 0.5, "right", 0.5, "grass", 1.0)


def video_of(*clips, seed=0):
    rng = np.random.default_rng(seed)
    frames = np.stack([render(a, draw_layout(a, rng))[0] for a in clips])
    return torch.from_numpy(frames).permute(0, 1, 4, 2, 3).float() / 255


def targets(clips, name):
    return torch.from_numpy(np.stack([a.probabilities(name) for a in clips])).float()


def accuracy(clips, read, name):
    """Share of clips, among those that a word of the attribute names, whose best fitting word is
    that one.
    """
    target = targets(clips, name)
    named = target.amax(1) > 1 - 1e-5
    return float((read[name].argmax(1) == target.argmax(1))[named].float().mean())


@pytest.fixture(scope="module", params=[False, True], ids=["seen", "held_out"])
def clips(request):
    rng = np.random.default_rng(7 + request.param)
    drawn = [draw_attributes(rng, held_out=request.param) for _ in range(CLIPS)]
    return drawn, video_of(*drawn)


@pytest.fixture(scope="module")
def measured(clips):
    return clips[0], AnalyticProbes().measure(clips[1]), AnalyticProbes().probabilities(clips[1])


@pytest.mark.parametrize("name", WORDS)
def test_rulers_read_every_word(measured, name):
    drawn, _, read = measured
    assert (
        accuracy(drawn, read, name) >= 0.98
    )  # 200 clips: 1.00 for every attribute, seen or held out


@pytest.mark.parametrize("name", WORDS)
def test_rulers_follow_the_linear_rule(measured, name):
    drawn, _, read = measured
    worst = (read[name] - targets(drawn, name)).abs().amax(1)
    assert worst.mean() < 0.03  # 200 clips: at most 0.014, of the ground


@pytest.mark.parametrize(("name", "bar"), [("size", 0.03), ("speed", 0.02), ("time", 0.01)])
def test_rulers_measure_degrees(measured, name, bar):
    drawn, read, _ = measured
    error = read[name] - torch.tensor([getattr(a, name) for a in drawn])
    assert error.abs().mean() < bar
    assert error.mean().abs() < bar


def test_hue_is_measured_on_the_circle(measured):
    drawn, read, _ = measured
    error = (read["hue"] - torch.tensor([a.hue for a in drawn]) + 0.5) % 1 - 0.5
    assert error.abs().max() < 0.005


def test_rows_are_distributions(measured):
    for name, values in measured[2].items():
        assert values.shape == (CLIPS, len(WORDS[name]))
        assert values.min() >= 0
        torch.testing.assert_close(values.sum(1), torch.ones(CLIPS))


@pytest.mark.parametrize("name", ["size", "speed", "time"])
@pytest.mark.parametrize("motion", ["left", "down", "bounces", "spins"])
@pytest.mark.parametrize("shape", WORDS["shape"])
def test_degrees_rise_with_the_truth(name, motion, shape):
    base = dataclasses.replace(PLAIN, motion=motion, shape=shape)
    steps = [dataclasses.replace(base, **{name: float(degree)}) for degree in np.linspace(0, 1, 6)]
    degrees = AnalyticProbes().measure(video_of(*steps))[name]
    assert (degrees.diff() > 0.04).all()
    assert degrees[0] < 0.1
    assert degrees[-1] > 0.9


def test_measurements_are_in_pixels_and_turns():
    read = AnalyticProbes().measure(
        video_of(
            *(dataclasses.replace(PLAIN, motion=m) for m in ("right", "up", "bounces", "spins"))
        )
    )
    middle = [sum(ends) / 2 for ends in (PATH, RADIUS, BOUNCES, TURNS)]
    assert read["dx"][0].item() == pytest.approx(middle[0], abs=0.5)
    assert read["dy"][1].item() == pytest.approx(-middle[0], abs=0.5)
    assert read["radius"].tolist() == pytest.approx([middle[1]] * 4, abs=0.3)
    assert read["bounces"][2].item() == pytest.approx(middle[2], abs=0.05)
    assert read["turns"][3].item() == pytest.approx(middle[3], abs=0.03)


@pytest.mark.parametrize("blur", [3, 5])
def test_rulers_bear_blur_and_noise(clips, blur):
    drawn, video = clips[0][:32], clips[1][:32]
    soft = torch.nn.functional.avg_pool2d(
        video.flatten(0, 1), blur, 1, blur // 2, count_include_pad=False
    ).view_as(video)
    noise = 0.02 * torch.randn(soft.shape, generator=torch.Generator().manual_seed(0))
    read = AnalyticProbes().probabilities((soft + noise).clamp(0, 1))
    for name in ("colour", "motion", "ground", "time"):
        assert accuracy(drawn, read, name) >= 0.95, name


def test_a_batch_does_not_matter(clips):
    video = clips[1][:6]
    probe = Probes(Classifier(), dict.fromkeys(WORDS, "mean"))
    together = probe.probabilities(video)
    for row in range(len(video)):
        for name, values in probe.probabilities(video[row : row + 1]).items():
            torch.testing.assert_close(values[0], together[name][row], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "video", [torch.zeros(2, FRAMES, 3, SIZE, SIZE), torch.full((1, FRAMES, 3, SIZE, SIZE), 0.5)]
)
def test_a_clip_without_a_sprite_still_gives_distributions(video):
    for values in AnalyticProbes().probabilities(video).values():
        assert values.isfinite().all()
        torch.testing.assert_close(values.sum(1), torch.ones(len(video)))


def test_other_sizes_are_refused_by_name():
    with pytest.raises(
        UserError, match=r"expected clips of shape .*17, 3, 64, 64.*got \(1, 16, 3, 64, 64\)"
    ):
        AnalyticProbes().measure(torch.zeros(1, 16, 3, SIZE, SIZE))


def test_save_and_load(tmp_path, clips):
    torch.manual_seed(0)
    probe = Probes(Classifier(), {**SOURCES, "shape": "classifier", "size": "mean"})
    probe.save_pretrained(tmp_path / "probes")
    again = Probes.from_pretrained(tmp_path / "probes")
    again.save_pretrained(tmp_path / "probes")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["probes"]
    assert again.sources == probe.sources
    video = clips[1][:4]
    for name, values in again.probabilities(video).items():
        torch.testing.assert_close(
            values, probe.probabilities(video)[name], atol=2e-3, rtol=0
        )  # half precision
    assert again.words(video)[0].keys() == WORDS.keys()


def test_loading_says_what_is_wrong(tmp_path):
    with pytest.raises(UserError, match=r"found no config\.json"):
        Probes.from_pretrained(tmp_path / "none")
    Probes(Classifier()).save_pretrained(tmp_path / "probes")
    config = json.loads((tmp_path / "probes" / "config.json").read_text())
    config["sources"]["shape"] = "guess"
    (tmp_path / "probes" / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        UserError, match=r"expected analytic, classifier or mean for shape, .*guess"
    ):
        Probes.from_pretrained(tmp_path / "probes")


def test_the_classifier_is_small():
    assert 2e5 < sum(p.numel() for p in Classifier().parameters()) < 5e5


@pytest.fixture(scope="module")
def shipped():
    if not (SHIPPED / "config.json").exists():
        pytest.skip(f"no trained probe at models/{SHIPPED.name}: its accuracy is not tested")
    return Probes.from_pretrained(SHIPPED)


def test_the_shipped_judge_reads_every_word(shipped, clips):
    drawn, video = clips
    read = shipped.probabilities(video)
    assert {name: accuracy(drawn, read, name) for name in WORDS} == {
        name: pytest.approx(1, abs=0.02) for name in WORDS
    }


@pytest.mark.parametrize("held_out", [False, True])
def test_the_shipped_classifier_agrees(shipped, held_out):
    rng = np.random.default_rng(11 + held_out)
    drawn = [draw_attributes(rng, held_out=held_out) for _ in range(4 * CLIPS)]
    with torch.no_grad():
        read = shipped.classifier(video_of(*drawn)[:, ::STRIDE])
    for name in WORDS:
        # 640 clips: .99 of the shapes seen, .95 in combinations it never saw
        bar = 0.97 if name != "shape" or not held_out else 0.9
        assert accuracy(drawn, read, name) >= bar, name


def test_features_are_what_the_classifier_reads_and_tell_another_order_of_frames():
    probe = Probes.from_pretrained(SHIPPED)
    rng = np.random.default_rng(3)
    video = video_of(*(draw_attributes(rng, held_out=False) for _ in range(CLIPS)))
    features = probe.features(video)
    assert features.shape == (CLIPS, probe.classifier.settings["hidden"])
    with torch.no_grad():
        shape = probe.classifier.head["shape"](features)
        torch.testing.assert_close(shape, probe.classifier(video[:, ::STRIDE])["shape"])
    moved = (probe.features(video.flip(1)) - features).norm(dim=1)
    noisy = (
        probe.features(
            (
                video + 0.02 * torch.randn(video.shape, generator=torch.Generator().manual_seed(0))
            ).clamp(0, 1)
        )
        - features
    ).norm(dim=1)
    assert moved.median() > 3 * noisy.median()
