"""Training and report from embeddings on disk: the same numbers, and a batch in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch.nn.functional import one_hot

from transporter.clips import stored
from transporter.clips.embedding import embed_rows
from transporter.clips.stored import StoredRows
from transporter.coupling import moments
from transporter.coupling.aligned import Sources, read_pairs
from transporter.coupling.moments import channel_moments
from transporter.coupling.network import Coupling, Pairs
from transporter.coupling.report import report
from transporter.coupling.settings import CouplingSettings
from transporter.coupling.training import train_coupling
from transporter.generators.base import CAPTIONS_AT_ONCE
from transporter.generators.condition import Condition

LIMIT = 10 * 4 * 128
"""Bytes of ten latents."""
MakePairs = Callable[[int, int], Pairs]


class Texts:
    """A text encoder that can be checked by hand: `(B, 3, 5)` of a caption's number."""

    condition_shape = (3, 5)

    def __init__(self) -> None:
        self.calls: list[int] = []

    def encode_text(self, captions: list[str]) -> Condition:
        self.calls.append(len(captions))
        numbers = torch.tensor([int(caption.split()[-1]) for caption in captions])
        states = one_hot(numbers % 15, 15).float().unflatten(1, (3, 5))
        return Condition(states + numbers.view(-1, 1, 1) / 100)


def write(pairs: Pairs, folder: Path) -> Sources:
    names = [f"{number:03d}.mp4" for number in range(len(pairs))]
    spaces = {"z_xi": pairs.z_xi, "z_omega": pairs.z_omega, "z_reencoded": pairs.z_reencoded}
    for name, values in spaces.items():
        embed_rows(names, lambda rows, values=values: values[rows], folder / name, 4, 4)
    captions = [f"clip number {row * 7}" for row in range(len(pairs))]
    table = pd.DataFrame({"clip": names, "caption": captions})
    table.to_csv(folder / "captions.tsv", sep="\t", index=False)
    return Sources(*(folder / name for name in spaces), folder / "captions.tsv")


def read(pairs: Pairs, folder: Path, resident: int) -> Pairs:
    return read_pairs(write(pairs, folder), Texts(), folder / "pi", "key", resident)


def test_captions_are_encoded_a_part_at_a_time(make_pairs: MakePairs, tmp_path: Path) -> None:
    sources = write(make_pairs(2 * CAPTIONS_AT_ONCE + 3, 0), tmp_path)
    whole = read_pairs(sources, texts := Texts(), tmp_path / "pi", "key")
    assert texts.calls == [CAPTIONS_AT_ONCE, CAPTIONS_AT_ONCE, 3]
    kept = read_pairs(sources, Texts(), tmp_path / "pi", "key", resident=0)
    assert isinstance(kept.pi, StoredRows)
    assert torch.equal(kept.pi[:], whole.pi)
    read_pairs(sources, again := Texts(), tmp_path / "pi", "key", resident=0)
    assert not again.calls
    read_pairs(sources, other := Texts(), tmp_path / "pi", "another key", resident=0)
    assert other.calls == texts.calls


def test_training_from_disk_is_that_from_memory(
    make_pairs: MakePairs, settings: CouplingSettings, tmp_path: Path
) -> None:
    settings = replace(settings, condition_shuffle=0.3, accumulate=2)
    made = {}
    for name, resident in (("memory", 2**20), ("disk", 0)):
        train, held_out = (
            read(make_pairs(count, seed), tmp_path / name / str(seed), resident)
            for count, seed in ((40, 0), (8, 1))
        )
        made[name] = train_coupling(train, held_out, settings, tmp_path / name / "run", seed=5)
    pairs = zip(
        made["memory"].state_dict().values(), made["disk"].state_dict().values(), strict=True
    )
    assert all(torch.equal(left, right) for left, right in pairs)
    curves = [(tmp_path / name / "run/curve.tsv").read_bytes() for name in made]
    assert curves[0] == curves[1]


@pytest.mark.parametrize("clips", [24, 96])
def test_no_more_is_read_at_once_however_many_clips_there_are(
    make_pairs: MakePairs,
    settings: CouplingSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    linear_vlm: Any,
    clips: int,
) -> None:
    pairs = read(make_pairs(clips, 0), tmp_path, resident=0)
    asked: list[int] = []
    get = StoredRows.__getitem__

    def count(rows: StoredRows, chosen: Any) -> torch.Tensor:
        values = get(rows, chosen)
        asked.append(values.nbytes)
        return values

    monkeypatch.setattr(StoredRows, "__getitem__", count)
    at_once = stored.at_once
    for module in ("coupling.network", "coupling.moments", "coupling.report"):
        monkeypatch.setattr(f"transporter.{module}.at_once", partial(at_once, limit=LIMIT))
    settings = replace(settings, steps=2, log_every=1, batch=8)
    made = train_coupling(pairs, pairs, settings, tmp_path / "run")
    report(made, linear_vlm, ["what ?"], pairs)
    assert len(asked) > clips / 10
    assert max(asked) <= LIMIT


def test_statistics_of_portions_are_those_of_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = 100 + torch.randn(50, 6, 8) * torch.arange(1.0, 9.0)
    monkeypatch.setattr(moments, "at_once", lambda _: 7)
    std, mean = channel_moments(values, 2, torch.device("cpu"))
    expected = torch.std_mean(values.double(), (0, 1), correction=0)
    torch.testing.assert_close((std.double(), mean.double()), expected, rtol=1e-6, atol=0)
    monkeypatch.setattr(moments, "MEASURED", 25)
    _, mean = channel_moments(values, 2, torch.device("cpu"))
    torch.testing.assert_close(mean, values[::2].mean((0, 1)))


def test_a_report_of_portions_is_that_of_the_whole(
    make_pairs: MakePairs, settings: CouplingSettings, linear_vlm: Any
) -> None:
    pairs = make_pairs(20, 0)
    shapes = (tensor.shape[1:] for tensor in (pairs.z_xi, pairs.pi, pairs.z_omega))
    made = Coupling(*shapes, settings).eval()
    made.measure(pairs)
    torch.nn.init.normal_(made.phi_1.out.weight)
    whole, parts = (
        report(made, linear_vlm, ["what ?", "how ?"], pairs, portion=portion)
        for portion in (None, 3)
    )
    pd.testing.assert_frame_equal(parts, whole, rtol=1e-4, atol=1e-6)
    assert whole["hellinger_other_condition"].max() > 0.1
