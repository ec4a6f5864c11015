"""The process from which jobs are forked (see `prefork`): one loop over who asks, which forks have
ended, and who no longer waits.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import math
import os
import runpy
import selectors
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from threadpoolctl import threadpool_limits

from transporter.pipeline.prefork import LEFT, THREADS, USAGE

GRACE = 5.0
"""Seconds that an interrupted job has to clean up."""


@dataclass
class _Fork:
    """A job that runs, and who waits for it."""

    pid: int
    ending: int  # a descriptor that can be read when the job has ended
    connection: socket.socket
    benchmark: str
    deadline: float = math.inf  # after which it is killed


class _Server:
    def __init__(self, folder: Path, listener: int, life: int, modules: Sequence[str]) -> None:
        self.folder, self.modules = folder, modules
        self.listener = socket.socket(fileno=listener)
        self.selector = selectors.DefaultSelector()
        self.selector.register(life, selectors.EVENT_READ, lambda: self.stop(life))
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.forks: list[_Fork] = []
        self.alive = True

    def serve(self) -> None:
        while self.alive:
            first = min((fork.deadline for fork in self.forks), default=math.inf)
            wait = None if math.isinf(first) else max(0.0, first - time.monotonic())
            for key, _ in self.selector.select(wait):
                key.data()
            self._kill_overdue()

    def _kill_overdue(self) -> None:
        for fork in self.forks:
            if fork.deadline < time.monotonic():
                os.kill(fork.pid, signal.SIGKILL)
                fork.deadline = math.inf

    def stop(self, life: int) -> None:
        """The run has ended: so do its jobs."""
        self.alive = False
        for fork in self.forks:
            os.kill(fork.pid, signal.SIGKILL)
        if os.read(life, len(LEFT)) != LEFT:
            shutil.rmtree(self.folder, ignore_errors=True)

    def accept(self) -> None:
        self._import()
        connection, _ = self.listener.accept()
        _, outputs, *_ = socket.recv_fds(connection, 1, 3)
        line = connection.makefile("rb").readline()
        if not line:  # who asked has ended
            connection.close()
            return
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _run(request, outputs)
        for output in outputs:
            os.close(output)
        fork = _Fork(pid, os.pidfd_open(pid), connection, request["benchmark"])
        self.forks.append(fork)
        self.selector.register(fork.ending, selectors.EVENT_READ, lambda: self.ended(fork))
        self.selector.register(connection, selectors.EVENT_READ, lambda: self.left(fork))

    def _import(self) -> None:
        """At the first request, so that a run without such jobs pays nothing."""
        for name in self.modules:
            with suppress(Exception):  # the job that needs it says so
                importlib.import_module(name)
        self.modules = ()
        gc.collect()
        gc.freeze()  # forks share these objects while nobody touches them

    def ended(self, fork: _Fork) -> None:
        _, status, usage = os.wait4(fork.pid, 0)
        self.forks.remove(fork)
        self.selector.unregister(fork.ending)
        os.close(fork.ending)
        seconds = usage.ru_utime + usage.ru_stime
        record = {
            "benchmark": fork.benchmark,
            "seconds": seconds,
            "kilobytes": usage.ru_maxrss,
        }
        with open(self.folder / USAGE, "a") as file:
            file.write(json.dumps(record) + "\n")
        with suppress(OSError):
            fork.connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        self._forget(fork)

    def left(self, fork: _Fork) -> None:
        """Who waited has gone: the job is interrupted, as it would have been alone."""
        self._forget(fork)
        if fork in self.forks:
            os.kill(fork.pid, signal.SIGINT)
            fork.deadline = time.monotonic() + GRACE

    def _forget(self, fork: _Fork) -> None:
        with suppress(KeyError, ValueError):
            self.selector.unregister(fork.connection)
        fork.connection.close()


def _run(request: dict[str, Any], outputs: Sequence[int]) -> NoReturn:
    """In the fork: be the job's process."""
    code = 1
    try:
        for number, output in enumerate(outputs):
            os.dup2(output, number)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.environ.clear()
        os.environ.update(request["environment"])
        threadpool_limits(int(os.environ.get(THREADS, 1)))
        os.chdir(request["folder"])
        sys.argv[:], sys.path[:] = request["arguments"], request["path"]
        runpy.run_path(request["script"], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = _exit_code(end.code)
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)


def _exit_code(code: Any) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)
    return 1


def _leave(code: int) -> NoReturn:
    with suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _Server(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]).serve()
    os._exit(0)  # some libraries complain when they are taken down
