"""The command line on the shipped models: what it makes, and what it refuses, in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

import transporter
from transporter.cli import VERBS, main
from transporter.clips.reading import read_video
from transporter.clips.writing import write_video
from transporter.concepts.bank import ConceptBank

ROOT = Path(__file__).resolve().parents[1]
CAPTION = "a red circle moves left on grass during the day"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The one line that a refused command says; bars of libraries that were imported before the
        command began, as they are in tests, may stand above it.
        """
        assert self.code == 2, self.err
        [line] = [line for line in self.err.splitlines() if line.startswith("transporter: ")]
        assert self.err.endswith(f"{line}\n")
        return line.removeprefix("transporter: ")


Run = Callable[..., Done]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose settings sample in three steps, with the bank of a run."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("models", "Snakefile"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "config").mkdir()
    for table in ("concepts.tsv", "shortcuts.tsv"):
        (folder / "config" / table).symlink_to(ROOT / "config" / table)
    settings = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    settings["generators"]["microworld"]["steps"] = 3
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    random = torch.Generator().manual_seed(0)
    vectors = {name: torch.randn(16, 96, generator=random) for name in ("day_night", "red_blue")}
    ConceptBank(vectors).save(folder / "results/concepts/microworld/qwen2_vl/bank.safetensors")
    return folder


@pytest.fixture
def run(checkout: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in the checkout."""
    monkeypatch.chdir(checkout)

    def call(*arguments: object) -> Done:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        capture = capfd.readouterr()
        return Done(ended.value.code, capture.out, capture.err)

    return call


def test_as_a_person_types_it(checkout: Path, tmp_path: Path) -> None:
    """In any folder, in a process of its own; no library says anything."""
    code = "from transporter.cli import main; main()"

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert typed("--version").stdout == f"transporter {transporter.__version__}\n"
    refused = typed("generate", "a red circle", "--steps", "0.5")
    assert refused.returncode == 2
    expected = "transporter: --steps: expected FIRST:LAST such as 0.5:1, got '0.5'\n"
    assert refused.stderr == expected
    made = typed("generate", CAPTION, "--configfile", str(checkout / "config" / "config.yaml"))
    assert (made.returncode, made.stdout, made.stderr) == (0, "wrote video.mp4\n", "")
    assert read_video(tmp_path / "video.mp4", 17, 64, 64).std() > 0


def test_help_names_every_verb(run: Run) -> None:
    for arguments in ((), ("--help",)):
        done = run(*arguments)
        assert done.code == 0
        assert all(f"  {verb.__name__.replace('_', '-')} " in done.out for verb in VERBS)


def test_shells_complete_the_verbs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TRANSPORTER_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "transporter s")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run().out.split() == ["settings", "sweep", "serve", "snapshot"]


def test_settings_are_printed_whole(run: Run, checkout: Path, tmp_path: Path) -> None:
    done = run("config", checkout / "config" / "config.yaml")
    assert yaml.safe_load(done.out)["generators"]["microworld"]["steps"] == 3
    assert yaml.safe_load(run("config").out) == yaml.safe_load(done.out)
    assert "| `bank.steps` | `150` |" in run("settings").out
    missing = tmp_path / "nothing.yaml"
    assert (
        run("config", missing).refusal == f"{missing}: expected a YAML file, got No such file"
        " or directory"
    )


def test_concepts_are_listed_with_what_the_bank_holds(run: Run) -> None:
    lines = [line.split() for line in run("concepts").out.splitlines()]
    held = {words[0]: words[-1] for words in lines[1:] if len(words) > 3}
    assert held["day_night"] == held["red_blue"] == "yes"
    assert held["slowly_quickly"] == "no"
    other = run("concepts", "--vlm", "gemma3")
    assert "no bank at results/concepts/microworld/gemma3/bank.safetensors" in other.out


def test_generate_writes_what_the_library_makes(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "new" / "video.mp4"
    options = ("--out", out, "--concept", "day_night=0.5", "--seed", 3)
    done = run("generate", f"{CAPTION.capitalize()}.", *options)
    assert (done.code, done.out) == (0, f"wrote {out}\n"), done.err
    explainer = transporter.Explainer.from_pretrained()
    expected = explainer.generate(CAPTION, {"day_night": 0.5}, seed=3)
    write_video(tmp_path / "expected.mp4", expected, explainer.generator.fps)
    assert out.read_bytes() == (tmp_path / "expected.mp4").read_bytes()
    assert run("generate", CAPTION, *options).refusal.startswith(f"--out: {out} is there already")
    quiet = run("generate", CAPTION, "--out", out, "--concept", "day_night=-1", "--force", "-q")
    assert (quiet.code, quiet.out) == (0, "")
    assert "transporter: --concept day_night: -1 lies outside of 0 (source) to 1" in quiet.err
    assert out.read_bytes() != (tmp_path / "expected.mp4").read_bytes()


def test_generate_warns_where_the_caption_lacks_the_word(run: Run, tmp_path: Path) -> None:
    options = ("--out", tmp_path / "video.mp4", "--concept", "day_night=1", "--force", "-q")
    warning = "transporter: --concept day_night: expected 'day' in the caption, once"
    assert warning in run("generate", "a red circle moves left on grass", *options).err
    assert warning in run("generate", CAPTION.replace("day", "night"), *options).err
    assert warning not in run("generate", CAPTION, *options).err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--concept", "slowly_quickly"],
            "--concept: expected NAME=PHI such as slowly_quickly=0.5, got 'slowly_quickly'",
        ),
        (["--concept", "day_night=much"], "--concept: expected a number, got 'much'"),
        (["--concept", "day_night=nan"], "--concept: expected a number, got 'nan'"),
        (["--concept", "day_night=inf"], "--concept: expected a number, got 'inf'"),
        (
            ["--concept", "day_night=1", "--concept", "day_night=0"],
            "--concept: expected each concept once, got day_night twice",
        ),
        (
            ["--concept", "day_nigth=1"],
            "--concept: expected one of day_night, red_blue, got 'day_nigth'; did you mean"
            " day_night?",
        ),
        (
            ["--concept", "day_night=1e300"],
            "--concept: expected at most 1000 in size, got '1e300'",
        ),
        (["--where", "map"], "--where: expected a --concept whose words have places, got none"),
        (
            ["--concept", "red_blue=1", "--where", "mask"],
            "Invalid value for '--where': Value error, 'mask' is not one of 'map'.",
        ),
        (
            ["--seed", "9" * 30],
            "Invalid value for '--seed': Input should be less than or equal to 4294967295",
        ),
        (["--steps", "0.5"], "--steps: expected FIRST:LAST such as 0.5:1, got '0.5'"),
        (["--frames", "1:0"], "--frames: expected 0 <= FIRST < LAST <= 1, got '1:0'"),
        (
            ["--out", "video.gif"],
            "--out: expected the name of a file that ends in .mp4, got video.gif",
        ),
        (["--generator", "wan"], "generator: expected one of microworld, got 'wan'"),
        (
            ["--concept", "day_night=1", "--vlm", "gemma3"],
            "results/concepts/microworld/gemma3/bank.safetensors: expected a concept bank, found no"
            " such file; fit one first",
        ),
        (
            ["--configfile", "no.yaml"],
            "no.yaml: expected a YAML file, got No such file or directory",
        ),
        (["--nothing"], "No such option: --nothing"),
    ],
)
def test_generate_refuses_in_one_line(run: Run, options: list[str], message: str) -> None:
    assert run("generate", CAPTION, *options).refusal == message
    assert not Path("video.mp4").exists()


def test_generate_where_the_words_are(run: Run, tmp_path: Path) -> None:
    out, concept = tmp_path / "video.mp4", ("--concept", "red_blue=1", "--where", "map")
    done = run("generate", CAPTION, *concept, "--out", out)
    assert done.code == 0, done.err
    explainer = transporter.Explainer.from_pretrained()
    for where, same in (("map", True), (None, False)):
        video = explainer.generate(CAPTION, {"red_blue": 1.0}, where=where)
        write_video(tmp_path / "expected.mp4", video, explainer.generator.fps)
        assert (out.read_bytes() == (tmp_path / "expected.mp4").read_bytes()) is same
    refusal = run("generate", "a green circle moves left", *concept).refusal
    assert refusal == (
        "caption: expected one that holds 'red' or 'blue' once, got 'a green circle moves left';"
        " where red_blue acts is where that word is"
    )


def test_generate_names_words_that_nobody_knows(run: Run) -> None:
    refusal = run("generate", "An elephant moves left on gras").refusal
    assert "'elephant'" in refusal
    assert "'gras' (did you mean grass?)" in refusal
    assert not Path("video.mp4").exists()


def test_a_first_look_needs_no_run(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "look.html"
    done = run("demo", "--concept", "up_down", "--out", out)
    assert done.code == 0, done.err
    assert done.out.endswith(f"wrote {out}; open it in a browser\n")
    page = out.read_text()
    assert page.count("<video") == 3 and ": up → down</figcaption>" in page
    assert "http" not in page and "<script" not in page
    assert run("demo", "--out", out).refusal.startswith(f"--out: {out} is there already")
    expected = "--out: expected the name of a file that ends in .html, got look.mp4"
    assert run("demo", "--out", "look.mp4").refusal == expected


def test_sweep_refuses_a_strength_twice_before_it_loads_a_model(run: Run) -> None:
    done = run("sweep", CAPTION, "--concept", "day_night", "--phi", 1, "--phi", 1.0, "-q")
    assert done.refusal == "--phi: expected each strength once, got 1.0, 1.0"


def test_sweep_writes_clips_and_readings(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    options = ("--concept", "day_night", "--phi", 0, "--phi", 1, "--out", out)
    done = run("sweep", CAPTION, *options)
    assert done.code == 0, done.err
    assert done.out.endswith(f"wrote {out}\n")
    assert read_video(out / "clips" / "phi0.mp4", 17, 64, 64).shape == (17, 3, 64, 64)
    assert run("sweep", CAPTION, *options).refusal.startswith(f"--out: {out} is there already")
    refusal = run("sweep", CAPTION, "--concept", "up_down", "--out", tmp_path / "other").refusal
    assert refusal.startswith("concept up_down: expected one of the bank (day_night, red_blue)")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--vlm", "other"], "vlm: expected one of qwen2_vl, video_llama3, gemma3, got 'other'"),
        (
            ["--weights", "nowhere"],
            "weights: expected a model's folder, got nowhere, which is not there",
        ),
        (["--top", "0"], "Invalid value for '--top': "),
        ([], "Snakefile: cannot be decoded: "),
    ],
)
def test_discover_refuses_in_one_line(run: Run, options: list[str], message: str) -> None:
    asked = ("--question", "how fast does it move ?", "--caption", CAPTION)
    assert run("discover", "Snakefile", *asked, *options).refusal.startswith(message)


def test_discover_refuses_what_is_not_there(run: Run) -> None:
    done = run("discover", "clip.mp4", "--question", "how fast does it move ?")
    assert done.refusal == "clip.mp4: expected a video, found no such file"


def test_locate_writes_maps_and_an_overlay(run: Run, tmp_path: Path) -> None:
    clip, out = tmp_path / "clip.mp4", tmp_path / "located"
    write_video(clip, torch.rand(17, 3, 64, 64), 8)
    done = run("locate", clip, "--word", "circle", "--caption", CAPTION, "--out", out)
    assert done.code == 0, done.err
    assert done.out.startswith("circle goes from ")
    assert done.out.endswith(f"wrote {out}\n")
    names = {"maps.safetensors", "index.tsv", "overlay.mp4"}
    assert {path.name for path in out.iterdir()} == names
    (out / "thesis").touch()
    asked = ("locate", clip, "--word", "zebra", "--caption", CAPTION)
    assert "also holds thesis" in run(*asked, "--out", out, "--force").refusal
    refusal = run(*asked, "--out", tmp_path / "other").refusal
    assert refusal == "word: expected one that the generator knows, got 'zebra'"
    assert not (tmp_path / "other").exists()


def test_snapshot_without_dvc_says_so(run: Run) -> None:
    assert run("snapshot").refusal.startswith("snapshot: expected a clone of the project")


def test_only_regular_files_are_written(run: Run, tmp_path: Path) -> None:
    """A link is not followed, and nothing special is replaced, whatever is forced."""
    os.mkfifo(tmp_path / "fifo.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "kept")
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nothing")
    for name, expected in {
        "fifo.mp4": "expected a regular file",
        "folder.mp4": "expected the name of a file that ends in .mp4",
        "link.mp4": "a link to",
        "dangling.mp4": "a link to",
        "kept/below.mp4": "expected a place in a folder that can be written to",
    }.items():
        refusal = run("generate", CAPTION, "--out", tmp_path / name, "--force").refusal
        assert refusal.startswith("--out: ") and expected in refusal
    assert (tmp_path / "kept").read_text() == "kept"
    assert not (tmp_path / "nothing").exists()


def test_a_sweep_replaces_an_earlier_sweep_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "home" / "thesis").mkdir(parents=True)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    sweep = ("sweep", CAPTION, "--concept", "day_night", "--force", "--out")
    assert "also holds thesis" in run(*sweep, tmp_path / "home").refusal
    assert "a link to" in run(*sweep, tmp_path / "link").refusal
    assert "expected a regular file" in run(*sweep, tmp_path / "fifo").refusal
    assert (tmp_path / "home" / "thesis").is_dir()


@pytest.mark.parametrize("letter", ["\x1b[2J", "\n", "\x00", "\u202e", "\udc80", "\u2028"])
def test_control_characters_are_refused(run: Run, tmp_path: Path, letter: str) -> None:
    text = f"a{letter}b"
    clip = tmp_path / "clip.mp4"
    clip.touch()
    out = ("--out", tmp_path / "out.mp4")
    for place, words in {
        "caption": ("generate", text, *out),
        "--question": ("discover", clip, "--question", text),
        "--caption": ("discover", clip, "--question", "what ?", "--caption", text),
    }.items():
        refusal = run(*words).refusal
        assert refusal.startswith(f"{place}: expected text without control characters")
        assert refusal.isascii()
    sweep = run("sweep", text, "--concept", "day_night", "--out", tmp_path / "s").refusal
    assert sweep.startswith("caption: expected text without control characters")
