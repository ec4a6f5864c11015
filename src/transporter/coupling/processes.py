"""Training of Phi by several processes of this machine, one for each GPU that the job holds, or on
the CPU where there is none.

They are started by `torch.distributed.run`, read what they need from a folder, and end with who
started them. `transporter.training.processes` says how they share a step.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from safetensors.torch import load_file, save_file

from transporter.clips.stored import Rows, StoredRows
from transporter.coupling.network import Coupling, Pairs
from transporter.coupling.settings import CouplingSettings, share_complaint
from transporter.coupling.training import train_coupling
from transporter.support.errors import UserError
from transporter.support.files import written_whole
from transporter.training.processes import Processes

FOLDER = "processes"
"""Of a training's folder: what its processes read and write."""
TASK, TENSORS = "task.json", "pairs.safetensors"
START, TRAINED = "start.safetensors", "trained.safetensors"
PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: one may measure held-out clips, or write."""


def train_by(
    count: int,
    pairs: Pairs,
    held_out: Pairs,
    settings: CouplingSettings,
    folder: Path,
    seed: int,
    device: torch.device | str,
    start: Coupling | None = None,
    only: str | None = None,
) -> Coupling:
    """`train_coupling`, by so many processes; by one, it is that very call.

    Raises:
        UserError: the processes do not share a step's passes equally, are more than the GPUs of
            this job, or one of them failed.
    """
    if count == 1:
        return train_coupling(pairs, held_out, settings, folder, seed, device, start, only)
    if complaint := share_complaint(count, settings.accumulate):
        raise UserError(f"coupling.accumulate: {complaint}")
    _refuse_few(count)
    shared = folder / FOLDER
    shutil.rmtree(shared, ignore_errors=True)
    shared.mkdir(parents=True)
    _write(shared, {"train": pairs, "held_out": held_out}, settings, seed, only)
    if start is not None:
        start.save(shared / START)
    _run(count, folder)
    trained = Coupling.load(shared / TRAINED, device)
    shutil.rmtree(shared)
    return trained


def _refuse_few(count: int) -> None:
    there = torch.cuda.device_count()
    if torch.cuda.is_available() and there < count:
        raise UserError(
            f"coupling.processes: expected a GPU for each of {count} processes, got {there} in this"
            f" job; set coupling.processes: {there}, or let the job have more"
        )


def _write(
    shared: Path,
    splits: Mapping[str, Pairs],
    settings: CouplingSettings,
    seed: int,
    only: str | None,
) -> None:
    """What the processes read: tensors, and where rows are that stay on disk."""
    tensors, places = {}, {}
    for split, pairs in splits.items():
        for number, rows in enumerate(pairs.tensors()):
            name = f"{split} {number}"
            if isinstance(rows, StoredRows):
                places[name] = [(str(path), row) for path, row in rows.places]
            else:
                tensors[name] = rows.contiguous()
    save_file(tensors, shared / TENSORS)
    task = {"settings": settings.as_dict(), "seed": seed, "only": only, "places": places}
    with written_whole(shared / TASK) as partial:
        Path(partial).write_text(json.dumps(task), encoding="utf-8")


def _run(count: int, folder: Path) -> None:
    """Start the processes, and wait for them; their output is this one's."""
    threads = max(1, torch.get_num_threads() // count)
    launcher = ["torch.distributed.run", "--standalone", f"--nproc-per-node={count}", "--module"]
    with subprocess.Popen(
        [sys.executable, "-m", *launcher, __name__, str(folder)],
        stdin=subprocess.PIPE,  # which they read, to see this process end
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
    ) as running:
        code = _waited(running)
    if code:
        raise UserError(
            f"coupling: expected {count} processes to train to the end, one failed; its own words"
            " are above, and another run goes on from the last checkpoint"
        )


def _waited(running: subprocess.Popen[bytes]) -> int:
    try:
        return running.wait()
    except BaseException:
        running.terminate()  # it ends the others
        raise


def _read(shared: Path) -> tuple[dict[str, Pairs], dict[str, Any]]:
    """What `_write` wrote: pairs by split, and the rest."""
    task = json.loads((shared / TASK).read_text(encoding="utf-8"))
    found: dict[str, Rows] = dict(load_file(shared / TENSORS))
    for name, places in task["places"].items():
        found[name] = StoredRows([(Path(path), row) for path, row in places])
    names = {split: [f"{split} {number}" for number in range(4)] for split in ("train", "held_out")}
    pairs = {split: Pairs(*map(found.__getitem__, own)) for split, own in names.items()}
    return pairs, task


def train_share(folder: Path, processes: Processes, device: torch.device | str) -> None:
    """Train in one of the processes, as `folder` says; the first writes the network."""
    shared = folder / FOLDER
    pairs, task = _read(shared)
    start = Coupling.load(shared / START, device) if (shared / START).is_file() else None
    trained = train_coupling(
        pairs["train"],
        pairs["held_out"],
        CouplingSettings.from_mapping(task["settings"]),
        folder,
        task["seed"],
        device,
        start,
        task["only"],
        processes=processes,
    )
    if processes.leads:
        trained.save(shared / TRAINED)


@contextmanager
def _group() -> Iterator[tuple[Processes, torch.device]]:
    """This process in the group of all, and its device."""
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    torch.distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE
    )
    try:
        own = torch.distributed.get_rank(), torch.distributed.get_world_size()
        yield Processes(*own), device
    finally:
        torch.distributed.destroy_process_group()


def _end_with_starter() -> None:
    """End this process when nobody holds the other end of its input any more."""

    def watch() -> None:
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _main() -> None:
    _end_with_starter()
    try:
        with _group() as (processes, device):
            if not processes.leads:
                sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the first says it for all
            train_share(Path(sys.argv[1]), processes, device)
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main()
