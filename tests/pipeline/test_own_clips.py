"""A user's own clips are refused before any job, in one line that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from transporter.clips.captions_layout import read_captions
from transporter.clips.contrast import Concept
from transporter.clips.readable import Part
from transporter.pipeline.clip_contents import clip_contents
from transporter.pipeline.own_clips import (
    FAILED,
    READABLE,
    check_clips,
    check_left_out,
    check_words,
    clips_hash,
    left_out_line,
    lost_parts,
    run_lacks,
    sort_out,
    used_clips,
)
from transporter.pipeline.splitting import choose_split
from transporter.support.errors import UserError
from transporter.support.files import read_table, write_table

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


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../secret.mp4",
        "day1/../../secret.mp4",
        "..",
        "./03.mp4",
        "day1//03.mp4",
        "day1/",
        r"..\secret.mp4",
        "03.mp4\x1b[31m",
        "03.mp4\0",
        "../" * 200,
    ],
)
def test_names_that_lead_out_of_the_folder_are_refused(make: Make, name: str) -> None:
    folder = make(*ten("clip {} moves slowly"))
    text = (folder / "captions.tsv").read_text()
    (folder / "captions.tsv").write_text(text.replace("03.mp4", name, 1))
    message = refusal(folder, SPEED)
    expected = "captions.tsv, line 4, column clip: expected the name of a file in clips, as"
    assert message.startswith(expected) and message.isprintable() and len(message) < 300


def test_clips_may_lie_in_folders(make: Make) -> None:
    """Also below a link to the folder, and with links from one clip to another."""
    folder = make(*ten("day/{} moves slowly"))
    text = (folder / "captions.tsv").read_text()
    (folder / "captions.tsv").write_text(text.replace("03.mp4", "day1/03.mp4"))
    (folder / "clips" / "day1").mkdir()
    (folder / "clips" / "03.mp4").rename(folder / "clips" / "day1" / "03.mp4")
    (folder / "clips" / "04.mp4").unlink()
    (folder / "clips" / "04.mp4").symlink_to("day1/03.mp4")
    (folder / "clips").rename(folder / "elsewhere")
    (folder / "clips").symlink_to("elsewhere")
    check_clips(folder, SHARES, 0, [SPEED])


@pytest.mark.parametrize("folder_too", [False, True])
def test_links_that_lead_out_of_the_folder_are_refused(make: Make, folder_too: bool) -> None:
    folder = make(*ten("clip {} moves slowly"))
    (folder / "secret").mkdir()
    (folder / "secret" / "a.mp4").touch()
    text, name = (folder / "captions.tsv").read_text(), "03.mp4"
    if folder_too:
        name = "day1/a.mp4"
        (folder / "clips" / "day1").symlink_to(folder / "secret")
        (folder / "captions.tsv").write_text(text.replace("03.mp4", name))
    else:
        (folder / "clips" / name).unlink()
        (folder / "clips" / name).symlink_to(folder / "secret" / "a.mp4")
    expected = f"expected the clips that captions.tsv names in clips, got the link {name}, which"
    assert refusal(folder, SPEED).startswith(expected)


def test_a_folder_is_no_clip(make: Make) -> None:
    folder = make(*ten("clip {} moves slowly"))
    (folder / "clips" / "03.mp4").unlink()
    (folder / "clips" / "03.mp4").mkdir()
    assert "got no 03.mp4" in refusal(folder, SPEED)


def test_a_missing_column(make: Make) -> None:
    assert "missing: caption" in refusal(make(*ten("slowly {}"), header="clip\ttext"), SPEED)


SKY = Concept("day_night", "scene", "day", "night", "when ?")


def test_a_run_goes_on_without_a_rare_word(make: Make) -> None:
    folder = make(*ten("red clip {} moves slowly"))
    check_clips(folder, SHARES, 0, [SPEED, SKY, COLOUR])
    assert run_lacks(folder, SHARES, 0, [SPEED, SKY, COLOUR]) == {
        "day_night": "no new caption with 'day' or 'night' in train and held_out"
    }
    assert refusal(folder, SKY).endswith(
        "(no new caption with 'day' or 'night' in train and held_out); add clips"
    )


def test_concepts_without_captions_are_named_one_by_one(make: Make) -> None:
    table = read_captions(make(*ten("red clip {} moves slowly")) / "captions.tsv")
    with pytest.raises(UserError) as caught:
        check_words(table, SHARES, 0, [SPEED, SKY, COLOUR], Path("captions.tsv"))
    assert str(caught.value) == (
        "expected captions in captions.tsv with the words of every concept of the run, got too few"
        " for day_night (no new caption with 'day' or 'night' in train and held_out); add clips, or"
        " run those that have them (run.concepts: slowly_quickly, red_blue)"
    )


def test_a_held_out_caption_must_be_new(make: Make) -> None:
    """A vector is not tried on a pair that it was fitted on, whichever of its words was there."""
    folder = make("it moves slowly", *["it moves quickly"] * 9)
    assert "(no new caption with 'slowly' or 'quickly' in held_out)" in refusal(folder, SPEED)


def test_what_lacks_is_what_all_pairs_say(make: Make) -> None:
    """The check stops at the first caption that serves; here all pairs of all captions are made."""
    random = np.random.default_rng(0)
    words = np.array(["slowly", "Quickly", *["it moves"] * 6])
    captions = [f"red {' '.join(words[random.integers(len(words), size=2)])}" for _ in range(10)]
    folder = make(*captions)
    table = read_captions(folder / "captions.tsv")
    found = set()
    for seed in range(40):
        lacks = run_lacks(folder, SHARES, seed, [SPEED, COLOUR])
        train, held_out = (
            choose_split(table, split, SHARES, seed, "")["caption"].tolist()
            for split in ("train", "held_out")
        )
        for concept in (SPEED, COLOUR):
            fitted, fresh = (set(concept.contexts(some)) for some in (train, held_out))
            expected = (not fitted, not fresh - fitted)
            lack = lacks.get(concept.name, "")
            assert ("train" in lack, "held_out" in lack) == expected
            found.add(expected)
    assert len(found) == 3


def test_of_many_captions_few_are_looked_at(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run of ten thousand clips and fifty concepts must not take minutes."""
    folder, asked, pair = make(*[f"clip {n} moves slowly" for n in range(300)]), [], Concept.pair
    monkeypatch.setattr(Concept, "pair", lambda self, text: asked.append(text) or pair(self, text))
    assert run_lacks(folder, SHARES, 0, [SPEED] * 5) == {}
    assert len(asked) < 5 * 5


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


@pytest.fixture
def folder(make: Make, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty clips of different bytes, the working folder beside them."""
    made = make(*(f"clip {number} moves slowly" for number in range(20)))
    for clip in (made / "clips").iterdir():
        clip.write_text(clip.name)
    monkeypatch.chdir(made)
    return made


def hashes(folder: Path) -> dict[str | None, str]:
    return {split: clips_hash(folder, SHARES, 0, split) for split in (*SHARES, None)}


def changed(folder: Path, before: dict[str | None, str]) -> set[str | None]:
    return {split for split, value in hashes(folder).items() if value != before[split]}


def test_a_split_is_known_by_what_its_own_clips_hold(folder: Path) -> None:
    before = hashes(folder)
    table = read_captions(folder / "captions.tsv")
    for split in SHARES:
        clip = choose_split(table, split, SHARES, 0, "")["clip"][0]
        (folder / "clips" / clip).write_text("other bytes")
        assert changed(folder, before) == {split, None}
        (folder / "clips" / clip).write_text(clip)
        assert changed(folder, before) == set()


def test_a_split_is_known_by_its_captions(folder: Path) -> None:
    before = hashes(folder)
    table = read_captions(folder / "captions.tsv")
    clip = choose_split(table, "held_out", SHARES, 0, "")["clip"][0]
    table.loc[table["clip"] == clip, "caption"] += " now"
    write_table(table, folder / "captions.tsv")
    assert changed(folder, before) == {"held_out", None}


def test_clips_that_cannot_be_read_are_sorted_out(folder: Path) -> None:
    table = read_captions(folder / "captions.tsv")
    contents = clip_contents(folder / "clips", table["clip"].tolist())
    parts = {clip: [Part(0.5, "")] for clip in [*table["clip"], "other.mp4"]}
    parts |= {"07.mp4": [Part(0.5, "empty")], "02.mp4": [Part(0.5, "truncated")]}
    readable, failed = sort_out(table, parts, contents, 1)
    assert failed["clip"].tolist() == ["02.mp4", "07.mp4"]
    assert failed["reason"].tolist() == ["truncated", "empty"]
    assert tuple(readable.columns) == READABLE and len(readable) == 18
    assert readable["sha256"][0] == sha256(b"01.mp4").hexdigest()
    assert set(readable["start"]) == {"0.5"} and readable["file"].equals(readable["clip"])
    assert sorted([*readable["clip"], *failed["clip"]]) == table["clip"].tolist()


def test_windows_of_a_clip_are_rows_of_their_own(folder: Path) -> None:
    table = read_captions(folder / "captions.tsv").iloc[:2]
    contents = clip_contents(folder / "clips", table["clip"].tolist())
    parts = {
        "01.mp4": [Part(0.0, ""), Part(2.125, "damaged"), Part(4.25, "")],
        "02.mp4": [Part(0.0, "")],
    }
    readable, failed = sort_out(table, parts, contents, 3)
    names = ["01.mp4@0.000s", "01.mp4@4.250s", "02.mp4@0.000s"]
    assert readable["clip"].tolist() == names
    assert readable["file"].tolist() == ["01.mp4", "01.mp4", "02.mp4"]
    assert readable["caption"].tolist() == [table["caption"].iloc[row] for row in (0, 0, 1)]
    assert failed.to_numpy().tolist() == [["01.mp4@2.125s", "damaged"]]
    assert lost_parts(parts, 3) == {"01.mp4@2.125s": "damaged"}


def test_a_clip_that_is_called_like_a_window_is_another(folder: Path) -> None:
    table = pd.DataFrame([("a.mp4", "x"), ("a.mp4@2.000s", "y")], columns=["clip", "caption"])
    parts = {"a.mp4": [Part(0.0, ""), Part(2.0, "")], "a.mp4@2.000s": [Part(0.0, "")]}
    readable, _ = sort_out(table, parts, dict.fromkeys(parts, "0"), 2)
    assert readable["clip"].is_unique and len(readable) == 3


def test_too_many_left_out_clips_stop_the_run() -> None:
    reasons = {f"{number:02d}.mp4": f"reason {number}" for number in (3, 5, 8, 9)}
    with pytest.raises(UserError) as caught:
        check_left_out(reasons, 20, 0.19, Path("clips"))
    assert str(caught.value) == (
        "clips: expected at most 19% of 20 clips to be left out (clips.left_out), got 4: 03.mp4:"
        " reason 3; 05.mp4: reason 5; 08.mp4: reason 8 and 1 more"
    )
    check_left_out(reasons, 20, 0.2, Path("clips"))


def test_clips_of_no_split_are_not_used(folder: Path) -> None:
    table, sizes = (
        read_captions(folder / "captions.tsv"),
        {"train": 5, "validation": 1, "held_out": 2},
    )
    used = used_clips(table, sizes, 0, Path("captions.tsv"))["clip"].tolist()
    assert len(used) == 8 and used == sorted(used)


def test_clips_left_out_serve_no_concept(make: Make) -> None:
    """The one held-out clip with the word cannot be read."""
    captions = [f"red {number}" for number in range(10)]
    table = read_captions(make(*captions) / "captions.tsv")
    held_out, train = (
        choose_split(table, split, SHARES, 0, "")["clip"].tolist()
        for split in ("held_out", "train")
    )
    table.loc[table["clip"].isin([held_out[0], *train]), "caption"] += " moves slowly"
    check_words(table, SHARES, 0, [SPEED], Path("captions.tsv"))
    with pytest.raises(UserError, match=r"but for 1 clips that are left out .* in held_out"):
        check_words(table, SHARES, 0, [SPEED], Path("captions.tsv"), [held_out[0]])


def test_left_out_clips_are_told_in_a_line(tmp_path: Path) -> None:
    failed, split = (str(tmp_path / f"{name}.tsv") for name in ("failed", "train"))
    assert left_out_line(failed, [split]) is None
    write_table(
        pd.DataFrame([("a.mp4", "a cat", "a.mp4", "0.0", "0")], columns=list(READABLE)), split
    )
    write_table(pd.DataFrame([], columns=list(FAILED)), failed)
    assert left_out_line(failed, [split]) is None
    lost = [(f"{name}.mp4", "empty") for name in "bcde"]
    write_table(pd.DataFrame(lost, columns=list(FAILED)), failed)
    assert left_out_line(failed, [split]) == (
        f"4 of 5 clips were left out: b.mp4, c.mp4, d.mp4 and 1 more; {failed} says why"
    )
