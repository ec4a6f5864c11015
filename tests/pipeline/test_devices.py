"""Leases of devices, with pretended devices and real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.settings.types import GroupSettings

from transporter.pipeline import devices
from transporter.pipeline.devices import is_single_submitted, lease, visible_devices
from transporter.support.errors import UserError

HOLD = """
import sys, time
from transporter.pipeline.devices import lease
with lease(int(sys.argv[1])) as held:
    print(*held, flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture(autouse=True)
def two_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (devices.VISIBLE, devices.HELD, devices.SUBMITTED):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(devices.FAKE, "2")
    monkeypatch.setenv(devices.FOLDER, str(tmp_path / "leases"))
    monkeypatch.setattr(devices, "POLL", 0.02)


def hold(count: int = 1, seconds: float = 60) -> subprocess.Popen[str]:
    """Another process that holds devices; it says which once it has them."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(count), str(seconds)], stdout=subprocess.PIPE, text=True
    )


def held_by(process: subprocess.Popen[str]) -> set[str]:
    assert process.stdout is not None
    return set(process.stdout.readline().split())


def test_processes_at_one_time_get_devices_of_their_own() -> None:
    with hold() as first, hold() as second:
        assert held_by(first) | held_by(second) == {"FAKE-0", "FAKE-1"}
        with (
            pytest.raises(UserError, match=r"expected 1 free of 2 devices, got 0 in 0.1 s"),
            lease(timeout=0.1),
        ):
            pass
        first.kill()
        second.kill()


def test_a_killed_process_leaves_nothing_behind() -> None:
    with hold(2) as holder:
        assert held_by(holder) == {"FAKE-0", "FAKE-1"}
        os.kill(holder.pid, signal.SIGKILL)
    with lease(2, timeout=5) as held:
        assert held == ("FAKE-0", "FAKE-1")


def test_a_lease_waits_for_a_device_to_become_free() -> None:
    with hold(2, 1) as holder:
        held_by(holder)
        start = time.monotonic()
        with lease(timeout=20):
            assert time.monotonic() - start > 0.1


def test_all_or_nothing() -> None:
    with hold(1) as first:
        assert held_by(first) == {"FAKE-0"}
        # only now: a job that wants both takes either for a moment while it tries
        with hold(2) as greedy:
            time.sleep(0.3)
            with lease(1, timeout=10) as held:
                assert held == ("FAKE-1",)
            greedy.kill()
        first.kill()


def test_children_share_their_parents_devices() -> None:
    with lease(1) as held, hold(2) as child:
        assert held_by(child) == set(held)
        child.kill()


def test_cuda_sees_the_leased_devices_only_while_they_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with lease(1):
        assert os.environ[devices.VISIBLE] == "FAKE-0"
    assert devices.VISIBLE not in os.environ
    monkeypatch.setenv(devices.VISIBLE, "1")
    with lease(1) as held:
        assert held == ("FAKE-1",)
        assert os.environ[devices.VISIBLE] == "FAKE-1"
    assert os.environ[devices.VISIBLE] == "1"


def test_one_device_has_one_name_however_the_user_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.VISIBLE, "1, FAKE-0,0,-1")
    assert visible_devices() == ["FAKE-1", "FAKE-0"]
    monkeypatch.setenv(devices.VISIBLE, "")
    assert visible_devices() == []


ALLOCATIONS = {
    "salloc on a whole node": {"SLURM_JOB_ID": "7", "SLURM_JOB_GPUS": "0,1"},
    "salloc of two of eight": {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0,1"},
    "a pod": {"KUBERNETES_SERVICE_HOST": "10.0.0.1"},
    "a pod that is told": {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "CUDA_VISIBLE_DEVICES": "1,0"},
    "qsub -I": {"PBS_JOBID": "7.head", "CUDA_VISIBLE_DEVICES": "FAKE-0,FAKE-1"},
}


@pytest.mark.parametrize("kind", ALLOCATIONS)
def test_jobs_within_an_allocation_get_devices_of_their_own(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for name, value in ALLOCATIONS[kind].items():
        monkeypatch.setenv(name, value)
    with hold() as first, hold() as second:
        assert held_by(first) | held_by(second) == {"FAKE-0", "FAKE-1"}
        first.kill()
        second.kill()


def test_of_an_allocation_nothing_else_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv(devices.VISIBLE, "1")
    with lease(1) as held:
        assert held == ("FAKE-1",)
    with pytest.raises(UserError, match="expected at most 1 devices in one job"), lease(2):
        pass


def test_a_job_that_was_submitted_keeps_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv(devices.SUBMITTED, "1")
    monkeypatch.setenv(devices.VISIBLE, "0")
    with hold() as other, lease(1, timeout=1) as held:
        assert held == ("0",)
        assert held_by(other) == {"0"}
        other.kill()


def test_without_devices_a_job_computes_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.FAKE, "0")
    with lease(1) as held:
        assert held == ()
        assert devices.VISIBLE not in os.environ


def test_more_devices_than_there_are() -> None:
    with (
        pytest.raises(
            UserError, match="expected at most 2 devices in one job, got a request for 3"
        ),
        lease(3),
    ):
        pass


def test_no_device_is_leased_for_none() -> None:
    with lease(0) as held, lease(2, timeout=1) as others:
        assert held == ()
        assert len(others) == 2


def lock_folder() -> Path:
    return Path(os.environ[devices.FOLDER])


def test_the_lock_files_are_the_users_alone() -> None:
    with lease(1):
        assert lock_folder().stat().st_mode & 0o777 == 0o700
        [file] = lock_folder().iterdir()
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_others_may_enter_is_refused() -> None:
    lock_folder().mkdir()
    lock_folder().chmod(0o770)
    assert "got one of mode 770; run `chmod 700" in refusal()
    assert not any(lock_folder().iterdir())


def refusal() -> str:
    with pytest.raises(UserError) as error, lease(1):
        pass
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_link_is_no_folder_of_locks(tmp_path: Path) -> None:
    """Whoever may write into the folder for temporary files may put one there first."""
    (tmp_path / "theirs").mkdir()
    lock_folder().symlink_to(tmp_path / "theirs")
    assert "expected a folder of yours for the lock files" in refusal()
    assert not any((tmp_path / "theirs").iterdir())
    lock_folder().unlink()
    lock_folder().write_text("")
    assert "expected a folder of yours for the lock files" in refusal()


def test_a_folder_of_another_users_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lock_folder().mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: lock_folder().lstat().st_uid + 1)
    assert "expected a folder of yours for the lock files" in refusal()


def test_a_lock_file_is_not_reached_through_a_link(tmp_path: Path) -> None:
    lock_folder().mkdir(mode=0o700)
    (lock_folder() / "FAKE-0.lock").symlink_to(tmp_path / "elsewhere")
    assert "FAKE-0.lock: expected a lock file of yours" in refusal()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("remote", "group", "single"),
    [(True, "local", True), (True, "17", False), (False, "17", False)],
)
def test_jobs_of_a_group_share_what_the_group_was_given(
    remote: bool, group: str, single: bool
) -> None:
    settings = GroupSettings(local_groupid=group)
    workflow = SimpleNamespace(remote_exec=remote, group_settings=settings)
    assert is_single_submitted(workflow) is single
    assert GroupSettings().local_groupid == devices.NO_GROUP
