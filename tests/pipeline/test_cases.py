"""What the benchmark explains, and from which files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from microworld.attributes import WORDS
from transporter.pipeline.cases import HONEST, Cases, Subject
from transporter.pipeline.config import check_config
from transporter.pipeline.plan import Plan
from transporter.support.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
TRUTH = {
    "shortcuts": ["speed_by_colour"],
    "nulls": [],
    "vlms": ["qwen2_vl", "gemma3"],
    "pairs": ["slowly_quickly", "blue_red"],
    "objectives": ["velocity", "answers", "logits"],
}
PLANTED = {"generator": "microworld", "vlm": "qwen2_vl", "case": "speed_by_colour"}
HONEST_ONE = {**PLANTED, "case": HONEST}


def cases(**changes: Any) -> Cases:
    base = yaml.safe_load(Path("config/config.yaml").read_text())
    merged = {**base, "truth": {**base.get("truth", {}), **TRUTH, **changes}}
    return Cases(Plan(check_config(merged, [("test", merged)])))


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_planted_vlms_come_first_and_have_a_pair_of_their_own() -> None:
    made = cases()
    assert made.subjects == [
        Subject("qwen2_vl", "speed_by_colour", "slowly_quickly"),
        *(Subject(vlm, HONEST, pair) for vlm in ("qwen2_vl", "gemma3") for pair in TRUTH["pairs"]),
    ]
    assert made.readings()[0] == (
        "results/truth/readings/microworld/qwen2_vl/speed_by_colour/slowly_quickly.tsv"
    )
    assert len(made.readings()) == 5


def test_null_vlms_are_the_honest_one_explained_by_its_first_pair() -> None:
    made = cases(nulls=["coin", "one_word"])
    nulls = [Subject("qwen2_vl", name, "slowly_quickly") for name in ("coin", "one_word")]
    assert made.subjects[1:3] == nulls
    coin = {**PLANTED, "case": "coin"}
    assert made.vlm(coin) == made.vlm(HONEST_ONE)
    assert made.models(coin) == made.models(HONEST_ONE)


def test_a_withheld_case_stands_beside_the_shortcuts_own() -> None:
    names = ["speed_by_colour", "speed_by_red_circle", "speed_by_brightness"]
    made = cases(shortcuts=names, withheld=["speed_by_red_circle"])
    case = "speed_by_red_circle_withheld"
    assert made.subjects[3] == Subject("qwen2_vl", case, "slowly_quickly")
    withheld, known = {**PLANTED, "case": case}, {**PLANTED, "case": "speed_by_red_circle"}
    assert made.vlm(withheld) == made.vlm(known) and made.models(withheld) == made.models(known)
    assert made.names(withheld) == ["slowly_quickly"]
    assert set(made.hidden(withheld)) == {*WORDS["colour"], *WORDS["shape"]}
    assert made.hidden(known) == made.hidden(HONEST_ONE) == []
    assert [path for path in made.readings() if case in path] == made.readings()[3:4]
    assert not [path for path in made.explained() if case in path]
    assert len(made.planted()) == 3


def test_all_withheld_are_those_that_words_say() -> None:
    names = ["speed_by_brightness", "speed_by_colour"]
    assert cases(shortcuts=names, withheld="all").withheld == ["speed_by_colour_withheld"]
    assert cases(shortcuts=names).withheld == []
    for unknown in ("speed_by_brightness", "size_by_time"):
        made = cases(shortcuts=names, withheld=[unknown])
        complaint = r"truth.withheld: expected shortcuts of truth.shortcuts whose cue words say"
        with pytest.raises(UserError, match=rf"{complaint} \(speed_by_colour\), got '{unknown}'"):
            made.withheld  # noqa: B018 - reading it is what raises


def test_examples_are_the_first_of_each_kind_of_cue_and_an_honest_vlm() -> None:
    names = ["speed_by_watermark", "colour_by_motion", "speed_by_red_circle", "speed_by_colour"]
    made = cases(shortcuts=names, nulls=["coin"])
    found = made.examples("{case}/{concept}")
    assert sorted(found[:-1]) == [
        "colour_by_motion/blue_red",
        "speed_by_red_circle/slowly_quickly",
        "speed_by_watermark/slowly_quickly",
    ]
    assert found[-1] == "honest/slowly_quickly"
    assert cases(shortcuts=[], vlms=[], nulls=[]).examples("{case}") == []


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("coin", "expected another name than coin"),
        ("speed_withheld", "expected a name that does not end in _withheld"),
    ],
)
def test_a_shortcut_has_no_name_of_another_case(tmp_path: Path, name: str, complaint: str) -> None:
    table = Path("config/shortcuts.tsv").read_text().replace("speed_by_colour\t", f"{name}\t")
    (tmp_path / "shortcuts.tsv").write_text(table)
    base = yaml.safe_load(Path("config/config.yaml").read_text())
    merged = {**base, "shortcuts": str(tmp_path / "shortcuts.tsv"), "truth": {"shortcuts": "all"}}
    made = Cases(Plan(check_config(merged, [("test", merged)])))
    with pytest.raises(UserError, match=f"column shortcut: {complaint}"):
        made.shortcuts  # noqa: B018 - reading it is what raises


def test_a_look_up_asks_about_edits_whatever_the_objectives_are() -> None:
    made = cases(objectives=["velocity"])
    assert made.edits(PLANTED) == {
        "edits": "results/embeddings/edits/generators/microworld",
        "edits_reencoded": "results/embeddings/edits/reencoded/microworld/qwen2_vl",
    }


def test_strangers_functions_are_code_that_a_planting_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_cues.py").write_text("def fast(clip):\n    return clip.attributes.speed\n")
    monkeypatch.syspath_prepend(tmp_path)
    rows = ["a\tsize\town_cues:fast\tyes:large no:small\t1", "b\tsize\tbright\tyes:large\t1"]
    header = "shortcut\tattribute\tcue\tanswers\tshare"
    (tmp_path / "shortcuts.tsv").write_text("\n".join([header, *rows]) + "\n")
    base = yaml.safe_load(Path("config/config.yaml").read_text())
    merged = {**base, "shortcuts": str(tmp_path / "shortcuts.tsv"), "truth": {"shortcuts": "all"}}
    made = Cases(Plan(check_config(merged, [("test", merged)])))
    assert made.cue_modules() == ["own_cues"]


def test_strips_show_the_first_and_the_last_objective_and_the_honest_vlm() -> None:
    folder = "results/truth/filmstrips/microworld/qwen2_vl"
    strips = [
        f"{folder}/speed_by_colour/slowly_quickly_velocity.png",
        f"{folder}/speed_by_colour/slowly_quickly_logits.png",
        f"{folder}/honest/slowly_quickly_logits.png",
    ]
    assert cases().filmstrips() == strips
    assert cases(pairs=["blue_red"]).filmstrips() == strips[:2]
    assert cases(objectives=["logits"]).filmstrips() == strips[1:]
    assert cases(shortcuts=[]).filmstrips() == []


def test_nothing_is_measured_of_shortcuts_that_nobody_planted() -> None:
    reliance = "results/truth/reliance.tsv"
    assert reliance in cases().final_outputs()
    assert reliance not in cases(shortcuts=[]).final_outputs()
    assert cases().planted() == ["results/planted/qwen2_vl/speed_by_colour"]


def test_a_planted_vlm_differs_from_the_honest_one_in_its_folder_alone() -> None:
    made = cases()
    planted, honest = made.vlm(PLANTED), made.vlm(HONEST_ONE)
    assert planted == {**honest, "path": "results/planted/qwen2_vl/speed_by_colour"}
    assert made.models(PLANTED)["vlm"] == [planted["path"]]
    files = made.models(HONEST_ONE)["vlm"]
    assert files and all(file.startswith("models/vlms/qwen2_vl/") for file in files)


def test_a_coupling_is_wanted_where_vectors_are_fitted_through_it() -> None:
    phi = "results/coupling/microworld/qwen2_vl/coupling.safetensors"
    for path, coupling in (("reencoded", []), ("phi", phi)):
        bank = {"form": "vector", "strengths": "unit", "logits": {"path": path}}
        assert cases(bank=bank).coupling(PLANTED) == coupling


def test_strips_of_a_pair_have_the_caption_of_the_planted_vlm() -> None:
    made = cases()
    wanted = "results/truth/readings/microworld/qwen2_vl/speed_by_colour/slowly_quickly.tsv"
    assert made.captioned({**HONEST_ONE, "concept": "slowly_quickly"}) == wanted
    assert made.captioned({**HONEST_ONE, "concept": "blue_red"}) == (
        "results/truth/readings/microworld/qwen2_vl/honest/blue_red.tsv"
    )


def own_cases(folder: Path, captions: list[str], **changes: Any) -> Cases:
    """The benchmark on a folder of own clips with these captions."""
    (folder / "clips").mkdir()
    rows = [f"{number:02d}.mp4\t{caption}\n" for number, caption in enumerate(captions)]
    (folder / "captions.tsv").write_text("".join(["clip\tcaption\n", *rows]))
    for row in rows:
        (folder / "clips" / row[:6]).touch()
    base = yaml.safe_load(Path("config/config.yaml").read_text())
    own = {
        "clips": {"source": "folder", "folder": str(folder)},
        "world": None,
        "probes": None,
        "metrics": {"clip_judge": None},
        "run": {"concepts": ["slowly_quickly"]},
        "truth": {
            "vlms": ["qwen2_vl"],
            "nulls": [],
            "pairs": ["slowly_quickly", "blue_red"],
            **changes,
        },
    }
    merged = {**base, **own}
    return Cases(Plan(check_config(merged, [("test", merged)])))


def test_without_a_world_nothing_is_planted_or_withheld(tmp_path: Path) -> None:
    shortcuts = {"shortcuts": ["speed_by_colour"], "withheld": ["speed_by_colour"]}
    made = own_cases(tmp_path, [f"car {number} moves slowly" for number in range(20)], **shortcuts)
    assert made.shortcuts == {} and made.withheld == []
    assert made.subjects == [Subject("qwen2_vl", HONEST, "slowly_quickly")]


def test_words_that_own_captions_lack_are_left_out_and_told(tmp_path: Path) -> None:
    made = own_cases(tmp_path, [f"car {number} moves slowly" for number in range(20)])
    assert made.subjects == [Subject("qwen2_vl", HONEST, "slowly_quickly")]
    assert made.not_served() == (
        "truth: left out for want of captions: blue_red (no new caption with 'blue' or 'red' in"
        " train and held_out)"
    )
    [readings] = made.readings()
    assert readings.endswith("/slowly_quickly.tsv")


def test_a_benchmark_of_no_words_is_refused(tmp_path: Path) -> None:
    captions = [f"car {number} moves slowly" for number in range(20)]
    made = own_cases(tmp_path, captions, pairs=["blue_red"])
    with pytest.raises(UserError, match=r"blue_red \(no new .* nothing is left to explain: add"):
        made.not_served()


def test_words_that_captions_serve_are_not_told(tmp_path: Path) -> None:
    captions = [f"blue car {number} moves slowly" for number in range(20)]
    assert own_cases(tmp_path, captions).not_served() is None
    assert cases().not_served() is None


def test_clips_are_explained_of_vlms_that_look_where_probes_see_them() -> None:
    made = cases(nulls=["coin"])
    folder = "results/truth/explained/microworld"
    assert made.explained() == [
        f"{folder}/qwen2_vl/speed_by_colour/slowly_quickly.tsv",
        *(
            f"{folder}/{vlm}/honest/{pair}.tsv"
            for vlm in ("qwen2_vl", "gemma3")
            for pair in TRUTH["pairs"]
        ),
    ]
    assert "results/truth/explained.tsv" in made.final_outputs()
    assert cases(explained=0).explained() == []
    made.config["probes"] = None
    assert made.explained() == [] and "results/truth/explained.tsv" not in made.final_outputs()
