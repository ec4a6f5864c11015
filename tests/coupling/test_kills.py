"""A training that is killed again and again ends as one that was left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

KILLS = 10
PROGRAM = """
import hashlib, json, os, random, signal, sys, time
from dataclasses import replace
from pathlib import Path

import torch
import torch._dynamo  # by every first optimiser, so here once for all processes
from conftest import coupling_pairs, small_settings
from transporter.coupling.training import train_coupling

torch.set_num_threads(1)
KILLS, ROOT = int(sys.argv[1]), Path(sys.argv[2])
SETTINGS = replace(small_settings(), steps=120, save_every=500, log_every=40)


def train(folder):
    coupling = train_coupling(coupling_pairs(40, 0), coupling_pairs(8, 1), SETTINGS, folder, 5)
    coupling.save(folder / "coupling.safetensors")


def forked(folder, seconds=None):
    \"\"\"Train in a process of its own; kill it after some seconds.\"\"\"
    child = os.fork()
    if child == 0:
        train(folder)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def hashes(folder):
    names = ("coupling.safetensors", "curve.tsv")
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]


start = time.monotonic()
assert forked(ROOT / "straight") == 0
whole = time.monotonic() - start
moments = random.Random(0)
waits = [moments.uniform(0.1, 0.5) * whole for _ in range(KILLS)]
codes = [forked(ROOT / "killed", wait) for wait in waits]
assert forked(ROOT / "killed") == 0
report = {name: hashes(ROOT / name) for name in ("straight", "killed")} | {"codes": codes}
(ROOT / "report.json").write_text(json.dumps(report))
"""


def test_ten_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    paths = [str(Path(__file__).parent), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, str(KILLS), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["codes"].count(-signal.SIGKILL) >= KILLS // 3
    assert "resumed checkpoint.safetensors at step 30" in done.stdout
    assert report["killed"] == report["straight"]
