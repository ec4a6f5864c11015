"""What is told of a run before it begins: jobs, bytes, and which key helps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from transporter.baselines.settings import InversionSettings
from transporter.cli import main
from transporter.concepts.settings import BankSettings
from transporter.coupling.settings import CouplingSettings
from transporter.pipeline import memory_plan
from transporter.pipeline.config import check_config, read_yaml
from transporter.pipeline.memory_plan import GB, LIBRARIES, memory_bytes
from transporter.pipeline.memory_settings import MemorySettings
from transporter.pipeline.rule_memory import Rule, Stage
from transporter.pipeline.saliency_peaks import Places
from transporter.support.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


class _Pair:
    """Ten bytes of a generator, five of a VLM, and rules of known sizes, in GB."""

    token_bytes, latent_bytes, condition_bytes, video_bytes = 300, 20, 8, 1000
    settings = CouplingSettings(batch=8, accumulate=2)

    def __init__(self, *_: Any) -> None:
        pass

    @property
    def parts(self) -> dict[str, int]:
        return {"transformer": 10 * GB, "vlm": 5 * GB, "coupling": GB}

    def rules(
        self, bank: BankSettings, at_once: MemorySettings, captions: int, spaced: bool
    ) -> list[Rule]:
        of_coupling = Rule("coupling", 14 * GB, 8, (Stage(3 * GB, 2 * GB),), 12 * GB)
        embed_vlm = Rule("embed_vlm", 5 * GB, at_once.embedding, (Stage(GB, GB),))
        reading = Rule("concept_readings", 7 * GB, at_once.reading, (Stage(GB, 0),))
        return [embed_vlm, of_coupling, self.bank(bank), reading]

    def bank(self, bank: BankSettings) -> Rule:
        first = 2 * GB if bank.recompute else 20 * GB
        clips = bank.at_once or bank.batch
        return Rule(f"concept_bank, {bank.objective}", 16 * GB, clips, (Stage(first, first),))


def paper_rules(pair: Any, settings: InversionSettings, seeds: int, reading: int) -> Iterator[Rule]:
    assert (settings.steps, seeds) == (150, 2)
    yield Rule("inversion", 6 * GB, 1, (Stage(12 * GB, 0),))
    yield Rule("scores", 6 * GB, min(8, reading), (Stage(2 * GB, 2 * GB),))


def rules_of_generator(pair: Any, places: Places) -> Iterator[Rule]:
    assert (places.kinds, places.seeds) == (5, 8)
    yield Rule("saliency_truth", 16 * GB, places.at_once.sampling, (Stage(3 * GB, GB),))
    yield Rule("saliency_maps", 16 * GB, places.at_once.sampling, (Stage(2 * GB, GB),))


def rules_of_pair(pair: Any, places: Places) -> Iterator[Rule]:
    yield Rule("saliency_looks", 17 * GB, places.at_once.reading, (Stage(4 * GB, 2 * GB),))


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(memory_plan, "Pair", _Pair)
    monkeypatch.setattr(memory_plan, "paper_rules", paper_rules)
    monkeypatch.setattr(memory_plan, "rules_of_generator", rules_of_generator)
    monkeypatch.setattr(memory_plan, "rules_of_pair", rules_of_pair)

    def made(
        memory: int, gpu: bool = True, needs_of: Any = memory_plan.memory_plan, **changes: Any
    ) -> Any:
        settings = {**read_yaml("config/config.yaml"), **changes}
        checked = check_config(settings, [("test", settings)], clips=False)
        return needs_of(checked, memory * GB, gpu, concepts=12)

    return made


VECTORS = {"form": "vector", "objective": "velocity"}


def test_a_rule_is_weights_and_clips() -> None:
    rule = Rule("any", 10, 4, (Stage(5, 3),))
    assert rule.peak == 10 + 5 + 3 * 3
    assert [rule.fitting(memory) for memory in (14, 15, 18, 24, 99)] == [0, 1, 2, 4, 4]
    # stages follow each other, and captions come first
    staged = Rule("any", 10, 4, (Stage(5, 3), Stage(9, 1), Stage(2, 2).beside(1)), 19)
    assert staged.peak == 10 + 5 + 3 * 3
    assert [staged.fitting(memory) for memory in (18, 19, 21, 99)] == [0, 1, 3, 4]
    assert replace(staged, before=30).peak == 30


def test_what_fits_has_no_advice(plan: Any) -> None:
    made = plan(10_000)
    assert made.fits
    assert {need.rule: need.jobs for need in made.needs} == {
        "embed_vlm": 3,
        "coupling": 1,
        "concept_bank, velocity": 1,
        "concept_readings": 12,
        "readings_through_phi": 1,
        "inversion": 12 * 6,
        "scores": 1,
    }
    sizes = [21, 31, 496, 8, 8, 18, 22]
    assert [need.device for need in made.needs] == [size * GB for size in sizes]
    assert [need.target for need in made.needs] == ["all"] * 5 + ["paper"] * 2
    scores = made.needs[-1]
    assert scores.host == LIBRARIES + 10 * GB + 8 * 1000
    assert made.embeddings == (1200 + 128 + 192) * (2 * 300 + 20)
    assert made.parts["microworld"] == {"transformer": 10 * GB}
    assert made.parts["qwen2_vl"] == {"vlm": 5 * GB}


def test_the_key_that_helps_is_named(plan: Any) -> None:
    advice = {need.rule: need.advice for need in plan(20, bank=VECTORS).needs}
    assert advice == {
        "embed_vlm": "memory.embedding: 15",
        "coupling": "coupling.batch: 2 and coupling.accumulate: 8",
        "concept_bank, velocity": "bank.recompute: true and bank.at_once: 1: 18 GB",
        **dict.fromkeys(("concept_readings", "readings_through_phi", "inversion"), ""),
        "scores": "memory.reading: 7",
    }
    advice = {need.rule: need.advice for need in plan(16, bank=VECTORS).needs}
    assert advice["coupling"] == (
        "pooled_tokens or fewer frames for vlms.qwen2_vl, or a smaller coupling"
    )
    assert advice["concept_bank, velocity"].endswith("18 GB; fewer frames, height or width")
    assert advice["inversion"] == "frames or max_pixels of vlms.qwen2_vl, or a smaller VLM"
    assert "the models alone take 14 GB: dtype" in plan(13).needs[1].advice
    assert "bank.at_once: 1: 36 GB" in plan(20).needs[2].advice  # a map learns nothing
    assert not plan(20).fits
    assert "text encoder takes 12 GB: dtype" in plan(11).needs[1].advice


def test_the_benchmark_counts_a_bank_of_each_objective(plan: Any) -> None:
    """By its own keys of `bank`; those without a map get a vector."""
    truth = {"objectives": ["velocity", "logits"], "bank": {"batch": 4, "at_once": 2}}
    made = plan(99, truth=truth, needs_of=memory_plan.truth_needs)
    assert [(need.rule, need.target, need.clips) for need in made] == [
        ("truth_bank, velocity", "truth", 2),
        ("truth_bank, logits", "truth", 2),
    ]
    assert [need.device for need in made] == [(16 + 2 * 20) * GB] * 2
    assert [need.advice for need in made] == [""] * 2
    tight = plan(20, truth=truth, needs_of=memory_plan.truth_needs)
    assert tight[0].advice.startswith("bank.at_once: 1: 36 GB")
    assert tight[1].advice == "bank.recompute: true and bank.at_once: 1: 18 GB"


def test_maps_are_read_of_every_clip_and_scored_once(plan: Any) -> None:
    """Beside a second VLM the generator's maps are counted again, and their benchmark is not."""
    run = {"generators": ["microworld"], "vlms": ["qwen2_vl", "gemma3"]}
    made = plan(99, run=run, needs_of=memory_plan.saliency_needs)
    assert [(need.vlm, need.rule, need.jobs, need.clips) for need in made] == [
        ("qwen2_vl", "saliency_truth", 1, 16),
        ("qwen2_vl", "saliency_maps", 12, 16),
        ("qwen2_vl", "saliency_looks", 1, 16),
        ("gemma3", "saliency_maps", 12, 16),
        ("gemma3", "saliency_looks", 1, 16),
    ]
    assert {need.target for need in made} == {"saliency"}
    assert [need.device for need in made[:3]] == [34 * GB, 33 * GB, 51 * GB]
    # rendered clips, and a sweep's latents and the videos of one seed: thirteen of either
    assert made[0].host == LIBRARIES + 10 * GB + 2 * (96 + 128) * 1000
    assert made[1].host == LIBRARIES + 10 * GB + 13 * (8 * 20 + 2 * 1000)
    tight = plan(24, needs_of=memory_plan.saliency_needs)
    advice = ["memory.sampling: 6", "memory.sampling: 7", "memory.reading: 2"]
    assert [need.advice for need in tight] == advice


def test_a_cpu_is_its_own_host(plan: Any) -> None:
    gpu, cpu = (plan(50, gpu).needs[0] for gpu in (True, False))
    assert gpu.host == LIBRARIES + 10 * GB  # the largest model on its way
    assert cpu.host == LIBRARIES
    assert cpu.device == gpu.device + LIBRARIES


def test_processes_that_train_phi_are_on_the_host_and_copy_gradients(plan: Any) -> None:
    one, two = (plan(99, coupling={"processes": count, "accumulate": 2}) for count in (1, 2))
    pairs = {old.rule: (old, new) for old, new in zip(one.needs, two.needs, strict=True)}
    changed = {rule for rule, (old, new) in pairs.items() if old != new}
    assert changed == {"coupling"}
    old, new = pairs["coupling"]
    held = old.host - 10 * GB - LIBRARIES
    assert new.host == old.host + 2 * (LIBRARIES + held)
    assert new.device == old.device + GB


def test_shares_of_clips_are_told_for_a_thousand(plan: Any) -> None:
    splits = {"train": 0.5, "validation": 0.2, "held_out": 0.3}
    made = plan(99, clips={"source": "folder", "folder": "none", "splits": splits})
    assert made.thousand
    assert made.embeddings == 1000 * 620


def test_sizes_are_read() -> None:
    assert [memory_bytes(text) for text in ("24GB", "24 GB", "0.5")] == [24 * GB, 24 * GB, GB // 2]
    for text in ("24MB", "-1", "0", "much", "1e9", ""):
        with pytest.raises(UserError, match="--memory: expected a size such as 24GB, got"):
            memory_bytes(text)


def test_the_verb_prints_what_fits(plan: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for memory, code, words in (
        ("1000GB", 0, ["fits"]),
        ("20GB", 1, ["coupling.batch: 2 and coupling.accumulate: 8", "31 GB", "11 GB"]),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["plan", "--memory", memory])
        shown = capsys.readouterr().out
        assert ended.value.code == code
        assert all(word in shown for word in words)
        assert "microworld, qwen2_vl  coupling" in shown
        assert "saliency" not in shown
        assert "embeddings on disk: 0.000942 GB; hours: not measured" in shown


def test_the_verb_counts_the_run_s_concepts_and_further_targets(
    plan: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = read_yaml("config/config.yaml")
    settings["run"]["concepts"] = ["red_blue", "day_night"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(SystemExit):
        main(["plan", "--saliency", "--configfile", str(tmp_path / "mine.yaml")])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    jobs = {row[2]: row[3] for row in rows if row[:2] == ["microworld,", "qwen2_vl"]}
    assert (jobs["concept_readings"], jobs["inversion"], jobs["saliency_maps"]) == ("2", "12", "2")


def test_clips_need_not_be_there_and_models_must(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing of a model is one line."""
    monkeypatch.chdir(ROOT)
    settings = read_yaml("config/config.yaml")
    settings["clips"] = {"source": "folder", "folder": "nowhere"}
    settings |= {"world": None, "probes": None, "metrics": {"clip_judge": None}}
    (tmp_path / "empty").mkdir()
    settings["generators"]["microworld"]["path"] = str(tmp_path / "empty")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(SystemExit) as ended:
        main(["plan", "--configfile", str(tmp_path / "mine.yaml")])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "empty/model_index.json: expected a file of JSON, got: No such file" in error
