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
import hashlib, json, os, random, signal, sys, threading
from dataclasses import replace
from pathlib import Path

import torch
import torch._dynamo  # by every first optimiser, so here once for all processes
from conftest import coupling_pairs, small_settings
from torch.optim.optimizer import register_optimizer_step_post_hook
from transporter.coupling.training import train_coupling

torch.set_num_threads(1)
KILLS, ROOT = int(sys.argv[1]), Path(sys.argv[2])
UPDATES = 14  # at most before a kill; there is one a step, and a checkpoint every 10 steps
SETTINGS = replace(small_settings(), steps=120, save_every=10, log_every=40)


def train(folder):
    coupling = train_coupling(coupling_pairs(40, 0), coupling_pairs(8, 1), SETTINGS, folder, 5)
    coupling.save(folder / "coupling.safetensors")


def kill_after(updates, seconds):
    \"\"\"Kill this process so many seconds after that many updates, whatever it does then.\"\"\"
    done = []

    def count(*_):
        done.append(None)
        if len(done) == updates:
            threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()

    register_optimizer_step_post_hook(count)


def forked(folder, *death):
    child = os.fork()
    if child == 0:
        if death:
            kill_after(*death)
        train(folder)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def hashes(folder):
    names = ("coupling.safetensors", "curve.tsv")
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]


assert forked(ROOT / "straight") == 0
moments = random.Random(0)
deaths = [(moments.randint(2, UPDATES), moments.uniform(0, 0.02)) for _ in range(KILLS)]
codes = [forked(ROOT / "killed", *death) for death in deaths]
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
    assert report["codes"] == [-signal.SIGKILL] * KILLS
    assert done.stdout.count("resumed checkpoint.safetensors at step") > KILLS // 2
    assert report["killed"] == report["straight"]
