"""Whether a sweep changes pixels where maps are, on changes whose place is known."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from transporter.clips.contrast import Concept
from transporter.generation.sweeps import Generated
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.saliency.changes import ALL, changes_table
from transporter.saliency.generated import TOP, SweepMaps, changes, sweep_maps
from transporter.saliency.scoring import averaged
from transporter.saliency.settings import MapSettings, ReadingSettings

CONCEPT = Concept("red_blue", "attribute", "red", "blue", "what colour is it ?")


@pytest.fixture(scope="module")
def swept(generator: DiffusersGenerator) -> Generated:
    """Two methods from two seeds, which share their clips at phi = 0."""
    rows = [
        (0, "transporter", 0, 0.0),
        (1, "transporter", 0, 1.0),
        (2, "transporter", 1, 0.0),
        (3, "transporter", 1, 1.0),
        (0, "random", 0, 0.0),
        (4, "random", 0, 1.0),
        (2, "random", 1, 0.0),
        (5, "random", 1, 1.0),
    ]
    index = pd.DataFrame(rows, columns=["row", "method", "seed", "phi"])
    index["caption"], index["clip"] = "a red circle moves left", ""
    draws = torch.Generator().manual_seed(0)
    return Generated(index, torch.randn(6, *generator.latent_shape, generator=draws))


def test_every_latent_has_a_map_of_both_words(
    generator: DiffusersGenerator, swept: Generated, tmp_path: Path
) -> None:
    found = sweep_maps(generator, swept, CONCEPT, MapSettings(), ReadingSettings())
    assert found.maps.shape == (6, 2, *generator.block_grid)
    assert found.index["row"].tolist() == list(range(6))
    found.save(tmp_path / "maps", changes(generator, swept, found))
    kept = load_file(tmp_path / "maps" / "maps.safetensors")
    assert torch.equal(kept["target"], found.maps[:, 1])
    assert {"index.tsv", "changes.tsv"} < {path.name for path in (tmp_path / "maps").iterdir()}


def test_a_map_of_the_change_itself_holds_most_of_it(
    generator: DiffusersGenerator, swept: Generated
) -> None:
    with torch.no_grad():
        videos = generator.decode(swept.z_xi).clamp(0, 1)
    maps = torch.zeros(6, 2, *generator.block_grid)
    for begin, end in ((0, 1), (2, 3)):
        change = (videos[end] - videos[begin]).abs().mean(1)[None]
        maps[end, 1] = averaged(change, generator.block_grid)[0]
    watched: dict[int, torch.Tensor] = {}
    found = SweepMaps(CONCEPT, swept.distinct().index, maps)
    table = changes(generator, swept, found, watched.update)
    assert list(watched) == [0, 1, 4, 2, 3, 5]
    assert all(torch.allclose(video, videos[row], atol=1e-5) for row, video in watched.items())
    pd.testing.assert_frame_equal(table, changes(generator, swept, found), rtol=1e-4)
    own = table[table["method"] == "transporter"]
    assert (own["share"] > TOP).all()
    assert (own["share"] >= own["share_other"]).all()
    summary = changes_table([table, table.assign(concept="day_night")]).set_index(
        ["concept", "method"]
    )
    whole = summary.loc[(ALL, "transporter")]
    assert whole["clips"] == 4
    assert whole["share"] == pytest.approx(own["share"].mean())
    assert whole["more"] == pytest.approx((own["share"] - own["share_other"]).mean())
