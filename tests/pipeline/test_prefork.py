"""Jobs that are forked from a process beside the run: as if each had been started alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from transporter.pipeline.prefork import ADDRESS, Prefork

HEAD = """
import sys
from types import SimpleNamespace

snakemake = SimpleNamespace(log=["logs/job.log"])  # as the head that Snakemake writes
from transporter.pipeline.prefork import run_forked

run_forked()
"""
ENDS = {
    "as it should": "print('done')",
    "with a code": "sys.exit(3)",
    "with a line": "sys.exit('expected this, got that')",
    "with an error": "1 / 0",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "terminated": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
}
SURROUNDINGS = """
import os, random, threading
print(os.getcwd(), sys.argv[1:], sys.path, sorted(os.environ.items()), __name__)
print(os.path.abspath(__file__))
print(sorted(os.listdir("/proc/self/fd")), threading.active_count())
print(input())
print("error", file=sys.stderr)
"""


@pytest.fixture
def prefork() -> Iterator[Prefork]:
    process = Prefork(libraries=["json", "no_such_module"])
    process.start()
    yield process
    process.end()


def job(folder: Path, text: str) -> list[str]:
    (folder / "job.py").write_text(HEAD + text)
    return [sys.executable, "job.py", "an argument"]


def done(folder: Path, text: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a script."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    end = subprocess.run(
        job(folder, text),
        cwd=folder,
        env=environment,
        input="from standard input\n",
        capture_output=True,
        text=True,
    )
    return end.returncode, end.stdout, end.stderr


@pytest.mark.parametrize("end", ENDS)
def test_a_fork_ends_as_the_job_alone(prefork: Prefork, tmp_path: Path, end: str) -> None:
    forked = done(tmp_path, ENDS[end])
    prefork.end()
    alone = done(tmp_path, ENDS[end])
    assert forked[:2] == alone[:2]
    assert forked[2].splitlines()[-1:] == alone[2].splitlines()[-1:]  # of a traceback


def test_a_fork_has_the_surroundings_of_the_job(prefork: Prefork, tmp_path: Path) -> None:
    forked = done(tmp_path, SURROUNDINGS)
    prefork.end()
    assert forked == done(tmp_path, SURROUNDINGS)


def test_a_fork_finds_the_libraries_imported(prefork: Prefork, tmp_path: Path) -> None:
    text = "import os; print(os.getppid() == {}, 'json.decoder' in sys.modules)"
    assert prefork.process is not None
    assert done(tmp_path, text.format(prefork.process.pid))[1] == "True True\n"


def test_a_fork_has_the_threads_of_the_job(prefork: Prefork, tmp_path: Path) -> None:
    text = (
        "import numpy, threadpoolctl\n"
        "print({pool['num_threads'] for pool in threadpoolctl.threadpool_info()})\n"
    )
    prefork.end()
    process = Prefork(libraries=["numpy"])
    process.start()
    try:
        for threads in ("1", "2"):
            environment = os.environ | {"OMP_NUM_THREADS": threads}
            output = subprocess.check_output(job(tmp_path, text), cwd=tmp_path, env=environment)
            assert output.decode() == f"{{{threads}}}\n"
    finally:
        process.end()


def test_a_run_takes_the_process_that_it_is_lent(prefork: Prefork, tmp_path: Path) -> None:
    assert prefork.process is not None
    run = Prefork(libraries=[])
    run.start()
    run.end()
    assert done(tmp_path, "import os; print(os.getppid())")[1] == f"{prefork.process.pid}\n"


def running(folder: Path, prefork: Prefork) -> subprocess.Popen[bytes]:
    """A job that has begun to sleep, and writes `cleaned` when it is interrupted."""
    text = (
        "import time\nfrom pathlib import Path\nPath('begun').touch()\n"
        "try:\n    time.sleep(60)\nfinally:\n    Path('cleaned').touch()\n"
    )
    process = subprocess.Popen(job(folder, text), cwd=folder, stderr=subprocess.DEVNULL)
    wait_for(folder / "begun")
    return process


def wait_for(path: Path, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not come"
        time.sleep(0.02)


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_a_fork_is_interrupted_when_nobody_waits_for_it(
    prefork: Prefork, tmp_path: Path, kill: signal.Signals
) -> None:
    waiting = running(tmp_path, prefork)
    waiting.send_signal(kill)
    waiting.wait()
    wait_for(tmp_path / "cleaned")
    assert done(tmp_path, "print('the next')")[1] == "the next\n"


def test_forks_end_with_the_run_however_that_ends(prefork: Prefork, tmp_path: Path) -> None:
    waiting = running(tmp_path, prefork)
    prefork.end()
    assert waiting.wait(timeout=20) != 0


def test_the_process_ends_with_a_killed_run(tmp_path: Path) -> None:
    run = (
        "import time\nfrom transporter.pipeline.prefork import Prefork\n"
        "prefork = Prefork(libraries=[])\nprefork.start()\n"
        "print(prefork.process.pid, prefork.folder, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", run], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        server, folder = killed.stdout.readline().split()
        assert Path(folder).is_dir()
        killed.kill()
    end = time.monotonic() + 20
    while Path(f"/proc/{server}/cmdline").exists() and _lives(server):
        assert time.monotonic() < end, "the process lives on"
        time.sleep(0.02)
    assert not Path(folder).exists()


def _lives(process: str) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_measurements_are_those_of_the_fork(prefork: Prefork, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    benchmark = tmp_path / "logs" / "job.tsv"
    benchmark.write_text(
        "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
        "2.0000\t0:00:02\t24.9\t1.0\t2.0\t3.0\t4.0\t5.0\t1.0\t0.02\n"
    )
    os.utime(benchmark, (1, 1))
    text = (
        "import time\nblock = bytearray(200 << 20)\nend = time.process_time() + 0.5\n"
        "while time.process_time() < end: pass\n"
    )
    assert done(tmp_path, text)[0] == 0
    prefork.end()
    header, row = (line.split("\t") for line in benchmark.read_text().splitlines())
    measured = dict(zip(header, row, strict=True))
    assert 200 < float(measured["max_rss"]) < 400
    assert 0.5 <= float(measured["cpu_time"]) < 1.5
    assert float(measured["mean_load"]) == pytest.approx(50 * float(measured["cpu_time"]), abs=0.5)
    assert (measured["s"], measured["max_vms"], measured["io_in"]) == ("2.0000", "NA", "NA")
    assert benchmark.stat().st_mtime == 1


def test_without_the_process_a_job_runs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS, str(tmp_path / "nobody_listens"))
    assert done(tmp_path, "print('alone')") == (0, "alone\n", "")
