"""A user's own clips are refused before any job, in one line that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from transporter.clips.contrast import Concept
from transporter.pipeline.own_clips import check_clips
from transporter.pipeline.splitting import choose_split
from transporter.support.errors import UserError
from transporter.support.files import read_table

SHARES = {"train": 0.7, "validation": 0.1, "held_out": 0.2}
SPEED = Concept("slowly_quickly", "action", "slowly", "quickly", "how fast ?")
COLOUR = Concept("red_blue", "object", "red", "blue", "what colour ?")
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A folder of clips with these captions, `01.mp4` and so on."""

    def folder(*captions: str, header: str = "clip\tcaption") -> Path:
        rows = [f"{number:02d}.mp4\t{caption}" for number, caption in enumerate(captions, start=1)]
        (tmp_path / "captions.tsv").write_text("\n".join([header, *rows, ""]))
        (tmp_path / "clips").mkdir()
        for row in rows:
            (tmp_path / "clips" / row.split("\t")[0]).touch()
        return tmp_path

    return folder


def ten(template: str) -> list[str]:
    return [template.format(number) for number in range(10)]


def refusal(folder: Path, *concepts: Concept, splits: dict[str, float] = SHARES) -> str:
    with pytest.raises(UserError) as caught:
        check_clips(folder, splits, 0, concepts)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{folder}/", "")


def test_ten_clips_are_enough(make: Make) -> None:
    check_clips(make(*ten("clip {} moves slowly")), SHARES, 0, [SPEED])


def test_every_clip_of_the_table_is_there(make: Make) -> None:
    folder = make(*ten("clip {} moves slowly"))
    (folder / "clips" / "03.mp4").unlink()
    (folder / "clips" / "07.mp4").unlink()
    expected = "expected the clips that captions.tsv names in clips, got no 03.mp4 and 1 more"
    assert refusal(folder, SPEED) == expected


def test_too_few_clips(make: Make) -> None:
    assert "expected more than 2 clips (1 validation, 1 held_out), got 2" in refusal(
        make("slowly", "quickly"), SPEED
    )


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        (["slowly", ""], "captions.tsv, line 3, column caption: expected text, got none"),
        (["slowly", "quickly", "a\tb"], "captions.tsv, line 4: expected 2 cells"),
    ],
)
def test_a_bad_row_is_named(make: Make, captions: list[str], message: str) -> None:
    assert refusal(make(*captions), SPEED).startswith(message)


def test_a_clip_has_one_row(make: Make) -> None:
    folder = make(*ten("clip {} moves slowly"))
    with (folder / "captions.tsv").open("a") as file:
        file.write("02.mp4\tonce more\n")
    expected = "captions.tsv, line 12, column clip: '02.mp4' stands there twice; remove one"
    assert refusal(folder, SPEED) == expected


def test_a_missing_column(make: Make) -> None:
    assert "missing: caption" in refusal(make(*ten("slowly {}"), header="clip\ttext"), SPEED)


def test_concepts_without_captions_are_named_one_by_one(make: Make) -> None:
    sky = Concept("day_night", "scene", "day", "night", "when ?")
    message = refusal(make(*ten("red clip {} moves slowly")), SPEED, sky, COLOUR)
    assert message == (
        "expected captions in captions.tsv with the words of every concept of the run, got too few"
        " for day_night (no new caption with 'day' or 'night' in train and held_out); add clips, or"
        " run those that have them (run.concepts: slowly_quickly, red_blue)"
    )


def test_a_held_out_caption_must_be_new(make: Make) -> None:
    """A vector is not tried on a pair that it was fitted on, whichever of its words was there."""
    folder = make("it moves slowly", *["it moves quickly"] * 9)
    assert "(no new caption with 'slowly' or 'quickly' in held_out)" in refusal(folder, SPEED)


def test_the_check_looks_at_the_splits_of_the_run(make: Make) -> None:
    """The one clip that has the word is in one split; only where that is training it helps."""
    found = set()
    folder = make(*["red square {number}"] * 9, "blue and slowly")
    table = read_table(folder / "captions.tsv", ("clip", "caption"))
    for seed in range(12):
        train = choose_split(table, "train", SHARES, seed, "")["caption"]
        fitted = bool(train.str.contains("slowly").any())
        with pytest.raises(UserError) as caught:
            check_clips(folder, SHARES, seed, [SPEED])
        assert ("in train" in str(caught.value)) == (not fitted)
        found.add(fitted)
    assert found == {True, False}
