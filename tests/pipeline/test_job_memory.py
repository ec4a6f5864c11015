"""What jobs ask for: constants of the embedded models, and the planner's numbers of large ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from transporter.pipeline import job_memory, memory_plan
from transporter.pipeline.config import check_config, read_yaml
from transporter.pipeline.job_memory import JobMemory, device_bytes
from transporter.pipeline.memory_plan import GB, MemoryPlan, Need
from transporter.pipeline.plan import Plan
from transporter.support.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
NEEDS = [
    Need("wan", "qwen", "captions", 0, 64, 20 * GB, 9 * GB, ""),
    Need("wan", "qwen", "coupling", 1, 8, 200 * GB, 30 * GB, "coupling.batch: 2"),
    Need("wan", "gemma", "coupling", 1, 8, 60 * GB, 2 * GB, ""),
    Need("wan", "qwen", "inversion", 9, 1, 95 * GB, 3 * GB, "a smaller VLM", "paper"),
    Need("wan", "qwen", "concept_bank, velocity", 1, 1, 90 * GB, 40 * GB, "bank.at_once: 1"),
]


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(ROOT)
    settings = read_yaml("config/config.yaml")
    return Plan(check_config(settings, [("test", settings)], clips=False))


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[int, bool]]:
    """How often the planner was asked, about which device; its answers are `NEEDS`."""
    asked: list[tuple[int, bool]] = []

    def made(settings: Any, memory: int, gpu: bool, concepts: int) -> MemoryPlan:
        asked.append((memory, gpu))
        return MemoryPlan({}, NEEDS, 0, False)

    monkeypatch.setattr(memory_plan, "memory_plan", made)
    monkeypatch.setattr(job_memory, "FOLDER", tmp_path / "kept")
    return asked


def large(plan: Plan, monkeypatch: pytest.MonkeyPatch, counts: bool = True) -> JobMemory:
    """Of models that are no small ones."""
    monkeypatch.setattr(job_memory, "SMALL", 0)
    return JobMemory(plan, lambda: (80 * GB, True), counts)


def test_jobs_of_embedded_models_ask_for_constants(plan: Plan, counts: list[Any]) -> None:
    """Neither the planner nor the driver is asked."""
    memory = JobMemory(plan, lambda: pytest.fail("asked for a device"))
    assert memory.mem_mb("coupling", 6000) == 6000
    assert memory.refusal() is None
    assert not counts and not job_memory.FOLDER.exists()


def test_a_model_on_the_hub_is_no_small_one(plan: Plan) -> None:
    plan.config["vlms"]["qwen2_vl"]["path"] = "Qwen/Qwen2-VL-7B-Instruct"
    assert JobMemory(plan, lambda: (None, True)).planned


def test_jobs_of_large_models_ask_for_what_the_planner_counts(
    plan: Plan, counts: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = large(plan, monkeypatch)
    coupling = memory.mem_mb("coupling", 6000)
    assert not counts  # nobody has looked at a job
    qwen, gemma = ({"generator": "wan", "vlm": vlm} for vlm in ("qwen", "gemma"))
    assert coupling(qwen, 1) == 30_000
    assert coupling(qwen, 3) == 90_000
    assert coupling(gemma, 2) == 12_000  # never below the constant
    assert memory.mem_mb("concept_bank", 6000)(qwen, 1) == 40_000
    assert memory.mem_mb("coupling", 1)({"generator": "wan"}, 1) == 30_000
    assert memory.mem_mb("inversion", 1)({"vlm": "qwen", "method": "maco"}, 1) == 3000
    assert memory.mem_mb("coupling", 6000)({"generator": "other"}, 1) == 6000
    assert counts == [(80 * GB, True)]


def test_the_benchmark_is_counted_when_a_job_of_it_is_looked_at(
    plan: Plan, counts: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And kept apart from the rest."""
    need = Need("wan", "qwen", "truth_bank, logits", 1, 1, 70 * GB, 50 * GB, "", "truth")
    of_truth: list[int] = []

    def made(settings: Any, memory: int, gpu: bool, concepts: int) -> list[Need]:
        of_truth.append(memory)
        return [need]

    monkeypatch.setattr(memory_plan, "truth_needs", made)
    names, memory = {"generator": "wan", "vlm": "qwen"}, large(plan, monkeypatch)
    assert memory.mem_mb("coupling", 6000)(names, 1) == 30_000 and not of_truth
    assert memory.mem_mb("truth_bank", 6000)(names, 2) == 100_000
    again = large(plan, monkeypatch, counts=False)
    assert again.mem_mb("truth_bank", 6000)(names, 1) == 50_000
    plan.config["truth"]["objectives"] = ["velocity"]
    assert large(plan, monkeypatch).mem_mb("truth_bank", 6000)(names, 1) == 50_000
    assert (len(counts), len(of_truth)) == (1, 2)


def test_maps_are_counted_when_a_job_of_them_is_looked_at(
    plan: Plan, counts: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs of a generator alone have no VLM to name; a run of own clips has no world."""
    need = Need("wan", "qwen", "saliency_truth", 1, 16, 70 * GB, 50 * GB, "", "saliency")
    asked: list[int] = []

    def made(settings: Any, memory: int, gpu: bool, concepts: int) -> list[Need]:
        asked.append(memory)
        return [need]

    monkeypatch.setattr(memory_plan, "saliency_needs", made)
    memory = large(plan, monkeypatch)
    truth, maps = (memory.mem_mb(f"saliency_{name}", 4000) for name in ("truth", "maps"))
    assert not asked
    assert truth({"generator": "wan"}, 2) == 100_000
    assert maps({"generator": "wan", "vlm": "qwen"}, 1) == 4000
    assert large(plan, monkeypatch, counts=False).mem_mb("saliency_truth", 1)({}, 1) == 50_000
    plan.config["world"] = None
    assert large(plan, monkeypatch).mem_mb("saliency_truth", 1)({}, 1) == 50_000
    assert (len(counts), len(asked)) == (0, 2)


def test_what_was_counted_is_kept(
    plan: Plan, counts: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"generator": "wan", "vlm": "qwen"}
    # a job's own process counts nothing
    of_job = large(plan, monkeypatch, counts=False)
    assert of_job.mem_mb("coupling", 6000)(names, 1) == 6000
    assert large(plan, monkeypatch).mem_mb("coupling", 6000)(names, 1) == 30_000
    again = large(plan, monkeypatch, counts=False)
    assert again.mem_mb("coupling", 6000)(names, 1) == 30_000
    assert len(counts) == 1
    plan.config["memory"]["sampling"] = 4
    assert large(plan, monkeypatch).mem_mb("coupling", 6000)(names, 1) == 30_000
    assert len(counts) == 2


def test_what_cannot_fit_is_told_with_the_key_that_helps(
    plan: Plan, counts: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert large(plan, monkeypatch).refusal() == (
        "memory: coupling of wan and qwen takes 200 GB, and 1 more of the run's needs, the device"
        " has 80 GB; coupling.batch: 2; `transporter plan` shows all of them"
    )


def test_what_cannot_be_counted_asks_for_constants(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> MemoryPlan:
        raise UserError("a/b: expected a WanPipeline, got: out of reach")

    monkeypatch.setattr(memory_plan, "memory_plan", refuse)
    monkeypatch.setattr(job_memory, "FOLDER", tmp_path)
    memory = large(plan, monkeypatch)
    assert memory.mem_mb("coupling", 6000)({"generator": "wan", "vlm": "qwen"}, 2) == 12_000
    assert memory.refusal() is None
    told = capsys.readouterr().err
    assert told.count("the memory of jobs is not known: a/b: expected a WanPipeline") == 1


def test_a_profile_says_how_large_a_gpu_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_bytes({"gpu_mem_mb": 24_000}, local=False) == (24 * GB, True)
    assert device_bytes({}, local=False) == (None, True)
    monkeypatch.setattr(job_memory, "_gpus", lambda: [25 * GB, 24 * GB])
    assert device_bytes({}, local=True) == (24 * GB, True)
    monkeypatch.setattr(job_memory, "_gpus", list)
    size, gpu = device_bytes({}, local=True)
    assert size > 10**8 and not gpu
