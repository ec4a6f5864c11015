"""How much memory a run's jobs ask for: constants where the models are small, as the embedded ones
are, and what the planner counts where they are not.

The planner's models have no weights, but counting takes minutes: it is done when the first job of a
large model is looked at, and its results are kept beside Snakemake's own records.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transporter.pipeline.code_hash import code_hash
from transporter.pipeline.model_files import model_files
from transporter.pipeline.plan import Plan
from transporter.support.errors import UserError
from transporter.support.files import written_whole
from transporter.support.hashes import digest

if TYPE_CHECKING:
    from transporter.pipeline.memory_plan import Need

SMALL = 10**9
"""Bytes of the files of models, all together, whose jobs are not planned."""
FOLDER = Path(".snakemake", "job_memory")
MEGABYTE = 10**6
MODELS = ("generators", "vlms", "run")
PLANNED = (*MODELS, "coupling", "bank", "memory", "generation", "baselines", "seed")
FURTHER = {"truth": ("truth",), "saliency": ("saliency", "world", "probes", "concepts")}
"""Targets whose needs are counted when a job of theirs is looked at, and settings that these hang
on besides.
"""
UNBOUNDED = 10**15
TRUTH, MAPS = "truth_bank", "saliency_"
"""How the rules whose needs are those of `FURTHER` begin."""
Device = tuple[int | None, bool]
Asked = int | Callable[..., int]
"""Megabytes, or a function of a job's wildcards and attempt that gives them."""


class JobMemory:
    """The memory of the jobs of one run.

    Args:
        plan: the run.
        device: gives the bytes of a device that jobs run on, None where they are not known, and
            whether it is a GPU; else the host's memory is the device. Asked only of large models.
        counts: whether this process may count what is not kept yet. Those of single jobs should
            not.
    """

    def __init__(self, plan: Plan, device: Callable[[], Device], counts: bool = True) -> None:
        self._plan, self._find, self._counts = plan, device, counts

    @cached_property
    def _device(self) -> Device:
        return self._find()

    @cached_property
    def planned(self) -> bool:
        """Whether the models are so large that constants would not do, or on the hub. Whatever a
        class of somebody else's loads, nobody here can count.
        """
        config = self._plan.config
        models = [
            config[kind][name] for kind in ("generators", "vlms") for name in config["run"][kind]
        ]
        if any(":" in model["adapter"] for model in models):
            return False
        found = [model_files(model["path"]) for model in models]
        files = [Path(file) for part in found for file in part]
        size = sum(file.stat().st_size for file in files if file.is_file())
        return not all(found) or size > SMALL

    def mem_mb(self, rule: str, constant: int) -> Asked:
        """What a job of the host's memory asks for: `constant`, or of large models what the
        planner's `rule` takes, times the attempt.
        """
        if not self.planned:
            return constant

        def asked(wildcards: Any, attempt: int) -> int:
            names = dict(wildcards.items())
            needs = self._needs_of(rule)
            most = [need["host"] for need in needs if _is_of(need, rule, names)]
            return attempt * max([constant, *(size // MEGABYTE for size in most)])

        return asked

    def refusal(self) -> str | None:
        """One line about what a plain run has no room for, and the key that helps; None where
        everything fits.
        """
        needs = self._needs if self.planned else []
        wrong = [need for need in needs if need["advice"] and need["target"] == "all"]
        if not wrong:
            return None
        first, others = wrong[0], len(wrong) - 1
        more = f", and {others} more of the run's needs" if others else ""
        of = f"{first['generator']} and {first['vlm']}"
        return (
            f"memory: {first['rule']} of {of} takes {first['device'] / 1e9:.3g} GB{more}, the"
            f" device has {self._device[0] / 1e9:.3g} GB; {first['advice']}; `transporter plan`"
            " shows all of them"
        )

    @cached_property
    def _needs(self) -> list[dict[str, Any]]:
        """The planner's needs, kept; none where they cannot be counted."""
        from transporter.pipeline.memory_plan import memory_plan

        return self._kept("", lambda *device: memory_plan(*device).needs)

    def _needs_of(self, rule: str) -> list[dict[str, Any]]:
        """Those among which a rule's are."""
        if rule == TRUTH:
            return self._needs_of_truth
        return self._needs_of_saliency if rule.startswith(MAPS) else self._needs

    @cached_property
    def _needs_of_truth(self) -> list[dict[str, Any]]:
        """Those that the benchmark has besides, counted when a job of it is looked at."""
        from transporter.pipeline.memory_plan import truth_needs

        return self._kept("truth", truth_needs)

    @cached_property
    def _needs_of_saliency(self) -> list[dict[str, Any]]:
        """Those that maps have besides, counted when a job of theirs is looked at."""
        from transporter.pipeline.memory_plan import saliency_needs

        return self._kept("saliency", saliency_needs)

    def _kept(self, target: str, count: Callable[..., list[Need]]) -> list[dict[str, Any]]:
        """What is counted of a target, now or before."""
        path = FOLDER / f"{self._identity(target)}.json"
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))
        if not self._counts:
            return []
        of = f" of {target}" if target else ""
        print(f"counting the memory of jobs{of}, once for these settings", file=sys.stderr)
        device, gpu = self._device
        room = UNBOUNDED if device is None else device
        try:
            made = count(self._plan.config, room, gpu, len(self._plan.concepts))
        except UserError as error:
            print(f"the memory of jobs is not known: {error}", file=sys.stderr)
            return []
        needs = [_plain(need, gpu) for need in made]
        with written_whole(path) as partial:
            Path(partial).write_text(json.dumps(needs), encoding="utf-8")
        return needs

    def _identity(self, target: str) -> str:
        """Of all that the needs of a target depend on."""
        config = self._plan.config
        settings = {key: config[key] for key in (*PLANNED, *FURTHER.get(target, ()))}
        files = list(_configurations(config))
        code = code_hash("transporter.pipeline.memory_plan")
        splits, concepts = config["clips"]["splits"], len(self._plan.concepts)
        return digest(settings, splits, concepts, files, self._device, code)


def _plain(need: Need, gpu: bool) -> dict[str, Any]:
    host = need.host if gpu else need.device
    names = ("generator", "vlm", "rule", "device", "advice", "target")
    return {name: getattr(need, name) for name in names} | {"host": host}


def _is_of(need: Mapping[str, Any], rule: str, names: Mapping[str, str]) -> bool:
    """Whether a need is of a rule and of the models that a job's wildcards name."""
    models = (names.get(kind, need[kind]) == need[kind] for kind in ("generator", "vlm"))
    return need["rule"].split(",")[0] == rule and all(models)


def _configurations(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Configurations of the run's models that are here, by their files."""
    for kind in ("generators", "vlms"):
        for name in config["run"][kind]:
            for path in sorted(Path(config[kind][name]["path"]).rglob("*config.json")):
                yield str(path), path.read_text(encoding="utf-8", errors="replace")


def device_bytes(resources: Mapping[str, Any], local: bool) -> Device:
    """Bytes of a job's device, and whether it is a GPU.

    The resource `gpu_mem_mb` of a profile or command line comes first; of a local run the smallest
    GPU that the driver shows, and without one the machine's memory. Of a cluster nothing else is
    known.
    """
    given = resources.get("gpu_mem_mb")
    # Snakemake wraps some numbers, and what is not given
    if given := getattr(given, "value", given):
        return int(given) * MEGABYTE, True
    if not local:
        return None, True
    if sizes := _gpus():
        return min(sizes), True
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), False


def _gpus() -> list[int]:
    """Bytes of each GPU that the driver shows."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return []
    return [int(line) * 2**20 for line in lines if line.isdigit()]
