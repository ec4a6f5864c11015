"""Which device a job computes on, and leases that give each of several local jobs devices of its
own.

Snakemake counts GPUs but does not say which one is whose. Here every device has a lock file; the
kernel frees the lock when its process ends, however it ends. Within an allocation (`salloc`, a pod)
the devices that it shows are leased, so that its jobs do not all take the first; so are those of a
group of jobs that Snakemake has submitted as one. Single jobs that it has submitted to a batch
system have devices of their own, and nothing is changed.
"""

from __future__ import annotations

import fcntl
import os
import random
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from transporter.support.errors import UserError

if TYPE_CHECKING:
    import torch

VISIBLE = "CUDA_VISIBLE_DEVICES"
FAKE = "TRANSPORTER_FAKE_DEVICES"
"""Number of devices to pretend, for tests."""
FOLDER = "TRANSPORTER_LEASES"
"""Where the lock files are; by default a folder of the user's in the folder for temporary files."""
HELD = "TRANSPORTER_LEASED"
"""What this process or the one that started it holds already; children share it."""
SUBMITTED = "TRANSPORTER_SUBMITTED"
"""Set where Snakemake itself has submitted the job, alone, to a batch system that chose its
devices.
"""
NO_GROUP = "local"
"""What Snakemake calls the group of a job that is in none."""
POLL = 0.2
"""Seconds between two tries."""


def is_single_submitted(workflow: Any) -> bool:
    """Whether this process of Snakemake is a job that was submitted alone. Jobs of a group run
    beside each other, on what the group was given.
    """
    return workflow.remote_exec and workflow.group_settings.local_groupid == NO_GROUP


def pick_device() -> torch.device:
    """The fastest kind of device that this process sees."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@contextmanager
def lease(count: int = 1, timeout: float | None = None) -> Iterator[tuple[str, ...]]:
    """Hold `count` devices that no other leasing process holds, and show only them to CUDA in this
    process and its children.

    Yields their names. Waits while too few are free. Without any device on the machine it yields
    `()`, and the job computes on the CPU; in a job that Snakemake has submitted, or within another
    lease, it yields what was given already. Enter it before CUDA is first used.

    Raises:
        UserError: more devices are asked for than there are, `timeout` seconds have passed, or the
            folder of the lock files is not this user's.
    """
    given = os.environ.get(VISIBLE)
    if count == 0 or any(name in os.environ for name in (SUBMITTED, HELD)):
        yield tuple(_split(given or ""))
        return
    devices = visible_devices()
    if not devices:
        yield ()
        return
    if count > len(devices):
        raise UserError(
            f"expected at most {len(devices)} devices in one job, got a request for {count}; there"
            f" are {', '.join(devices)}"
        )
    _refuse_late()
    with ExitStack() as locks:
        held = _wait(devices, count, timeout, locks)
        os.environ[VISIBLE] = os.environ[HELD] = ",".join(held)
        try:
            yield held
        finally:
            del os.environ[HELD]
            if given is None:
                del os.environ[VISIBLE]
            else:
                os.environ[VISIBLE] = given


def visible_devices() -> list[str]:
    """Devices that may be leased: those in CUDA_VISIBLE_DEVICES if it is set, else all that the
    machine has, by unique name.
    """
    present = _present()
    if VISIBLE not in os.environ:
        return list(present.values())
    chosen = [name for name in _split(os.environ[VISIBLE]) if name != "-1"]
    # one device, one lock: by whatever name the user called it
    return list(dict.fromkeys(_full_name(name, present) for name in chosen))


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _full_name(name: str, present: dict[str, str]) -> str:
    if name in present:
        return present[name]
    return next((full for full in present.values() if full.startswith(name)), name)


def _present() -> dict[str, str]:
    """Index to unique name."""
    if FAKE in os.environ:
        return {str(index): f"FAKE-{index}" for index in range(int(os.environ[FAKE]))}
    command = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        lines = subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return {}
    return dict(_split(line)[:2] for line in lines if line.count(",") == 1)


def _refuse_late() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        raise RuntimeError(
            "expected a lease before the first use of CUDA: the choice would come too late"
        )


def _wait(
    devices: Sequence[str], count: int, timeout: float | None, locks: ExitStack
) -> tuple[str, ...]:
    start = time.monotonic()
    while True:
        with ExitStack() as attempt:
            held = []
            for device in devices:
                if len(held) < count and (file := _try_lock(device)):
                    attempt.enter_context(file)
                    held.append(device)
            if len(held) == count:
                locks.enter_context(attempt.pop_all())
                return tuple(held)
            # all or nothing: two jobs that each want two devices must not wait for each other
        if timeout is not None and time.monotonic() - start > timeout:
            raise UserError(
                f"expected {count} free of {len(devices)} devices, got {len(held)} in {timeout:g}"
                " s; other jobs hold the rest"
            )
        time.sleep(POLL * random.uniform(0.5, 1.5))


def _lock_folder() -> Path:
    """The folder of the lock files, which is this user's alone: in a shared folder another could
    hold the locks, or put a link where a lock file will be.
    """
    folder = Path(
        os.environ.get(FOLDER) or Path(tempfile.gettempdir()) / f"transporter-leases-{os.getuid()}"
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UserError(
            f"{folder}: expected a folder of yours for the lock files of devices, got a link, a"
            f" file or a folder of another user's; delete it, or set {FOLDER} to another place"
        )
    if found.st_mode & 0o077:
        raise UserError(
            f"{folder}: expected a folder that is yours alone, got one of mode"
            f" {stat.S_IMODE(found.st_mode):o}; run `chmod 700 {folder}`, or set {FOLDER} to"
            " another place"
        )
    return folder


def _open_lock(folder: Path, device: str) -> TextIO:
    name = folder / f"{device.replace(os.sep, '_')}.lock"
    try:
        return os.fdopen(os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+")
    except OSError as error:
        raise UserError(
            f"{name}: expected a lock file of yours, got: {error.strerror}; delete it"
        ) from None


def _try_lock(device: str) -> TextIO | None:
    file = _open_lock(_lock_folder(), device)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
