"""The main table, made of files as the scores leave them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from transporter.figures import main_table, similarity_table
from transporter.metrics.scoring import COLUMNS

SYSTEMS = ("leaps/w", "transporter/g", "real/clips")
CAPTIONS = [f"caption {number}" for number in range(6)]
SETTINGS = {"vlms": ["a"], "ours": "transporter/g", "seed": 0}


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, list[str]]:
    """Six clips of three systems; LPIPS^v is 3 for the baseline, 1 for TRANSPORTER, 2 for real
    clips, and the encodings of TRANSPORTER are those of real clips.
    """
    rows = []
    for system, lpips in zip(SYSTEMS, (3.0, 1.0, 2.0), strict=True):
        for number, caption in enumerate(CAPTIONS):
            names = dict.fromkeys(COLUMNS, "x")
            seconds = 4.0 + number if system == "leaps/w" else ""
            numbers = {"seed": 0, "seconds_per_step": seconds, "lpips": lpips}
            rows.append(
                {**names, "system": system, "concept": caption, "target_caption": caption} | numbers
            )
    pd.DataFrame(rows).to_csv(tmp_path / "clips.tsv", sep="\t", index=False)
    real = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    generated = torch.cat([real + 5, real, real + 1])
    vectors = {"embeddings/real": real, "embeddings/generated": generated}
    save_file(vectors, tmp_path / "vectors.safetensors")
    protocol = {"metric": ["lpips", "aesthetic"], "better": ["lower", ""]}
    protocol |= {"protocol": ["middle frames", "no head"], "warning": ["Few clips.", ""]}
    pd.DataFrame(protocol).to_csv(tmp_path / "protocol.tsv", sep="\t", index=False)
    names = {"clips": "clips.tsv", "vectors": "vectors.safetensors", "protocol": "protocol.tsv"}
    return {name: [str(tmp_path / file)] for name, file in names.items()}


def test_the_main_table_has_the_means_and_who_is_beaten(inputs: dict[str, list[str]]) -> None:
    table = main_table.draw(inputs, SETTINGS)
    frame = table.frame.set_index("system")
    assert frame["lpips"].to_dict() == dict(zip(SYSTEMS, (3.0, 1.0, 2.0), strict=True))
    assert frame.loc["leaps/w", "lpips_beaten"] and frame.loc["leaps/w", "seconds_per_step"] == 6.5
    assert [column.key for column in table.columns] == ["lpips", "seconds_per_step"]
    assert "in LPIPS^v" in table.caption and "Few clips." in table.caption
    assert table.caption.endswith("Left out: no head.")


def test_protocols_are_a_table_of_their_own(inputs: dict[str, list[str]]) -> None:
    protocol = main_table.draw(inputs, SETTINGS).extra["protocol"]
    assert protocol["metric"].tolist() == ["lpips", "aesthetic"]
    assert protocol["vlm"].tolist() == ["a", "a"]


def test_equal_encodings_are_at_no_distance(inputs: dict[str, list[str]]) -> None:
    table = similarity_table.draw(inputs, SETTINGS)
    frame = table.frame.set_index("system")
    assert frame.loc["transporter/g", "cos"] == pytest.approx(1)
    assert frame.loc["transporter/g", "l1"] == pytest.approx(0, abs=1e-6)
    assert frame.loc["leaps/w", "l1"] == pytest.approx(20, rel=1e-5)
    assert frame.loc["real/clips", "l2"] == pytest.approx(2, rel=1e-5)
    assert not table.extra and "6 clips a row" in table.caption
