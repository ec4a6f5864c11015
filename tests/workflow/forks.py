"""Commands in forks of one process that has imported the libraries: what a test asks of Snakemake
or of the command line is seldom how it starts, which takes it longer than its answer.

The process is the one that a run keeps for its jobs (`transporter.pipeline.prefork`), and runs that
are forked from it take their jobs from it too.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from transporter.pipeline.prefork import ADDRESS, Prefork

MODULE = """import runpy, sys
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""
COMMAND_LINE = "from transporter.cli import main; main()\n"
IMPORTED = (
    "transporter.cli",
    "transporter.generators.wan",
    "transporter.vlms.qwen_vl",
    "warm",
)
"""Beside the libraries that every run's own process imports: the programs, the adapters of the
models that are run here, and the module beside this one that imports Snakemake and DVC.
"""


class Forks:
    """A process of commands, and the programs that its forks run."""

    def __init__(self) -> None:
        self.process = Prefork(*IMPORTED)
        paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
            self.process.start()
        self.address = os.environ.pop(ADDRESS)  # for the commands here alone
        for name, text in {"module": MODULE, "command_line": COMMAND_LINE}.items():
            (self.process.folder / name).write_text(text)

    def run(
        self, folder: Path, program: str, *words: str, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in `folder`; standard output and error come as one text, `stdout`."""
        script = str(self.process.folder / program)
        first = [] if environment.get("PYTHONSAFEPATH") else [str(folder)]
        request = {
            "script": script,
            "arguments": [script, *words],
            "folder": str(folder),
            "path": [*first, *_path(environment.get("PYTHONPATH", ""))],
            "environment": environment | {ADDRESS: self.address},
            "benchmark": os.devnull,
        }
        with tempfile.TemporaryFile("w+") as output, open(os.devnull) as nothing:
            code = self._ask(request, [nothing.fileno(), output.fileno(), output.fileno()])
            output.seek(0)
            return subprocess.CompletedProcess([program, *words], code, output.read())

    def _ask(self, request: dict[str, object], descriptors: list[int]) -> int:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.address)
            socket.send_fds(connection, [b"\n"], descriptors)
            connection.sendall(json.dumps(request).encode() + b"\n")
            return int(connection.makefile("rb").readline())

    def end(self) -> None:
        os.environ[ADDRESS] = self.address
        self.process.end()


@cache
def _path(given: str) -> list[str]:
    """What Python searches with this PYTHONPATH, beside the folder that it starts in."""
    command = [sys.executable, "-c", "import json, sys; print(json.dumps(sys.path[1:]))"]
    environment = os.environ | {"PYTHONPATH": given}
    return json.loads(subprocess.check_output(command, env=environment, text=True))


@cache
def forks() -> Forks:
    """The process of these tests, which starts when it is first wanted."""
    return Forks()


def end_forks() -> None:
    """To be called when the tests have run."""
    if forks.cache_info().currsize:
        forks().end()
