"""A real Slurm on this machine, for the while of a test: one node that pretends to have two GPUs,
without systemd, cgroups or accounting. It needs root and Debian's packages.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
PLACE = Path("/etc/slurm")
"""Where Slurm looks for its settings; the executor takes away the variable that says otherwise."""
GRES = "Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n"
SETTINGS = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CryptoType=crypto/munge
SlurmctldPort=16917
SlurmdPort=16918
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
Prolog={folder}/prolog.sh
PrologFlags=Alloc
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
KillWait=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 CoresPerSocket=4 RealMemory=16000 Gres=gpu:2 State=UNKNOWN
PartitionName=gpu Nodes={host} Default=YES MaxTime=UNLIMITED State=UP
"""
# the GPUs of each job, as Slurm chose them
PROLOG = """\
#!/bin/sh
echo "$SLURM_JOB_ID ${{SLURM_JOB_GPUS:-none}}" >> {folder}/jobs.txt
"""


def lacking() -> str:
    """Why no Slurm can be started here, or nothing; packages are fetched where they can be."""
    if os.getuid() != 0:
        return "a Slurm of its own needs root"
    if (PLACE / "slurm.conf").exists():
        return f"this machine has a Slurm already ({PLACE / 'slurm.conf'})"
    if missing() and shutil.which("apt-get"):
        fetch = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
        quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "capture_output": True}
        subprocess.run(["apt-get", "update", "-qq"], **quiet)
        subprocess.run(fetch, **quiet)
    return f"these programs are not there: {', '.join(missing())}" if missing() else ""


def missing() -> list[str]:
    return [name for name in PROGRAMS if not shutil.which(name)]


@contextmanager
def slurm(folder: Path) -> Iterator[Path]:
    """While open, Slurm takes jobs. Yields a file with a line for each: its number and the GPUs
    that it was given.
    """
    for part in ("munge", "state", "spool"):
        (folder / part).mkdir(parents=True)
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    values = {"host": socket.gethostname().partition(".")[0], "folder": folder}
    (folder / "slurm.conf").write_text(SETTINGS.format(**values))
    (folder / "gres.conf").write_text(GRES)
    (folder / "prolog.sh").write_text(PROLOG.format(**values))
    (folder / "prolog.sh").chmod(0o755)
    links = [PLACE / name for name in ("slurm.conf", "gres.conf")]
    PLACE.mkdir(exist_ok=True)
    try:
        for link in links:
            link.symlink_to(folder / link.name)
        _start(folder)
        yield folder / "jobs.txt"
    finally:
        _stop(folder)
        for link in links:
            link.unlink(missing_ok=True)


def _start(folder: Path) -> None:
    munge = folder / "munge"
    munge.chmod(0o755)
    places = {
        "--key-file": "key",
        "--socket": "socket",
        "--pid-file": "munged.pid",
        "--log-file": "log",
        "--seed-file": "seed",
    }
    options = [f"{option}={munge / name}" for option, name in places.items()]
    settings = str(folder / "slurm.conf")
    for command in (
        ["munged", "--force", *options],
        ["slurmctld", "-c", "-f", settings],
        ["slurmd", "-f", settings],
    ):
        subprocess.run(command, check=True, capture_output=True)
    for _ in range(100):
        seen = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True)
        if seen.stdout.split() == ["idle"]:
            return
        time.sleep(0.2)
    raise RuntimeError(f"Slurm did not come up: {seen.stdout or seen.stderr}")


def _stop(folder: Path) -> None:
    """End what was started here, by the numbers of the processes."""
    for name in ("slurmd.pid", "slurmctld.pid", "munge/munged.pid"):
        with suppress(OSError, ValueError):
            os.kill(int((folder / name).read_text()), signal.SIGTERM)
