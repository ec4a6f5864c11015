"""A folder of inverted clips: what is in it, that it can be resumed, and what each method
is given.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from transporter.baselines.inverted_clips import (
    INDEX,
    METHODS,
    Inverter,
    nearest,
    unmirrored,
    write_inversions,
)
from transporter.baselines.settings import InversionSettings
from transporter.baselines.targets import VLMTarget
from transporter.baselines.verifier import Verifier
from transporter.clips.contrast import Concept
from transporter.support.errors import UserError

CAPTIONS = ["a red square", "a blue circle moves", "a blue square", "a red square moves"]
CONTEXTS = [("a red square", "a blue square"), ("a red circle", "a blue circle")]


@pytest.fixture
def inverter(
    vlm_target: VLMTarget,
    clips: list[torch.Tensor],
    classifier: torch.nn.Module,
    settings: InversionSettings,
) -> Inverter:
    return Inverter(vlm_target, clips, lambda: Verifier.of_batch_norms(classifier), settings)


def written(
    folder: Path, inverter: Inverter, clips: list[torch.Tensor], name: str = "maco"
) -> pd.DataFrame:
    write_inversions(
        folder / "made", name, inverter, CONTEXTS, clips[:2], 8, 3, folder / "checkpoints"
    )
    return pd.read_csv(folder / "made" / "index.tsv", sep="\t")


def test_a_folder_has_clips_beginnings_and_captions(
    tmp_path: Path, inverter: Inverter, clips: list[torch.Tensor]
) -> None:
    index = written(tmp_path, inverter, clips)
    assert list(index.columns) == list(INDEX) and index["seed"].tolist() == [3, 4]
    assert list(zip(index["caption"], index["target_caption"], strict=True)) == CONTEXTS
    assert all(
        (tmp_path / "made" / name).is_file() for kind in ("clip", "origin") for name in index[kind]
    )
    assert (index["seconds_per_step"] > 0).all()
    curve = pd.read_csv(tmp_path / "made" / "curve.tsv", sep="\t")
    assert curve["step"].tolist() == [4, 8, 12] * 2 and curve["seed"].tolist() == [3] * 3 + [4] * 3


def test_what_was_done_is_not_done_again(
    tmp_path: Path, inverter: Inverter, clips: list[torch.Tensor]
) -> None:
    written(tmp_path, inverter, clips)
    first = {path.name: path.read_bytes() for path in (tmp_path / "made" / "clips").iterdir()}
    assert written(tmp_path, inverter, clips)["seconds_per_step"].isna().all()
    assert {
        path.name: path.read_bytes() for path in (tmp_path / "made" / "clips").iterdir()
    } == first


def test_every_name_is_a_method_of_its_own(inverter: Inverter, clips: list[torch.Tensor]) -> None:
    terms = {name: set(inverter.method(name, clips[0].double()).terms) for name in METHODS}
    assert terms["activation_maximisation"] == {"l2"} and terms["maco"] == set()
    assert "patch_prior" in terms["gradvit"] and "priming" in terms["leaps"]
    with pytest.raises(
        UserError,
        match="expected one of activation_maximisation, gradvit, maco, leaps, got 'deep_dream'",
    ):
        inverter.method("deep_dream", clips[0])


def test_sides_are_not_mirrored(settings: InversionSettings, concept: Concept) -> None:
    mirrored = replace(settings, flip=0.5)
    assert unmirrored(mirrored, concept).flip == 0.5
    assert unmirrored(mirrored, Concept("left_right", "action", "left", "right", "how ?")).flip == 0


def test_nearest_caption(concept: Concept) -> None:
    assert nearest("a red square", CAPTIONS) == 0
    assert nearest("a red square", CAPTIONS, concept) == 2
    with pytest.raises(UserError, match="'blue', found none among 1"):
        nearest("a red square", CAPTIONS[:1], concept)
