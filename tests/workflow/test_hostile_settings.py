"""Settings that no run could take are refused in one short line, whatever they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from refused import refusal, within

from transporter.pipeline.config import check_config, load_config
from transporter.support.errors import UserError

LONG, DIGITS, NAN, INF = "x" * 5000, 10**4999, float("nan"), float("inf")
DEFAULT = "generators.microworld."
HOSTILE: list[tuple[str, Any, str]] = [
    ("seed", 1.0, "seed: expected an integer, got 1.0 (number)"),
    ("seed", 2**40, "seed: expected at most"),
    ("seed", DIGITS, "got a number of 5000 digits (integer)"),
    ("coupling.log_every", DIGITS, "coupling.log_every: expected a number of at most 63 bits"),
    ("coupling.steps", 4.0, "coupling.steps: expected an integer, got 4.0 (number)"),
    ("coupling.steps", 10**12, "coupling.steps: expected at most 1e+09, got 1000000000000"),
    ("coupling.lr", NAN, "coupling.lr: expected a finite number, got nan (number)"),
    ("coupling.lr", INF, "coupling.lr: expected a finite number, got inf (number)"),
    ("coupling.lr", 1e308, "coupling.lr: expected at most 1e+06, got 1e+308"),
    ("coupling.phi_2.heads", 7, "expected a divisor of phi_2.width (128), got 7"),
    ("bank.logits.sigma", [NAN, 0.9], "bank.logits.sigma[0]: expected a finite number"),
    ("baselines.l2", INF, "baselines.l2: expected a finite number, got inf"),
    ("generation.phi", [0, NAN, 1], "generation.phi[1]: expected a finite number, got nan"),
    ("generation.phi", [-INF, 0, 1], "generation.phi[0]: expected a finite number, got -inf"),
    ("generation.phi", list(range(5000)), "generation.phi: expected at most 1000 entries"),
    ("generation.seeds", 10**12, "generation.seeds: expected at most 100000, got 1000000000000"),
    (DEFAULT + "frames", 16, "frames: expected 4 k + 1 frames, got 16; 17 works"),
    (DEFAULT + "height", 72, "height: expected a multiple of 16, got 72; 64 works"),
    (DEFAULT + "width", 10**7, "width: expected at most 8192, got 10000000"),
    (DEFAULT + "fps", INF, "fps: expected a finite number, got inf"),
    (DEFAULT + "guidance", NAN, "guidance: expected a finite number, got nan"),
    (DEFAULT + "steps", 12.0, "steps: expected an integer, got 12.0"),
    (DEFAULT + "path", "models/{vlm}", "expected a path without braces"),
    (DEFAULT + "path", "models/a\nb", "expected text on one line without control characters"),
    (DEFAULT + "path", "models/\x00", "expected text on one line without control characters"),
    (DEFAULT + "path", LONG, "path: expected at most 1000 letters"),
    (DEFAULT + "path", "x" * 300, "path: expected a path of shorter names"),
    (DEFAULT + "adapter", "wan\n", "adapter: expected text on one line"),
    (DEFAULT + "options", {"scale": NAN}, "options.scale: expected a finite number"),
    (DEFAULT + "options", {5: 1}, "options: expected names as keys, got 5 (integer)"),
    ("generators", {5: {}}, "generators: expected names as keys, got 5 (integer)"),
    ("generators.mic{ro}", {"adapter": "wan", "path": "a/b"}, "expected names of letters"),
    ("generators." + "a" * 300, {"adapter": "wan", "path": "a/b"}, "expected at most 64 letters"),
    ("vlms.a\nb", {"adapter": "gemma3", "path": "a/b"}, "vlms.a\\nb: expected names of letters"),
    ("vlms.qwen2_vl.describe", "\x1b[31m", "describe: expected text on one line"),
    ("vlms.qwen2_vl.revision", "a\nb", "revision: expected text on one line"),
    ("clips.splits.train", 10**12, "clips.splits.train: expected at most 10000000 clips"),
    ("clips.splits.train", NAN, "clips.splits.train: expected a finite number"),
    ("clips.folder", "{split}", "clips.folder: expected a path without braces"),
    ("clips.folder", "/etc", "clips.folder: expected a folder of its own below this one"),
    ("clips.folder", "../x", "clips.folder: expected a folder of its own below this one"),
    ("clips.folder", "results", "clips.folder: expected a folder of its own below this one"),
    ("clips.folder", "da\nta", "clips.folder: expected text on one line"),
    (LONG, 1, "expected one of the keys"),
    ("a\nb", 1, "a\\nb: expected one of the keys"),
    ("run.concepts", [LONG], "run.concepts: expected names from config/concepts.tsv"),
    ("concepts", LONG, "concepts: expected at most 1000 letters"),
    ("shortcuts", "\x00", "shortcuts: expected text on one line"),
    ("probes", "a\nb", "probes: expected text on one line"),
    ("metrics.head", "nowhere", "metrics.head: expected a file of weights, got nowhere"),
    ("truth.captions", 99, "truth.captions: expected at most truth.pool (48), got 99"),
    ("truth.bank.lr", NAN, "truth.bank.lr: expected a finite number"),
    ("memory.embedding_jobs", 5000, "memory.embedding_jobs: expected at most 1000, got 5000"),
    ("explanations.pairs", -1, "explanations.pairs: expected at least 0, got -1"),
    ("ablations.a\n", {"bank": {"steps": 2}}, "ablations.a\\n: expected names of letters"),
    ("ablations.a", {"bank": {"steps": 2.0}}, "ablations.a.bank.steps: expected an integer"),
    ("figures.partial_frames.parts", 99, "expected at most the generator's latent frames (5)"),
    (DEFAULT + "adapter", "os:system", "expected a class in a module with a source file, got 'os:"),
    (DEFAULT + "adapter", "antigravity:Fly", "base.Generator, got 'antigravity:Fly', which does"),
    (DEFAULT + "adapter", "shutil:a.b", "got 'shutil:a.b', which does not"),
    (DEFAULT + "adapter", "subprocess:Popen", "implements transporter.generators.base.Generator"),
    (DEFAULT + "adapter", "sys:exit", "expected a class in a module with a source file, got 'sys:"),
    (DEFAULT + "adapter", "transporter.vlms.qwen_vl:QwenVL", "implements transporter.generators."),
    (DEFAULT + "adapter", "transporter.generators.wan:Nope", "wan:Nope', which does not"),
    (DEFAULT + "adapter", "transporter.generators.base:Generator", "Generator', which does not"),
    (DEFAULT + "options", {"device": "cpu"}, "options: expected arguments without a key of their"),
    (DEFAULT + "steps", 10**9, "steps: expected at most 10000, got 1000000000"),
    (DEFAULT + "fps", 10**6, "fps: expected at most 1000, got 1000000"),
    (DEFAULT + "path", "results/models/../../x", "expected a model's folder, got results/models/"),
    ("vlms.qwen2_vl.lora", "../x", "lora: expected a path that leads down from the model's folder"),
    ("vlms.qwen2_vl.lora", "/etc", "lora: expected a path that leads down from the model's folder"),
    ("vlms.qwen2_vl.lora", "a/../../x", "lora: expected a path that leads down"),
    ("vlms.qwen2_vl.revision", "../../x", "revision: expected a branch, tag or commit"),
    ("vlms.qwen2_vl.describe", " ", "describe: expected some text"),
    ("metrics.clip", "../../x", "metrics.clip: expected a model's folder, got ../../x"),
    ("coupling.projections", 10**9, "coupling.projections: expected at most 10000"),
    ("coupling.phi_1.width", 10**9, "coupling.phi_1.width: expected at most 65536"),
    ("coupling.phi_1.depth", 10**6, "coupling.phi_1.depth: expected at most 1000"),
    ("coupling.phi_1.patch", [1, 10**9, 1], "coupling.phi_1.patch[1]: expected at most 1024"),
    ("coupling.phi_1.condition_tokens", 10**9, "condition_tokens: expected at most 10000"),
    ("coupling.phi_1.dropout", 1, "coupling.phi_1.dropout: expected less than 1, got 1"),
    ("coupling.phi_2", {"width": 10**9, "heads": 1}, "phi_2.width: expected at most 65536"),
    ("coupling.transport.epsilon", 1e-320, "epsilon: expected at least 1e-30"),
    ("coupling.batch", 10**9, "coupling.batch: expected at most 65536"),
    ("bank.rank", 10**9, "bank.rank: expected at most 65536"),
    ("bank.control_draws", 10**9, "bank.control_draws: expected at most 10000"),
    ("baselines.jitter", 10**9, "baselines.jitter: expected at most 8192"),
    ("truth.pool", 10**9, "truth.pool: expected at most 1e+07"),
    ("generation.phi", [-(10**6), 0, 1], "generation.phi[0]: expected at least -1000"),
    ("generation.phi", [0, 0.1, 0.1 + 1e-9, 1], "expected numbers that differ in six digits"),
    ("clips.seconds", 1e-300, "clips.seconds: expected from 0.001 to 1000000 seconds"),
    (
        "clips.splits",
        {"train": 2, "validation": 1, "held_out": 1},
        "clips.splits: expected clips with the words of every concept, got too few for red_blue (",
    ),
    ("clips.windows", 0, "clips.windows: expected at least 1, got 0"),
    ("clips.windows", 2, "clips.windows: expected 1, since the world's clips are short, got 2"),
    (
        "clips",
        {"source": "folder", "windows": 2, "seconds": "all"},
        "clips.windows: expected 1, since clips.seconds is all, got 2",
    ),
    (
        "generators.microworld",
        {"adapter": "wan", "path": "models/generator", "frames": 997, "height": 8192, "width": 800},
        "generators.microworld: expected videos of at most 1e+09 pixels in all, got 6.5e+09",
    ),
    ("figures.injection.parts", 2.0, "figures.injection.parts: expected an integer, got 2.0"),
]
"""Key, value, and what the refusal says."""


@pytest.mark.parametrize(
    ("path", "value", "expected"), HOSTILE, ids=[str(row) for row in range(len(HOSTILE))]
)
def test_what_no_run_could_take_is_refused_in_a_short_line(
    base: dict[str, Any], path: str, value: Any, expected: str
) -> None:
    message = refusal(within(base, path, value)).removeprefix("mine.yaml: ")
    assert expected in message
    assert len(message) <= 300
    assert message.isprintable()


def test_sizes_of_the_largest_models_pass(base: dict[str, Any]) -> None:
    """A generator of 14 billion weights, and networks as wide as its own."""
    base["coupling"] = {
        "projections": 400,
        "phi_1": {"depth": 48, "width": 5120, "token_width": 13824, "patch": [1, 4, 4]},
        "phi_2": {"layers": 48, "width": 8192, "heads": 64},
        "batch": 1024,
    }
    base["bank"] = {"rank": 4096}
    base["baselines"] = {"patch": [2, 28, 28]}
    base["generators"]["microworld"] |= {"frames": 129, "height": 720, "width": 1280, "fps": 24}
    check_config(base, [("mine.yaml", base)])


def test_depth_and_aliases_are_no_way_to_hang(base: dict[str, Any]) -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    many: list[Any] = ["x"] * 10
    for _ in range(12):
        many = [many] * 10
    for value in (deep, many):
        message = refusal(within(base, "vlms.qwen2_vl.options", {"a": value}))
        assert "values more than 20 levels deep" in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff\xfe\x00", "expected a YAML file in UTF-8"),
        (b"[" * 20_000, "expected settings, got values more than 20 levels deep"),
        (b"seed: " + b"9" * 5000, "expected a YAML file in UTF-8, got: Exceeds the limit"),
        (b"a: [", "expected YAML, got"),
        (b"a: \x00", "expected YAML, got"),
        (b"- a", "expected a mapping of keys to values, got ['a'] (list)"),
        (b"#" * 2_000_000, "expected settings of at most 1000000 bytes"),
        (b"a: 2020-13-45", "expected a YAML file in UTF-8, got: month must be in 1..12"),
        (None, "expected a YAML file, got No such file or directory"),
    ],
    ids=[str(row) for row in range(9)],
)
def test_files_that_are_no_settings(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_config(path)
    message = str(caught.value).removeprefix(f"{path}: ")
    assert message.startswith(expected)
    assert len(message) <= 340
    assert message.isprintable()
