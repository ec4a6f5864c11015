"""The target `paper` in the hub's shape, after the default target: inversions of a VLM in bfloat16,
scores by published networks, and captions of an untrained model.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hub_project import CONCEPT, FILES, VLM
from odd_clips import UNREADABLE
from pipeline import CORES, snakemake

from transporter.networks.published import WEIGHTS
from transporter.support.files import read_table

INVERSIONS = {"maco/w_dw", "leaps/w"}
SYSTEMS = {*INVERSIONS, "transporter/wan", "real/clips"}


@pytest.fixture(scope="module")
def papered(finished: Path, weights: Callable[[str], Path]) -> Path:
    """The project with the paper's tables and figures; published weights are not fetched again."""
    for name in WEIGHTS:
        source, target = weights(name), finished / "results" / "weights" / name
        target.mkdir(parents=True)
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, target / source.name)
    done = snakemake(finished, *CORES, *FILES, "--", "paper")
    assert done.returncode == 0, done.stdout[-6000:]
    return finished


def table(papered: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(papered / "results" / "paper" / "tables" / f"{name}.tsv", sep="\t")


def test_what_can_be_measured_is(papered: Path) -> None:
    """No CLIP is configured, and FVD wants two clips of each system."""
    main, similarity = table(papered, "main"), table(papered, "similarity")
    for found, numbers in ((main, ["lpips"]), (similarity, ["cos", "l1", "l2", "kl"])):
        assert set(found["system"]) == SYSTEMS
        assert found[numbers].notna().all(axis=None)
        assert (found[numbers].nunique() == len(SYSTEMS)).all()
    assert (main["seconds_per_step"].notna() == main["system"].isin(INVERSIONS)).all()
    protocol = table(papered, "main_protocol")
    left_out = set(protocol.loc[protocol["better"].isna(), "metric"])
    assert left_out == {"fvd", "fvd_probe", "alignment", "aesthetic"}
    assert not left_out & set(main)


def test_clips_that_cannot_be_read_are_left_out_of_inversions_and_scores(papered: Path) -> None:
    """The inversions begin from training clips, some of which cannot be read."""
    assert set(UNREADABLE) <= set(read_table(papered / "results/clips/failed.tsv", ())["clip"])
    scores = pd.read_csv(papered / "results" / "scores" / VLM / "clips.tsv", sep="\t")
    real = scores[scores["system"] == "real/clips"]
    for split, columns in {"validation": ["clip", "origin"], "held_out": ["reference"]}.items():
        readable = read_table(papered / f"results/clips/{split}.tsv", ("clip",))["clip"]
        shown = {Path(path).name for path in real[columns].to_numpy().flat}
        assert shown <= {Path(path).name for path in readable}


def test_captions_of_all_rows_are_compared(papered: Path) -> None:
    read = pd.read_csv(papered / "results" / "baselines" / VLM / "captions.tsv", sep="\t")
    assert read["method"].tolist() == ["leaps", "maco"]
    assert set(read["concept"]) == {CONCEPT}
    assert read["log_odds"].notna().all() and read["log_odds"].nunique() == len(read)
    ablation = table(papered, "ablation").set_index("variant")
    assert ablation.index.tolist() == ["baseline", "base"]
    scores = [name for name in ablation if name in ("reencoded_cos", "reencoded_rouge_l")]
    assert len(scores) == 2 and ablation[scores].notna().all(axis=None)
    assert ablation.loc["base", ["phi_cos", "phi_rouge_l"]].notna().all()


def test_figures_show_the_concept_that_is_served(papered: Path) -> None:
    folder = papered / "results" / "paper" / "figures"
    figures = {path.stem for path in folder.glob("*.png")}
    assert figures == {"method", "actions", "comparison"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.glob("*.png"))
