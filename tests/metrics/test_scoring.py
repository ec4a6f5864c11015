"""Clips scored one by one, against the metrics on each alone; and the table of all systems."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from transporter.baselines.inverted_clips import INDEX as INVERTED
from transporter.clips.contrast import Concept
from transporter.generation.sweeps import INDEX
from transporter.metrics.alignment import Alignment
from transporter.metrics.embeddings import EmbeddingSimilarity
from transporter.metrics.frechet import Features, FrechetVideoDistance
from transporter.metrics.scoring import COLUMNS, score
from transporter.metrics.systems import (
    RealClips,
    all_systems,
    generated,
    inverted,
    make_all,
    protocols,
)
from transporter.support.errors import Unavailable
from transporter.support.files import write_table

CONCEPT = Concept("red_blue", "object", "red", "blue", "what colour ?")


class Colours:
    """Embeds a clip as its mean colour, a caption as the colour that it names."""

    def embed_video(self, video: torch.Tensor) -> torch.Tensor:
        return video.mean((1, 3, 4))

    def embed_text(self, captions: list[str]) -> torch.Tensor:
        return torch.tensor(
            [[float("red" in caption), 0.0, float("blue" in caption)] for caption in captions]
        )


@pytest.fixture
def videos(clips: Callable[..., torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{index}.mp4": clip for index, clip in enumerate(clips(8, frames=2, size=8))}


def metrics() -> dict:
    features = Features("mean", lambda video: video.mean((1, 3, 4)), "0")
    return {
        "fvd": FrechetVideoDistance(features, 1),
        "alignment": Alignment(Colours(), "colours"),
        "embeddings": EmbeddingSimilarity("tiny"),
    }


def encode(video: torch.Tensor) -> torch.Tensor:
    return video.mean((2, 3))


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_scores_are_those_of_each_clip_alone(videos: dict[str, torch.Tensor], batch: int) -> None:
    files = list(videos)
    rows = [
        ("s", "c", i, f"a {word}", files[i], files[i + 1], files[0], 0.5)
        for i, word in enumerate(["red", "blue", "blue"])
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    scores = score(table, files[4:], metrics(), videos.__getitem__, encode, batch)
    for row in scores.table.itertuples():
        channel = 0 if "red" in row.target_caption else 2
        assert row.clip_score == pytest.approx(
            100 * float(videos[row.clip][:, channel].mean()), rel=1e-5
        )
        assert row.delta == pytest.approx(
            row.clip_score - 100 * float(videos[row.origin][:, channel].mean()), abs=1e-4
        )
    shapes = {name: tuple(vectors.shape) for name, vectors in scores.vectors.items()}
    assert shapes == {
        "fvd/real": (4, 3),
        "fvd/generated": (3, 3),
        "embeddings/real": (4, 8),
        "embeddings/generated": (3, 8),
    }
    assert torch.allclose(scores.vectors["fvd/generated"][1], videos["1.mp4"].mean((0, 2, 3)))


def test_only_what_is_needed_is_read(videos: dict[str, torch.Tensor]) -> None:
    """Origins and tokens are not made where no metric asks for them."""
    files, opened = list(videos), []
    rows = [("s", "c", 0, "a red sun", files[0], "nowhere.mp4", "nowhere.mp4", 0.5)]

    def read(path: str) -> torch.Tensor:
        opened.append(path)
        return videos[path]

    def no_vlm(video: torch.Tensor) -> torch.Tensor:
        raise AssertionError("nobody asked for tokens")

    fvd = {"fvd": metrics()["fvd"]}
    score(pd.DataFrame(rows, columns=list(COLUMNS)), files[4:6], fvd, read, no_vlm)
    assert opened == [*files[4:6], files[0]]


def test_all_systems_have_the_same_concepts_and_seeds(tmp_path: Path) -> None:
    rows = [(0, "a red sun", "a blue sun", "o.mp4", "c.mp4", 0.5)]
    (tmp_path / "am").mkdir(), (tmp_path / "ours").mkdir()
    write_table(pd.DataFrame(rows, columns=list(INVERTED)), tmp_path / "am" / "index.tsv")
    rows = [
        (0, "transporter", seed, phi, phi, "a red sun", f"{seed}_{phi}.mp4")
        for seed in (0, 1)
        for phi in (0, 1)
    ]
    rows += [(4, "random", 0, phi, phi, "a red sun", f"random_{phi}.mp4") for phi in (0, 1)]
    write_table(pd.DataFrame(rows, columns=list(INDEX)), tmp_path / "ours" / "index.tsv")
    real = RealClips(["r0", "r1"], ["a red sun", "a blue sun"])
    others = RealClips(["v0", "v1", "v2"], ["a red cat", "a blue sun sets", "a red sun sets"])
    parts = [
        inverted(str(tmp_path / "am"), "am/w", CONCEPT),
        generated(str(tmp_path / "ours"), "g", CONCEPT),
    ]
    table = all_systems(parts, real, others).set_index("system")
    assert list(table.index) == ["am/w", "transporter/g", "random/g", "real/clips"]
    for system, name in (("transporter/g", "0"), ("random/g", "random")):
        files = [f"{tmp_path}/ours/{name}_{phi}.mp4" for phi in (1, 0)]
        assert table.loc[system, ["clip", "origin"]].tolist() == files
    assert table.loc["real/clips", ["clip", "origin"]].tolist() == ["v1", "v2"]
    assert set(table["reference"]) == {"r1"} and set(table["target_caption"]) == {"a blue sun"}


def test_protocols_say_what_is_left_out_and_what_is_inflated() -> None:
    def missing() -> Alignment:
        raise Unavailable("no judge")

    makers = {name: lambda metric=metric: metric for name, metric in metrics().items()}
    made, left_out = make_all(makers | {"alignment": missing})
    table = protocols(made, 192, 12, left_out).set_index("metric")
    assert table.loc["fvd_mean", "protocol"].startswith("clips 192 real + 12 generated, frames")
    assert table.loc["cos", "protocol"].startswith("clips 192 real + 12 generated, vlm tiny")
    assert table.loc["fvd_mean", "warning"].endswith("below 256 it is inflated.")
    assert table.loc["alignment", ["better", "protocol"]].tolist() == ["", "no judge"]
    assert protocols(made, 300, 256, {})["warning"].eq("").all()
