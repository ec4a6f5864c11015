"""Settings and files that all tests share."""

from __future__ import annotations

import fcntl
import math
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av  # noqa: F401 (decord's libraries, loaded first, break its encoders)
import numpy as np
import pytest
from forks import end_forks
from hypothesis import settings

from transporter.support.errors import Unavailable

if TYPE_CHECKING:  # what starts the workers needs no torch, and would wait for it
    import torch

# how long one example takes says more about the machine than about the code
settings.register_profile("transporter", deadline=None)
settings.load_profile("transporter")

MINIATURE = "miniature"
"""The group of the tests that share the run of the miniature, by far the longest."""
HUB = "hub"
"""The group of those that share a run of models in the hub's shape."""
SHARED = {
    MINIATURE: ("workflow", ("dag", "paper", "plans", "snapshot")),
    "restore": ("pipeline", ("restore", "restore_files", "restore_links", "restore_listings")),
    HUB: ("hub", ("pipeline", "paper", "commands")),
}
GROUPS = {
    f"tests/{folder}/test_{name}.py": group
    for group, (folder, names) in SHARED.items()
    for name in names
}
"""Groups of test files that share what is made once; every other file is a group by itself."""
FIRST = (
    MINIATURE,
    "tests/workflow/test_own_clips.py",
    "tests/workflow/test_stranger.py",
    HUB,
)
"""The longest groups, in the order in which workers take them."""
MOST_WORKERS = 4
MEMORY = 4 * 2**30
"""Bytes that a worker is given, for itself and the jobs of a pipeline that it runs."""


def group_of(test: str) -> str:
    """The group of a test, by its id."""
    file = test.partition("::")[0]
    return GROUPS.get(file, file)


def turn(item: pytest.Item) -> int:
    """When a test's group is taken."""
    group = group_of(item.nodeid)
    return FIRST.index(group) if group in FIRST else len(FIRST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Workers of `-n auto`: as many as there are cores and memory for, and few on any machine."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(MOST_WORKERS, os.cpu_count() or 1, memory // MEMORY))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each worker takes whole groups of tests, in the order in which they were collected."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False
    return Groups(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Workers, which inherit the environment, compute on one core each."""
    if config.getoption("numprocesses", None):
        os.environ["OMP_NUM_THREADS"] = "1"


def pytest_unconfigure() -> None:
    end_forks()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under workers the longest groups come first."""
    if hasattr(config, "workerinput"):
        items.sort(key=turn)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference files."""
    if "TRANSPORTER_REFERENCE" not in os.environ:
        pytest.skip("TRANSPORTER_REFERENCE names no folder of reference files")
    return Path(os.environ["TRANSPORTER_REFERENCE"])


@pytest.fixture(scope="session")
def weights(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Published weights by name, kept in pytest's cache; tests that need them are skipped where
    they cannot be fetched.
    """

    def get(name: str) -> Path:
        from transporter.networks.published import fetch

        folder = request.config.cache.mkdir("weights")
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be fetching them
            try:
                return fetch(name, folder)
            except Unavailable as error:
                pytest.skip(str(error))

    return get


@dataclass(frozen=True)
class GoldenClips:
    """Real clips and the logits that the published I3D gives their first 16 frames at 128 x 128."""

    folder: Path
    names: list[str]
    logits: np.ndarray

    def video(self, name: str) -> torch.Tensor:
        """`(1, 16, 3, 128, 128)` in [0, 1]."""
        import decord
        import torch

        frames = (
            decord.VideoReader(str(self.folder / name), num_threads=1)
            .get_batch(range(16))
            .asnumpy()
        )
        small = _area(_area(frames.astype(np.float32), axis=2), axis=1).round()
        return torch.from_numpy(small).permute(0, 3, 1, 2)[None] / 255


def _area(frames: np.ndarray, axis: int, out: int = 128) -> np.ndarray:
    """Averages over `out` equal parts of an axis, in float32 and one pixel after another: OpenCV's
    INTER_AREA to the last bit.
    """
    size, parts = frames.shape[axis], np.arange(out)
    scale, total = size / out, np.float32(0)
    for offset in range(math.ceil(scale) + 1):
        pixel = np.floor(parts * scale).astype(int) + offset
        covered = np.minimum((parts + 1) * scale, pixel + 1) - np.maximum(parts * scale, pixel)
        share = np.where(covered > 1e-3, covered / scale, 0).astype(np.float32)
        shape = [out if dimension == axis else 1 for dimension in range(frames.ndim)]
        total = total + np.take(frames, pixel.clip(max=size - 1), axis) * share.reshape(shape)
    return total


@pytest.fixture(scope="session")
def golden(reference: Path) -> GoldenClips:
    """The clips with known logits."""
    with np.load(reference / "golden" / "i3d_logits_first16_128px.npz") as arrays:
        return GoldenClips(reference / "clips", arrays["files"].tolist(), arrays["logits"])


def _allocated(act: Callable[[], object]) -> int:
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        act()
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return most


@pytest.fixture(scope="session")
def allocated() -> Callable[[Callable[[], object]], int]:
    """The most bytes that torch's allocator had given out at once, beyond what was there before."""
    return _allocated


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Headless Chromium, with logs of what it says and asks for; skipped aloud where there is
    none.
    """
    programs = [shutil.which("chromium"), shutil.which("chromedriver")]
    if None in programs:
        message = (
            "pages are not tested in a browser: install chromium and chromedriver (Debian:"
            " chromium, chromium-driver)"
        )
        if os.environ.get("TRANSPORTER_REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    off = [
        f"disable-{name}"
        for name in ("gpu", "quic", "background-networking", "component-update", "sync")
    ]
    profile = f"user-data-dir={tmp_path_factory.mktemp('profile')}"
    for flag in ("headless", "no-sandbox", "no-first-run", *off, "window-size=1280,1000", profile):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1]))
    yield driver
    driver.quit()
