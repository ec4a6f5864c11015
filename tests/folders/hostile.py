"""Folders of models as nobody should make them: code beside the weights, and parts that are
missing, cut off or of something else.
"""

from __future__ import annotations

import builtins
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from transporter.support.errors import UserError

Change = Callable[[Path], Any]
"""What spoils a folder."""
CODE = "from pathlib import Path\nPath({mark!r}).touch()\nclass Evil: ...\n"
"""What a hostile module does when it is imported."""


def changed_json(path: Path, **changes: Any) -> None:
    """Change keys of a file of JSON, or make one."""
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**content, **changes}))


def hostile_module(folder: Path, mark: Path, *names: str) -> None:
    for name in names:
        (folder / f"{name}.py").write_text(CODE.format(mark=str(mark)))


@contextmanager
def trap(mark: Path) -> Iterator[None]:
    """Fails where hostile code has left `mark` behind, or where anybody was asked whether to run
    it, which would be answered yes.
    """
    asked: list[str] = []

    def yes(question: str = "") -> str:
        asked.append(question)
        return "y"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, "input", yes)
        yield
    assert not mark.exists()
    assert not asked


def weights(folder: Path) -> Path:
    """The one file of weights in a folder."""
    (path,) = folder.glob("*.safetensors")
    return path


def changed_weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Change:
    """What changes the tensors of a folder."""

    def apply(folder: Path) -> None:
        tensors = {name: value.clone() for name, value in load_file(weights(folder)).items()}
        change(tensors)
        save_file(tensors, weights(folder), {"format": "pt"})

    return apply


def bad_tensors(*inner: str) -> Mapping[str, tuple[Change, str]]:
    """Kinds of weights that are no model's, by what is wrong: how to make them, and what their
    refusal says. The tensors that go missing hold one of `inner` in their names.
    """

    def drop(tensors: dict[str, torch.Tensor]) -> None:
        names = [name for name in sorted(tensors) if any(part in name for part in inner)]
        for name in names[:4]:
            del tensors[name]

    def add(tensors: dict[str, torch.Tensor]) -> None:
        tensors["more"] = torch.zeros(1)

    def bend(tensors: dict[str, torch.Tensor]) -> None:
        name = next(name for name in sorted(tensors) if tensors[name].ndim >= 2)
        tensors[name] = tensors[name][:-1].clone()

    beside = "the folder has beside those of the model 1 tensor: more"
    return {
        "missing": (changed_weights(drop), "the folder lacks 4 tensors: "),
        "left over": (changed_weights(add), beside),
        "misshapen": (changed_weights(bend), "the folder has in another shape 1 tensor: "),
    }


def as_pickle(folder: Path, name: str) -> None:
    """Turn a folder's safetensors into a pickle of PyTorch's."""
    torch.save(load_file(weights(folder)), folder / name)
    weights(folder).unlink()


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def removed(*names: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return apply


def written(name: str, text: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / name).write_text(text)

    return apply


def refusal(load: Callable[[], Any]) -> str:
    """The one line that a folder is refused with."""
    try:
        load()
    except UserError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 600
        return str(error)
    raise AssertionError("expected a refusal, got a model")
