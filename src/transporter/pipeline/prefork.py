"""A process that has imported the libraries once, from which jobs are forked.

Each job is a process of its own, and importing torch, diffusers and transformers takes it longer
than much of its work. So a run keeps one process beside it that has imported them: a job's script
hands itself over, waits, and ends as its fork ended. It is the same script in the same folder with
the same environment, arguments and output; only the imports are done already.

The process is started by a run on this machine and ends with it, however that ends: it reads a pipe
that nobody else holds open.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

ADDRESS = "TRANSPORTER_PREFORK"
"""The variable that tells jobs where the process listens."""
THREADS = "OMP_NUM_THREADS"
SERVER = "transporter.pipeline.fork_server"
ONE_THREAD = {
    name: "1" for name in (THREADS, "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "GOTO_NUM_THREADS")
}
LIBRARIES = (
    "matplotlib.pyplot",
    "pandas",
    "scipy.stats",
    "torch",
    "torch._dynamo",
    "torchvision",
)
LEFT = b"the folder is looked after"
"""What the run says before it ends; one that was killed says nothing."""
SOCKET, USAGE = "socket", "usage.jsonl"
"""In the process's folder: where it listens, and what its forks took."""


def run_forked() -> None:
    """Have the running script of a job run by a fork, and end as it does.

    Returns where there is no process to fork from.
    """
    address = os.environ.pop(ADDRESS, None)
    if address is None:
        return
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
        except OSError:
            return
        main = sys.modules["__main__"]
        request = {
            # Snakemake runs a copy of the script, and lets `__file__` name the original
            "script": getattr(main, "__real_file__", main.__file__),
            "arguments": sys.argv,
            "folder": os.getcwd(),
            "path": sys.path,
            "environment": dict(os.environ),
            "benchmark": str(Path(main.snakemake.log[0]).absolute().with_suffix(".tsv")),
        }
        socket.send_fds(connection, [b"\n"], [0, 1, 2])
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer = connection.makefile("rb").readline()
    if not answer:
        sys.exit("expected the process that jobs are forked from, but it has ended; run again")
    _end_as(int(answer))


def _end_as(code: int) -> NoReturn:
    if code < 0:  # a signal, by which this process ends too
        with suppress(OSError):  # which cannot be handled
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


class Prefork:
    """The process beside a run, and the variable by which the run's jobs find it."""

    def __init__(self, *modules: str, libraries: Sequence[str] = LIBRARIES) -> None:
        """`modules`: what jobs will import beside the `libraries`, by name."""
        self.modules = (*libraries, *modules)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; it imports when the first job asks. Without effect where whoever
        started the run lends it one, and on systems where a process cannot wait for several others
        at once.
        """
        if ADDRESS in os.environ or not hasattr(os, "pidfd_open"):
            return
        self.folder = Path(tempfile.mkdtemp(prefix="transporter-"))
        address = str(self.folder / SOCKET)
        life, self.life = os.pipe()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen(64)  # from now on who asks waits for the process
            handed = [listener.fileno(), life]
            command = [sys.executable, "-m", SERVER, str(self.folder), *map(str, handed)]
            # a session of its own: an interrupt reaches jobs once, through who waits for them
            self.process = subprocess.Popen(
                [*command, *self.modules],
                pass_fds=handed,
                env=os.environ | ONE_THREAD,
                start_new_session=True,
            )
        os.close(life)
        os.environ[ADDRESS] = address

    def end(self) -> None:
        """End the process, and correct what Snakemake measured of jobs that only waited."""
        if self.process is None:
            return
        del os.environ[ADDRESS]
        os.write(self.life, LEFT)
        os.close(self.life)
        self.process.wait()
        self.process = None
        with suppress(FileNotFoundError):
            for line in (self.folder / USAGE).read_text().splitlines():
                _correct(**json.loads(line))
        shutil.rmtree(self.folder, ignore_errors=True)


def _correct(benchmark: str, seconds: float, kilobytes: int) -> None:
    """Write a job's processor time and memory over those of the process that waited for it; the
    file keeps its time, by which Snakemake tells what is new.
    """
    path = Path(benchmark)
    if not path.is_file():
        return
    header, row = (line.split("\t") for line in path.read_text().splitlines())
    taken = dict(zip(header, row, strict=True))
    measured = {
        "max_rss": f"{kilobytes / 1024:.2f}",
        "mean_load": f"{100 * seconds / max(float(taken['s']), 0.01):.2f}",
        "cpu_time": f"{seconds:.2f}",
    }
    lacking = dict.fromkeys(("max_vms", "max_uss", "max_pss", "io_in", "io_out"), "NA")
    values = [({**taken, **lacking, **measured})[name] for name in header]
    status = path.stat()
    path.write_text("\t".join(header) + "\n" + "\t".join(values) + "\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
