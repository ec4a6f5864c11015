"""The probes put rulers and classifier together, as their sources say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from microworld.attributes import WORDS, draw_attributes
from microworld.classifier import STRIDE, Classifier
from microworld.probes import SOURCES, Probes
from microworld.renderer import SIZE
from microworld.rulers.analytic import AnalyticProbes
from transporter.support.errors import UserError

SHIPPED = Path(__file__).parents[2] / "models" / "probes"


@pytest.fixture(scope="module")
def shipped() -> Probes:
    return Probes.from_pretrained(SHIPPED)


def test_a_batch_does_not_matter(clips: tuple) -> None:
    video = clips[1][:6]
    probes = Probes(Classifier(), dict.fromkeys(WORDS, "mean"))
    together = probes.probabilities(video)
    for row in range(len(video)):
        for name, values in probes.probabilities(video[row : row + 1]).items():
            torch.testing.assert_close(values[0], together[name][row], atol=1e-4, rtol=0)


def test_each_attribute_is_read_by_its_source(clips: tuple, shipped: Probes) -> None:
    video = clips[1][:8]
    analytic = AnalyticProbes().probabilities(video)
    with torch.no_grad():
        logits = shipped.classifier(video[:, ::STRIDE])
    learnt = {name: values.softmax(1) for name, values in logits.items()}
    sources = dict(zip(WORDS, ["analytic", "classifier", "mean"] * 3, strict=False))
    read = Probes(shipped.classifier, sources).probabilities(video)
    for name, source in sources.items():
        mean = (analytic[name] + learnt[name]) / 2
        expected = {"analytic": analytic[name], "classifier": learnt[name], "mean": mean}
        torch.testing.assert_close(read[name], expected[source])


def test_save_and_load(tmp_path: Path, clips: tuple) -> None:
    torch.manual_seed(0)
    probes = Probes(Classifier(), {**SOURCES, "shape": "classifier", "size": "mean"})
    probes.save_pretrained(tmp_path / "probes")
    again = Probes.from_pretrained(tmp_path / "probes")
    again.save_pretrained(tmp_path / "probes")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["probes"]
    assert again.sources == probes.sources
    video = clips[1][:4]
    for name, values in again.probabilities(video).items():
        expected = probes.probabilities(video)[name]
        torch.testing.assert_close(values, expected, atol=2e-3, rtol=0)  # half precision
    assert again.words(video)[0].keys() == WORDS.keys()


def test_loading_says_what_is_wrong(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("config.json", "{", "expected JSON"),
        ("config.json", "[]", "expected a mapping"),
        ("config.json", "{}", "expected analytic, classifier or mean"),
        ("model.safetensors", "", "expected weights of trained probes"),
        ("model.safetensors", None, "lacks 1 tensor: "),
    ],
)
def test_damaged_probes_are_refused_in_one_line(
    tmp_path: Path, name: str, content: str | None, expected: str
) -> None:
    folder = tmp_path / "probes"
    Probes(Classifier()).save_pretrained(folder)
    if content is None:
        tensors = {key: value.clone() for key, value in load_file(folder / name).items()}
        del tensors[sorted(tensors)[0]]
        save_file(tensors, folder / name)
    else:
        (folder / name).write_text(content)
    with pytest.raises(UserError, match=expected) as error:
        Probes.from_pretrained(folder)
    assert str(error.value).startswith(str(folder)) and "\n" not in str(error.value)


def test_other_sizes_are_refused_by_name() -> None:
    probes = Probes(Classifier())
    for read in (probes.probabilities, probes.features, AnalyticProbes().measure):
        with pytest.raises(
            UserError, match=r"probes: expected clips of .*17, 3, 64, 64.*got \(1, 16, 3, 64, 64\)"
        ):
            read(torch.zeros(1, 16, 3, SIZE, SIZE))


def test_the_shipped_probes_read_every_word(
    shipped: Probes, clips: tuple, accuracy: Callable[..., float]
) -> None:
    drawn, video = clips
    read = shipped.probabilities(video)
    shares = {name: accuracy(drawn, read, name) for name in WORDS}
    assert shares == {name: pytest.approx(1, abs=0.02) for name in WORDS}


def test_features_are_what_the_classifier_reads_and_tell_another_order_of_frames(
    shipped: Probes, video_of: Callable[..., torch.Tensor]
) -> None:
    rng = np.random.default_rng(3)
    video = video_of(*(draw_attributes(rng, held_out=False) for _ in range(64)))
    features = shipped.features(video)
    assert features.shape == (64, shipped.classifier.settings["hidden"])
    with torch.no_grad():
        shape = shipped.classifier.head["shape"](features)
        torch.testing.assert_close(shape, shipped.classifier(video[:, ::STRIDE])["shape"])
    noise = 0.02 * torch.randn(video.shape, generator=torch.Generator().manual_seed(0))
    moved = (shipped.features(video.flip(1)) - features).norm(dim=1)
    noisy = (shipped.features((video + noise).clamp(0, 1)) - features).norm(dim=1)
    assert moved.median() > 3 * noisy.median()
