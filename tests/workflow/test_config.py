"""Settings are checked before any job starts, and what is wrong with them is said in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pipeline import ROOT, copy_project, snakemake, transporter
from refused import refusal, within

from transporter.clips.contrast import read_concepts
from transporter.concepts.objectives import OBJECTIVES
from transporter.concepts.settings import BankSettings, ObjectiveName
from transporter.coupling.settings import CouplingSettings
from transporter.pipeline.config import check_config, load_config, settings_table, typed
from transporter.pipeline.settings import Settings
from transporter.statistics.divergences import DIVERGENCES
from transporter.support.refusals import any_key
from transporter.support.settings import schema

BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": (
        {"generation": {"sed": 8}},
        (
            "broken.yaml: generation.sed: expected one of the keys phi, spacing_rounds, seeds,"
            " methods, got an unknown key; did you mean seeds?"
        ),
    ),
    "wrong type": ({"seed": "many"}, "broken.yaml: seed: expected an integer, got 'many' (string)"),
    "unknown concept": (
        {"run": {"concepts": ["red_bleu"]}},
        "broken.yaml: run.concepts: expected names from config/concepts.tsv",
    ),
    "missing clips": (
        {"clips": {"source": "folder", "folder": "my_clips"}},
        (
            "broken.yaml: clips.folder: expected a folder with captions.tsv and clips/, got no"
            " my_clips"
        ),
    ),
    "frames that the generator cannot make": (
        {"generators": {"microworld": {"frames": 16}}},
        "broken.yaml: generators.microworld.frames: expected 4 k + 1 frames, got 16; 17 works",
    ),
    "a shortcut that is not there": (
        {"truth": {"shortcuts": ["nope"]}},
        "config/shortcuts.tsv: no shortcut named nope; it has",
    ),
    "a strength that is no number": (
        {"generation": {"phi": [0, float("nan"), 1]}},
        "broken.yaml: generation.phi[1]: expected a finite number, got nan (number)",
    ),
    "phi out of order": (
        {"generation": {"phi": [0, 0.4, 0.2, 1]}},
        "broken.yaml: generation.phi: expected numbers in rising order, got [0, 0.4, 0.2, 1]",
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("config") / "project")


@pytest.mark.parametrize("name", BROKEN)
def test_snakemake_stops_before_any_job_with_one_line(project: Path, name: str) -> None:
    settings, expected = BROKEN[name]
    (project / "broken.yaml").write_text(yaml.safe_dump(settings))
    done = snakemake(project, "--dry-run", "--configfile", "broken.yaml")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert "rule " not in done.stdout
    assert done.stdout.splitlines()[-1].startswith(expected), done.stdout


def test_command_line_values_are_checked_too(project: Path) -> None:
    done = snakemake(project, "--dry-run", "--config", "seed=-1")
    assert "--config: seed: expected at least 0, got -1 (integer)" in done.stdout


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            "generators.microworld.adapter",
            "wann",
            "expected module:Class or one of the installed generators (cogvideox, hunyuan_video,"
            " wan), got 'wann'; did you mean wan?",
        ),
        (
            "generators.my model",
            {"adapter": "wan", "path": "a/b"},
            "expected names of letters, digits",
        ),
        (
            "generators.microworld.path",
            "models/nothing",
            "expected a model's folder, got models/nothing, which is not there",
        ),
        (
            "vlms.qwen2_vl.frames",
            18,
            "expected at most the frames of microworld (17), got 18",
        ),
        (
            "run.vlms",
            ["other"],
            "expected names from vlms (qwen2_vl, video_llama3, gemma3), got 'other'",
        ),
        (
            "truth.vlms",
            ["other"],
            "expected names from vlms (qwen2_vl, video_llama3, gemma3), got 'other'",
        ),
        ("run.concepts", "red_blue", "expected 'all' or a list, got 'red_blue' (string)"),
        (
            "generation.phi",
            [0, 0.5],
            "expected a list that holds 0 (source) and 1 (target), got [0, 0.5]",
        ),
        ("generation.methods", ["transporter", "transporter"], "expected no entry twice"),
        ("clips.start", -1, "clips.start: expected at least 0, got -1 (integer)"),
        ("clips.seconds", 0, "clips.seconds: expected 'all', or seconds, more than 0, got 0"),
        ("clips.seconds", float("nan"), "clips.seconds: expected a finite number, got nan"),
        ("clips.seconds", "some", "clips.seconds: expected 'all', or seconds, more than 0"),
        ("clips.fit", "squash", "clips.fit: expected one of crop, pad, stretch, got 'squash'"),
        ("coupling.phi_1.patch", [1, 2], "expected at least 3 entries, got [1, 2] (list)"),
        ("gallery.seeds", 99, "expected at most generation.seeds (8), got 99"),
        (
            "figures.injection.concepts",
            ["red_bleu"],
            "figures.injection.concepts: expected concepts of the run (red_blue, green_yellow",
        ),
        (
            "figures.several",
            [["red_blue", "sky"]],
            "figures.several[0]: expected concepts of the run (red_blue, green_yellow",
        ),
        (
            "figures.injection.parts",
            13,
            "figures.injection.parts: expected at most the generator's steps (12), got 13",
        ),
        ("coupling.lr", 0, "expected more than 0, got 0 (integer)"),
        (
            "concepts",
            "nowhere.tsv",
            "expected a table of concepts, got nowhere.tsv, which is not there",
        ),
        (
            "shortcuts",
            "nowhere.tsv",
            "expected a table of shortcuts, got nowhere.tsv, which is not there",
        ),
        ("bank", None, "expected a mapping, got None (null)"),
        ("run.concepts", [], "run.concepts: expected at least 1 entry, got [] (list)"),
        (
            "clips.splits.train",
            1.5,
            "clips.splits.train: expected a number of clips, or a share between 0 and 1, got 1.5",
        ),
        (
            "clips.splits.train",
            0.5,
            "clips.splits.train: expected a number of clips of the world, got the share 0.5",
        ),
        (
            "clips",
            {"source": "folder", "splits": {"train": 0.9}},
            "clips.splits: expected shares that add up to 1 at most, got 1.2",
        ),
    ],
)
def test_refusals_name_file_key_expectation_and_value(
    base: dict[str, Any], path: str, value: Any, expected: str
) -> None:
    message = refusal(within(base, path, value))
    assert message.startswith("mine.yaml: ")
    assert expected in message


def test_a_missing_key_without_default(base: dict[str, Any]) -> None:
    del base["generators"]["microworld"]["path"]
    assert "generators.microworld.path: expected a value, got none" in refusal(base)


def test_concepts_are_checked_by_line(base: dict[str, Any]) -> None:
    with Path("config/concepts.tsv").open("a") as file:
        file.write("a/b\tobject\tred\tblue\twhat ?\n")
    expected = (
        "config/concepts.tsv, line 14, column concept: expected a name of letters, digits, '_', '.'"
    )
    assert refusal(base).startswith(expected)


def test_one_rule_for_names_of_concepts_and_models(base: dict[str, Any]) -> None:
    with Path("config/concepts.tsv").open("a") as file:
        file.write("red.blue\tobject\tred\tblue\twhat ?\n")
    base["run"]["concepts"] = ["red.blue"]
    base["generators"]["my.model"] = base["generators"]["microworld"]
    assert check_config(base, [("base.yaml", base)])["run"]["concepts"] == ["red.blue"]


def test_numbers_of_a_command_line() -> None:
    assert typed(
        {
            "bank": {"steps": "5", "tokens": "each"},
            "generation": {"phi": ["0", "0.5", "1"]},
            "seed": 1,
        }
    ) == {
        "bank": {"steps": 5, "tokens": "each"},
        "generation": {"phi": [0, 0.5, 1]},
        "seed": 1,
    }
    assert typed("a: b: c") == "a: b: c"


def test_defaults_are_filled_in(base: dict[str, Any]) -> None:
    full = check_config(base, [("base.yaml", base)])
    assert full["generators"]["microworld"]["frames"] == 17
    assert full["generation"]["methods"] == ["transporter", "random", "prompt_interpolation"]
    assert check_config(full, [("base.yaml", full)]) == full


def test_the_default_file_says_nothing_but_defaults(base: dict[str, Any]) -> None:
    """Other files are laid over it, and what they leave out must not depend on it."""
    bare = {kind: base[kind] for kind in ("generators", "vlms")}
    assert check_config(base, [("a", base)]) == check_config(bare, [("b", bare)])


def test_the_library_takes_what_the_settings_are_completed_to(base: dict[str, Any]) -> None:
    full = check_config(base, [("base.yaml", base)])
    coupling = {key: full["coupling"][key] for key in CouplingSettings().as_dict()}
    assert CouplingSettings.from_mapping(coupling) == CouplingSettings()
    assert BankSettings.from_mapping(full["bank"], seed=0) == BankSettings()


def test_choices_are_those_that_the_library_has() -> None:
    """Registries stand above the settings, which so repeat their names."""
    assert set(get_args(ObjectiveName)) == set(OBJECTIVES)
    assert set(schema(BankSettings)["properties"]["divergence"]["enum"]) == set(DIVERGENCES)


@pytest.mark.parametrize("name", ["config", "miniature", "paper", "one_gpu"])
def test_shipped_settings_are_valid(base: dict[str, Any], name: str) -> None:
    clips = Path("clips") / "clips"
    clips.mkdir(parents=True)
    rows = [f"{number}.mp4\t{caption}" for number, caption in enumerate(_captions(1600))]
    Path("clips/captions.tsv").write_text("\n".join(["clip\tcaption", *rows]) + "\n")
    for number in range(len(rows)):
        (clips / f"{number}.mp4").touch()
    load_config(ROOT / "config" / f"{name}.yaml")


def _captions(count: int) -> list[str]:
    """Different captions, each with a word of every concept."""
    words = [concept.source for concept in read_concepts("config/concepts.tsv")]
    return [f"clip {number} : {' , '.join(dict.fromkeys(words))}" for number in range(count)]


def test_the_readme_documents_every_key_and_no_other() -> None:
    """`transporter settings` prints the table as it must stand there."""
    assert settings_table() in (ROOT / "config" / "README.md").read_text()


def test_every_key_has_a_description() -> None:
    def check(part: dict[str, Any]) -> None:
        inner = [*part.get("properties", {}).values(), *filter(None, [any_key(part)])]
        for some in inner:
            assert some["description"].endswith(".")
            check(some)

    check(schema(Settings))


def test_the_command_line_says_it_in_one_line_too(project: Path) -> None:
    (project / "broken.yaml").write_text("generators: {}\nvlms: {}\n")
    done = transporter(project, "config", "broken.yaml")
    assert done.returncode == 2
    assert (
        done.stdout
        == "transporter: broken.yaml: generators: expected at least 1 entry, got {} (mapping)\n"
    )


def test_the_command_line_fills_defaults_in(project: Path) -> None:
    done = transporter(project, "config")
    assert done.returncode == 0
    assert yaml.safe_load(done.stdout)["generators"]["microworld"]["frames"] == 17
