"""Prompts and the maps of their words, where nobody knows where these are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from transporter.generators.base import Sampling
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.saliency import prompts as reading
from transporter.saliency.locating import located, on_grid
from transporter.saliency.prompted import (
    MEASURES,
    Prompted,
    all_prompted,
    known,
    measured,
    prompted,
    prompts_table,
)
from transporter.saliency.prompts import MOTION, THING, Prompt, fetch_prompts, read_prompts
from transporter.saliency.settings import MapSettings
from transporter.saliency.words import Words
from transporter.support.errors import UserError

ROOT = Path(__file__).parents[2]
SAMPLING = Sampling(2, 3.0, batch=2)
PROMPT = Prompt("a red circle moves left", ("circle", "left", "sand"), (THING, MOTION, THING))


def test_a_table_and_the_authors_json_say_the_same(tmp_path: Path) -> None:
    table, released = tmp_path / "prompts.tsv", tmp_path / "prompts.json"
    table.write_text("prompt\tthings\tmotions\nA bear walks.\tbear, rock\twalking,turning\n")
    row = {"caption": "A bear walks.", "concepts": "bear, rock", "object": "walking, turning"}
    released.write_text(json.dumps([row, row]))
    kinds = (THING, THING, MOTION, MOTION)
    expected = [Prompt("A bear walks.", ("bear", "rock", "walking", "turning"), kinds)]
    assert read_prompts(table) == read_prompts(released) == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("p.tsv", "prompt\tthings\n", "missing: motions"),
        ("p.tsv", "prompt\tthings\tmotions\n", "p.tsv: expected at least one prompt, got none"),
        ("p.tsv", "prompt\tthings\tmotions\na bear\t\t,\n", "line 2: expected a prompt and words"),
        ("p.tsv", "prompt\tthings\tmotions\na\x1b\tb\tc\n", "line 2, column prompt: expected text"),
        ("p.json", "{}", "expected a list of prompts, got dict"),
        ("p.json", "[1]", "prompt 1: expected a prompt and words"),
        ("p.json", "[", "expected JSON"),
    ],
)
def test_wrong_prompts_are_refused_by_line(
    tmp_path: Path, name: str, text: str, expected: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=expected):
        read_prompts(tmp_path / name)


def test_released_prompts_are_taken_by_their_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = tmp_path / "there.json", tmp_path / "here.json"
    there.write_text(json.dumps([{"caption": "a", "concepts": "b", "object": "c"}]))
    with pytest.raises(UserError, match="expected a file with SHA-256"):
        fetch_prompts(here, there.as_uri())
    assert not here.exists()
    monkeypatch.setattr(reading, "SHA256", hashlib.sha256(there.read_bytes()).hexdigest())
    fetch_prompts(here, there.as_uri())
    assert [prompt.text for prompt in read_prompts(here)] == ["a"]
    with pytest.raises(UserError, match=r"saliency\.prompts\.table: expected the prompts at file:"):
        fetch_prompts(here, (tmp_path / "nowhere.json").as_uri())


def test_the_shipped_prompts_have_words_of_both_kinds() -> None:
    for prompt in read_prompts(ROOT / "config/prompts.tsv"):
        assert set(prompt.kinds) == {THING, MOTION}
        assert set(prompt.words) < set(prompt.text.split())


def test_maps_are_those_of_the_sampling_itself(generator: DiffusersGenerator) -> None:
    found = prompted(generator, PROMPT, (3, 5, 4), MapSettings(), SAMPLING)
    pi = generator.encode_text([PROMPT.text])
    alone = generator.sample(pi, [4], SAMPLING.steps, SAMPLING.guidance)
    assert torch.allclose(found.z_xi[2:], alone.cpu(), atol=1e-4)
    words = Words.of(generator, [PROMPT.text], [["left"]])
    with located(generator, words, [MapSettings()], SAMPLING.steps) as [tally]:
        generator.sample(pi, [4], SAMPLING.steps, SAMPLING.guidance)
    # words that stand beside another are no other words
    assert torch.allclose(found.place[2, 1], on_grid(generator, tally)[0, 0], atol=1e-3)
    assert found.place.shape == found.time.shape == (3, 3, *generator.block_grid)
    assert found.named == (True, True, False)


def test_prompts_are_made_once(generator: DiffusersGenerator) -> None:
    kept: dict[str, object] = {}

    def keep(name, make):  # type: ignore[no-untyped-def]
        if name not in kept:
            kept[name] = make()
        return kept[name]

    first, again = (
        all_prompted(generator, {2: PROMPT}, (0,), MapSettings(), SAMPLING, keep) for _ in range(2)
    )
    assert list(kept) == ["prompt_2"]
    assert first[2].place is again[2].place


def test_prompts_of_unknown_words_are_left_out(generator: DiffusersGenerator) -> None:
    others = Prompt("a zeppelin moves left", ("left",), (MOTION,))
    unknown = Prompt("a red circle moves left", ("zeppelin",), (THING,))
    served, lacks = known(generator, [others, PROMPT, unknown])
    assert list(served) == [2]
    assert "zeppelin" in lacks[1] and "zeppelin" in lacks[3]
    with pytest.raises(UserError, match=r"saliency\.prompts\.table: expected prompts in words"):
        known(generator, [others])


def _found(place: torch.Tensor, time: torch.Tensor, words: tuple[str, ...]) -> Prompted:
    kinds = (THING,) * len(words)
    prompt = Prompt(" ".join(words), words, kinds)
    named = (True,) * len(words)
    return Prompted(prompt, (0,), torch.zeros(1), place[None], time[None], named)


def test_numbers_of_maps_that_are_known() -> None:
    """Maps that rise from token to token, or fall, and one that is a single token of each frame."""
    ramp = torch.arange(48.0).view(3, 4, 4)
    single = torch.zeros(1, 3, 4, 4)
    single[..., 0, 0] = 1
    time = torch.zeros(3, 4, 4) + torch.tensor([9.0, 1.0, 3.0])[:, None, None]
    times = torch.stack([time, torch.zeros_like(time)])
    rise_and_fall = _found(torch.stack([ramp, -ramp]), times, ("rise", "fall"))
    found = {1: rise_and_fall, 4: _found(single, single, ("single",))}
    rows = measured(found).set_index("word")
    assert rows["prompt"].to_dict() == {"rise": 1, "fall": 1, "single": 4}
    # 10 of 48 tokens are of one frame, and so is a third of what is above the frames' means
    expected = {"rise": 1 / 3, "fall": 1 / 3, "single": 1}
    assert rows["inside"].to_dict() == pytest.approx(expected)
    # the first frame, whose level is highest, does not count
    assert rows.loc["rise", ["strongest", "spread"]].tolist() == [2, 1]
    assert rows["spread"].drop("rise").eq(0).all()
    assert rows["likeness"].drop("single").tolist() == pytest.approx([-1, -1])
    assert pd.isna(rows.loc["single", "likeness"])
    # like one of the other clip's maps as much as it is unlike the other
    assert rows.loc["single", "likeness_other"] == pytest.approx(0, abs=1e-6)
    first, second = rows.loc[["rise", "fall"], "likeness_other"]
    assert first == pytest.approx(-second) and abs(first) > 0
    assert measured({1: found[1]})["likeness_other"].isna().all()


def test_means_are_resampled_over_prompts() -> None:
    rows = pd.DataFrame(
        {
            "prompt": [1, 1, 2, 3],
            "kind": [THING, MOTION, MOTION, MOTION],
            **{name: [0.0, 1.0, 2.0, 3.0] for name in MEASURES},
        }
    )
    rows.loc[0, "likeness"] = float("nan")
    table = prompts_table(rows).set_index("kind")
    assert table.loc[MOTION, ["prompts", "maps", "inside"]].tolist() == [3, 3, 2]
    assert table.loc[MOTION, "inside_low"] < 2 < table.loc[MOTION, "inside_high"]
    assert table.loc["all", "inside"] == pytest.approx(1.5)
    assert table.loc["all", "likeness"] == pytest.approx(2)
    assert pd.isna(table.loc[THING, "likeness"])
