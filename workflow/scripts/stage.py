"""What every script does around its call of the library."""

import gc
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transporter.pipeline.devices import lease, pick_device
from transporter.support.errors import UserError
from transporter.support.files import link_tree
from transporter.support.hashes import digest
from transporter.support.memory import keep_freed_memory

# importing the libraries makes half a million objects that stay; by default Python looks for
# garbage among them a thousand times
gc.set_threshold(10_000)
os.environ.setdefault("TQDM_DISABLE", "1")  # bars of libraries are unreadable in a log


@contextmanager
def stage(snakemake: Any) -> Iterator[Any]:
    """Send all output to the job's log, lease a device and yield it; what a user can mend ends the
    job with one line.
    """
    sys.stdout.flush()
    terminal = os.dup(2)
    with open(snakemake.log[0], "w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        count = snakemake.resources.get("gpu", 0)
        with lease(count):
            yield _device(count, snakemake.threads)
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        os.write(terminal, f"{snakemake.rule}: {error}\n".encode())
        sys.exit(1)


def _device(count: int, threads: int) -> Any:
    """What a job computes on. A job that holds no GPU and has not imported torch, which takes
    seconds, has None; should it import torch later, Snakemake has set the threads for it.
    """
    if not count and "torch" not in sys.modules:
        return None
    import torch

    torch.set_num_threads(threads)
    keep_freed_memory()
    return pick_device() if count else torch.device("cpu")


def unfinished(snakemake: Any) -> Path:
    """A folder for checkpoints and shards: no declared output, so it outlives a failed job; another
    code has another folder. Jobs that are parts of one share its folder.
    """
    job = Path(snakemake.log[0]).with_suffix("").parts[1:]
    if is_part(snakemake):
        job = job[:-1]
    return Path("unfinished", *job, snakemake.params.code)


def is_part(snakemake: Any) -> bool:
    """Whether a job makes some of the shards of another, which gathers them."""
    return "part" in snakemake.wildcards.keys()  # noqa: SIM118 (no mapping)


def part_of(snakemake: Any) -> tuple[int, int]:
    """Number and count of the parts that a job is one of; the whole is the only one."""
    if not is_part(snakemake):
        return (0, 1)
    return int(snakemake.wildcards.part), snakemake.params.memory["embedding_jobs"]


def kept(snakemake: Any) -> Any:
    """Parts of the job, which outlive a kill; those of other settings, code or inputs are not
    taken. To be removed once the job's outputs are there.
    """
    from transporter.support.kept import Kept, stamps  # with torch, which light jobs need not

    settings = json.dumps(dict(snakemake.params.items()), sort_keys=True, default=str)
    return Kept(unfinished(snakemake), digest(settings, stamps(snakemake.input)))


def hand_over(folder: Path, snakemake: Any) -> None:
    """Make the finished `folder` the job's output; a part leaves it to the job that gathers.

    Embeddings of a user's own clips, which change, also stay where they are, at no cost where the
    disk has links: Snakemake deletes an output before its job, and shards whose clips are the same
    are taken again. What other code left beside them goes.
    """
    if is_part(snakemake):
        return
    [output] = snakemake.output
    if snakemake.config["clips"]["source"] == "folder":
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other)
        if link_tree(folder, output):
            return
    shutil.move(folder, output)
