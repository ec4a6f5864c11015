"""The concept bank as an object: named vectors, and the settings that they were fitted with."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from transporter.support.errors import UserError
from transporter.support.files import written_whole


@dataclass(frozen=True)
class ConceptBank:
    """`vectors[name]` is `q_o`, `(L, d)` (one vector per text token) or `(1, d)` (one for all)."""

    vectors: dict[str, torch.Tensor]
    settings: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> torch.Tensor:
        """The vector of one concept.

        Raises:
            UserError: the bank has no such concept.
        """
        if name not in self.vectors:
            raise UserError(
                f"expected a concept of the bank ({', '.join(self.vectors)}), got {name!r}"
            )
        return self.vectors[name]

    def check(self, condition_shape: tuple[int, int], where: str | os.PathLike[str]) -> None:
        """Refuse the vectors of another generator, whose conditions are not `(L, d)`; `where` is
        the file that they came from.

        Raises:
            UserError: a vector is neither `(L, d)` nor `(1, d)`.
        """
        length, width = condition_shape
        for name, vector in self.vectors.items():
            if tuple(vector.shape) not in ((length, width), (1, width)):
                raise UserError(
                    f"{where}: expected vectors of the generator's conditions ({length}, {width}),"
                    f" got {tuple(vector.shape)} for {name}; this bank is of another generator"
                )

    def save(self, path: str | os.PathLike[str]) -> None:
        with written_whole(path) as partial:
            vectors = {
                name: vector.detach().cpu().contiguous() for name, vector in self.vectors.items()
            }
            save_file(vectors, partial, metadata={"settings": json.dumps(self.settings)})

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: torch.device | str = "cpu") -> ConceptBank:
        """Read a saved bank.

        Raises:
            UserError: there is no such file.
        """
        if not Path(path).is_file():
            raise UserError(f"{path}: expected a concept bank, found no such file; fit one first")
        with safe_open(path, framework="pt", device=str(device)) as file:
            vectors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            return cls(vectors, json.loads(file.metadata()["settings"]))


def random_like(vector: torch.Tensor, seed: int) -> torch.Tensor:
    """The control: a random direction whose tokens have the norms of `vector`'s `(L, d)`."""
    noise = torch.randn(vector.shape, generator=torch.Generator().manual_seed(seed)).to(vector)
    return noise * vector.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True)
