"""The concept bank as an object: named vectors, and the settings that they were fitted with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors.torch import save_file

from transporter.concepts.choices import EditChoice
from transporter.concepts.insertions import InsertionMap
from transporter.concepts.maps import ConceptMap
from transporter.concepts.refined import RefinedMap
from transporter.concepts.word_maps import WordMap, as_change
from transporter.generators.condition import Condition
from transporter.networks.pretrained import refused_in_one_line
from transporter.support.errors import UserError
from transporter.support.files import written_whole
from transporter.support.tensors import header_json, read_tensors

Map = ConceptMap | InsertionMap | WordMap | EditChoice | RefinedMap
Vector = torch.Tensor | Map
MAPS = {frozenset(one.name for one in fields(kind)): kind for kind in get_args(Map)}
"""Kinds of maps by the names of their parts."""


@dataclass(frozen=True)
class ConceptBank:
    """`vectors[name]` is `q_o`: `(L, d)` (one vector per text token), `(1, d)` (one for all), or a
    map or a choice of maps, which give each caption a vector of its own.
    """

    vectors: dict[str, Vector]
    settings: dict[str, Any] = field(default_factory=dict)

    def change(self, name: str, pi: Condition) -> Condition:
        """What a concept adds to B conditions at phi = 1.

        Raises:
            UserError: the bank has no such concept.
        """
        return self._change(name, pi, self._vector(name, pi))

    def control(self, name: str, pi: Condition, seed: int) -> Condition:
        """A random change of B conditions whose tokens have the norms of the concept's."""
        return self._change(name, pi, random_like(self._vector(name, pi), seed))

    def comes_in(self, name: str, pi: Condition) -> torch.Tensor:
        """Into which of B conditions the concept puts a word, since they have none of its kind,
        `(B,)` of bool.

        Raises:
            UserError: the bank has no such concept.
        """
        found = self[name]
        start = found.start if isinstance(found, RefinedMap) else found
        if not isinstance(start, WordMap):
            return torch.zeros(len(pi), dtype=torch.bool)
        return ~start.to(pi.embeddings).has_word(pi)

    def _change(self, name: str, pi: Condition, vector: torch.Tensor) -> Condition:
        return as_change(pi, vector) if isinstance(self[name], Map) else pi.along(vector)

    def _vector(self, name: str, pi: Condition) -> torch.Tensor:
        vector = self[name]
        return vector.to(pi.embeddings)(pi) if isinstance(vector, Map) else vector

    def __getitem__(self, name: str) -> Vector:
        """The vector of one concept, or its map.

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
            UserError: a vector is neither `(L, d)` nor `(1, d)`, or a map is not of width d.
        """
        length, width = condition_shape
        fitting = {(length, width), (1, width), ("*", width)}
        for name, vector in self.vectors.items():
            if (shape := _shape(vector)) not in fitting:
                raise UserError(
                    f"{where}: expected vectors of the generator's conditions ({length}, {width}),"
                    f" got {shape} for {name}; this bank is of another generator"
                )

    def save(self, path: str | os.PathLike[str]) -> None:
        with written_whole(path) as partial:
            tensors: dict[str, torch.Tensor] = {}
            for name, vector in self.vectors.items():
                tensors |= _tensors(vector, name)
            # two concepts may hold the same tensor, a file may not
            tensors = {name: one.detach().cpu().clone() for name, one in tensors.items()}
            save_file(tensors, partial, metadata={"settings": json.dumps(self.settings)})

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: torch.device | str = "cpu") -> ConceptBank:
        """Read a saved bank.

        Raises:
            UserError: there is no such file, or one that is damaged or of something else.
        """
        if not Path(path).is_file():
            raise UserError(f"{path}: expected a concept bank, found no such file; fit one first")
        tensors, header = read_tensors(path, "a concept bank", device)
        settings = header_json(header, "settings", path, "a concept bank")
        with refused_in_one_line(path, "vectors and maps of a concept bank"):
            return cls(_vectors(tensors), settings)


def _shape(vector: Vector) -> tuple[int | str, ...]:
    """Of a map `("*", d)`: it takes captions of any length, but for what a gradient has added."""
    if isinstance(vector, RefinedMap):
        return tuple(vector.offset.shape)
    if isinstance(vector, Map):
        return ("*", vector.width)
    return tuple(vector.shape)


def _tensors(part: Vector | tuple[Map, ...], place: str) -> dict[str, torch.Tensor]:
    """By their names in a file; the parts of a map, and the maps of a row, stand behind slashes,
    which no concept's name holds.
    """
    if isinstance(part, torch.Tensor):
        return {place: part}
    parts = dict(enumerate(part)) if isinstance(part, tuple) else vars(part)
    found: dict[str, torch.Tensor] = {}
    for name, each in parts.items():
        found |= _tensors(each, f"{place}/{name}")
    return found


def _vectors(tensors: Mapping[str, torch.Tensor]) -> dict[str, Vector]:
    """What `_tensors` took apart, by the first part of the names."""
    inner: dict[str, dict[str, torch.Tensor]] = {}
    found: dict[str, Any] = {}
    for place, tensor in tensors.items():
        name, _, rest = place.partition("/")
        if rest:
            inner.setdefault(name, {})[rest] = tensor
        else:
            found[name] = tensor
    return found | {name: _joined(_vectors(parts)) for name, parts in inner.items()}


def _joined(parts: Mapping[str, Any]) -> Any:
    """A map of its parts, or a row of maps."""
    if all(map(str.isdecimal, parts)):
        return tuple(parts[name] for name in sorted(parts, key=int))
    return MAPS[frozenset(parts)](**parts)


def random_like(vector: torch.Tensor, seed: int) -> torch.Tensor:
    """The control: a random direction whose tokens have the norms of `vector`'s, `(L, d)` or, one
    for each caption, `(B, L, d)`.
    """
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn(vector.shape[-2:], generator=random).to(vector)
    return noise * vector.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True)
