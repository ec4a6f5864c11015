"""The libraries that results hang on, for the record."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = (
    "torch",
    "torchvision",
    "diffusers",
    "transformers",
    "safetensors",
    "av",
    "decord",
    "snakemake",
    "numpy",
    "pandas",
    "scipy",
)


def versions(libraries: Sequence[str] = LIBRARIES) -> list[tuple[str, str]]:
    """Python and the libraries with their versions; those that a machine has no wheels of, as
    decord, are left out there.
    """
    found = [("python", platform.python_version())]
    for name in libraries:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found
