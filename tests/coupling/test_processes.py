"""Phi trained by several processes: the weights are those of one, also after one was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from transporter.clips.stored import VALUES, StoredRows
from transporter.coupling import processes
from transporter.coupling.network import Coupling, Pairs
from transporter.coupling.processes import train_by
from transporter.coupling.settings import CouplingSettings, Phi1Settings
from transporter.coupling.training import coupling_losses, train_coupling
from transporter.support.errors import UserError

MakePairs = Callable[[int, int], Pairs]

PROGRAM = """
import json, os, signal, sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
import torch._dynamo  # by every first optimiser, so here once for all processes
import torch.distributed
from conftest import coupling_pairs, small_settings
from torch.optim.optimizer import register_optimizer_step_post_hook
from transporter.coupling.training import train_coupling
from transporter.training.processes import Processes

torch.set_num_threads(1)
ROOT = Path(sys.argv[1])
PAIRS, HELD_OUT = coupling_pairs(40, 0), coupling_pairs(8, 1)
SETTINGS = replace(small_settings(), steps=12, accumulate=4, condition_shuffle=0.3)
STILL = replace(SETTINGS, accumulate=2, phi_1=replace(SETTINGS.phi_1, dropout=0.0))


def share(folder, settings, rank, count, death):
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=count,
        timeout=timedelta(minutes=10),
    )
    if rank == 1 and death:
        done = []

        def count_updates(*_):
            done.append(None)
            if len(done) == death:
                os.kill(os.getpid(), signal.SIGKILL)

        register_optimizer_step_post_hook(count_updates)
    own = Processes(rank, count)
    coupling = train_coupling(PAIRS, HELD_OUT, settings, folder, 5, processes=own)
    coupling.save(folder / f"{rank}.safetensors")


def forked(act, *arguments):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act(*arguments)
            code = 0
        finally:
            os._exit(code)
    return child


def by(count, name, settings, death=0):
    folder = ROOT / name
    folder.mkdir(exist_ok=True)
    (folder / "meeting").unlink(missing_ok=True)
    children = [forked(share, folder, settings, rank, count, death) for rank in range(count)]
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


codes = {
    "two": by(2, "two", STILL),
    "dead": by(2, "killed", STILL, death=8),
    "killed": by(2, "killed", STILL),
    "dropped 2": by(2, "dropped 2", replace(SETTINGS, steps=6)),
    "dropped 4": by(4, "dropped 4", replace(SETTINGS, steps=6)),
}
(ROOT / "codes.json").write_text(json.dumps(codes))
"""
CLOSE = 5e-4
"""Of weights that have moved by 0.012 at most, where gradients are added in another order: Adam
divides by their size, and some are next to zero.
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of trainings of 12 steps by two processes, and of 6 by two and four."""
    folder = tmp_path_factory.mktemp("runs")
    paths = [str(Path(__file__).parent), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder / "said").write_text(done.stdout)
    return folder


def weights(folder: Path, rank: int = 0) -> dict[str, torch.Tensor]:
    return load_file(folder / f"{rank}.safetensors")


def assert_equal(one: Path, other: Path) -> None:
    """Weights and curves, to the last bit."""
    states = weights(one), weights(other)
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert (one / "curve.tsv").read_bytes() == (other / "curve.tsv").read_bytes()


def test_processes_have_the_same_weights(runs: Path) -> None:
    assert json.loads((runs / "codes.json").read_text())["two"] == [0, 0]
    assert list(pd.read_csv(runs / "two" / "curve.tsv", sep="\t")["step"]) == [5, 10, 12]
    own, other = weights(runs / "two", 0), weights(runs / "two", 1)
    assert all(torch.equal(own[name], other[name]) for name in own)
    assert own["transport.gate"].abs().max() > 0.005  # it began at 0


def test_a_killed_process_changes_nothing(runs: Path) -> None:
    """The others end with an error, and the next run goes on from the last checkpoint."""
    codes = json.loads((runs / "codes.json").read_text())
    assert codes["dead"][1] == -signal.SIGKILL and codes["dead"][0] != 0
    assert codes["killed"] == [0, 0]
    assert (runs / "said").read_text().count("resumed checkpoint.safetensors at step 6") == 2
    assert_equal(runs / "two", runs / "killed")


def test_dropout_is_that_of_the_pass_and_not_of_the_process(runs: Path) -> None:
    two, four = weights(runs / "dropped 2"), weights(runs / "dropped 4")
    for name, left in two.items():
        torch.testing.assert_close(left, four[name], atol=CLOSE, rtol=0)
    curves = [pd.read_csv(runs / f"dropped {count}" / "curve.tsv", sep="\t") for count in (2, 4)]
    pd.testing.assert_frame_equal(*curves, rtol=1e-4)


@pytest.mark.parametrize(
    "transport",
    [
        {"aggregate": "costs", "solver": "scaling"},
        {"aggregate": "costs", "solver": "exact"},
        {"aggregate": "plans", "values": "z1"},
        {"aggregate": "gromov"},
    ],
    ids=str,
)
def test_losses_of_a_batch_are_means_of_those_of_its_parts(
    make_pairs: MakePairs, settings: CouplingSettings, transport: dict[str, str]
) -> None:
    """With their gradients, so that processes need not gather clips."""
    pairs = make_pairs(8, 0)
    chosen = CouplingSettings.from_mapping({**settings.as_dict(), "transport": transport})
    shapes = (rows.shape[1:] for rows in pairs.tensors()[:3])
    coupling = Coupling(*shapes, chosen).eval()
    coupling.measure(pairs)
    with torch.no_grad():
        for parameter in coupling.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))

    def losses(some: Pairs) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
        parts = coupling.parts(some.z_xi, some.pi, some.z_reencoded)
        found = coupling_losses(parts, coupling.standardise(some.z_omega))
        taught = list(coupling.parameters())
        return found, list(torch.autograd.grad(found["loss"], taught, materialize_grads=True))

    whole, gradients = losses(pairs)
    (one, ones), (other, others) = losses(pairs[:4]), losses(pairs[4:])
    for name, value in whole.items():
        torch.testing.assert_close(value, (one[name] + other[name]) / 2)
    for gradient, left, right in zip(gradients, ones, others, strict=True):
        torch.testing.assert_close(gradient, (left + right) / 2, atol=1e-6, rtol=1e-4)


def test_processes_are_started_and_read_rows_on_disk(
    make_pairs: MakePairs,
    settings: CouplingSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With one pass each, two are equal to one to the last bit; what two began one can end."""
    train, held_out = make_pairs(24, 0), make_pairs(8, 1)
    save_file({VALUES: train.z_omega}, tmp_path / "shard")
    stored = StoredRows([(tmp_path / "shard", row) for row in range(24)])
    train = replace(train, z_omega=stored)
    still = Phi1Settings(depth=1, width=16, token_width=16, condition_tokens=2, dropout=0.0)
    chosen = replace(settings, steps=4, accumulate=2, log_every=2, phi_1=still)
    start = train_coupling(train, held_out, chosen, tmp_path / "start", 3)
    made = [
        train_by(count, train, held_out, chosen, tmp_path / name, 5, "cpu", start, "transport")
        for count, name in ((1, "one"), (2, "two"), (1, "two"))
    ]
    assert capsys.readouterr().out.count("resumed checkpoint.safetensors at step 4") == 1
    states = [coupling.state_dict() for coupling in made]
    for name, weight in states[0].items():
        assert all(torch.equal(weight, other[name]) for other in states[1:])
    assert not torch.equal(states[0]["transport.p1"], start.state_dict()["transport.p1"])
    curves = [(tmp_path / name / "curve.tsv").read_bytes() for name in ("one", "two")]
    assert curves[0] == curves[1]
    assert not (tmp_path / "two" / processes.FOLDER).exists()


def test_what_cannot_be_shared_is_refused(
    make_pairs: MakePairs,
    settings: CouplingSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = make_pairs(8, 0)
    arguments = (pairs, pairs, replace(settings, accumulate=3), tmp_path, 0, "cpu")
    with pytest.raises(UserError, match=r"multiple of coupling.processes \(2\).*accumulate: 4"):
        train_by(2, *arguments)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="a GPU for each of 3 processes, got 1 in this job"):
        train_by(3, *arguments)
