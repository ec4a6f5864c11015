"""Parts of a long job that are kept once they are made, so that a job that was killed makes none of
them again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transporter.support.checkpoint import load_checkpoint, save_checkpoint
from transporter.support.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Keep = Callable[[str, Callable[[], Any]], Any]
"""Name of a part, and what makes it, to the part: tensors and plain values, nested."""


def made(name: str, make: Callable[[], Any]) -> Any:
    """A `Keep` that keeps nothing."""
    return make()


@dataclass(frozen=True)
class Kept:
    """A `Keep` that has the parts of one job in a folder; they come back bit for bit, tensors on
    the CPU, tuples as lists.

    Attributes:
        folder: for this job alone.
        identity: what the parts are made from; those of another are made again.
    """

    folder: Path
    identity: str

    def __call__(self, name: str, make: Callable[[], Any]) -> Any:
        path = self.folder / f"{name}.safetensors"
        found = self._found(path)
        if found is not None:
            print(f"{name}: made before this job was stopped", flush=True)
            return found["part"]
        part = make()
        save_checkpoint(path, {"identity": self.identity, "part": part})
        return part

    def _found(self, path: Path) -> dict[str, Any] | None:
        """What is kept of this very job; of a damaged file, nothing."""
        if not path.is_file():
            return None
        try:
            state = load_checkpoint(path)
        except UserError:
            return None
        return state if state.get("identity") == self.identity else None

    def within(self, name: str) -> Kept:
        """Parts of a part of the job."""
        return Kept(self.folder / name, self.identity)

    def remove(self) -> None:
        """Forget all parts, once the job has written what it makes of them."""
        shutil.rmtree(self.folder, ignore_errors=True)


def stamps(files: Iterable[str | Path]) -> list[str]:
    """Name, size and time of the last change of each file, and of those in each folder and below:
    tells at no cost whether a file is still the same.
    """
    found = []
    for path in map(Path, files):
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in filter(Path.is_file, below):
            about = file.stat()
            found.append(f"{file} {about.st_size} {about.st_mtime_ns}")
    return found


def columns_of(table: pd.DataFrame) -> dict[str, list[Any]]:
    """The columns of a table as a part that is kept; `DataFrame` makes the table of it again."""
    return {str(name): table[name].tolist() for name in table}
