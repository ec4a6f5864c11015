"""A checkpoint returns what was put in, bit for bit, and says plainly when it cannot."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from transporter.support import checkpoint
from transporter.support.checkpoint import (
    Pace,
    fingerprint,
    load_checkpoint,
    load_own_checkpoint,
    save_checkpoint,
)
from transporter.support.errors import UserError

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
TENSORS = st.lists(st.floats(width=32), max_size=3).map(torch.tensor)
STATES = st.recursive(
    PLAIN | TENSORS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(0, 3), inner, max_size=3)
    ),
    max_leaves=8,
)


def equal(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor):
        return (
            isinstance(other, torch.Tensor)
            and one.dtype == other.dtype
            and torch.equal(one.nan_to_num(), other.nan_to_num())
        )
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and list(one) == list(other)
            and all(equal(one[key], other[key]) for key in one)
        )
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


@settings(deadline=None)
@given(state=st.dictionaries(st.text(max_size=3), STATES, max_size=3))
def test_any_nested_state_returns(
    tmp_path_factory: pytest.TempPathFactory, state: dict[str, object]
) -> None:
    path = tmp_path_factory.mktemp("checkpoint") / "c.safetensors"
    save_checkpoint(path, state)
    assert equal(state, load_checkpoint(path))


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool]
)
def test_types_and_shapes_of_tensors_are_kept(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {
        "matrix": torch.arange(6).reshape(2, 3).T.to(dtype),
        "scalar": torch.ones((), dtype=dtype),
        "none": torch.zeros(0, 3, dtype=dtype),
    }
    save_checkpoint(tmp_path / "c", state)
    loaded = load_checkpoint(tmp_path / "c")
    for name, value in state.items():
        assert loaded[name].dtype == dtype
        assert torch.equal(loaded[name], value)


def test_keys_with_one_path_do_not_collide(tmp_path: Path) -> None:
    state = {
        "a/b": torch.tensor(1),
        "a": {"b": torch.tensor(2)},
        "c": {1: torch.tensor(3), "1": torch.tensor(4)},
    }
    save_checkpoint(tmp_path / "c", state)
    loaded = load_checkpoint(tmp_path / "c")
    assert [
        loaded["a/b"].item(),
        loaded["a"]["b"].item(),
        loaded["c"][1].item(),
        loaded["c"]["1"].item(),
    ] == [1, 2, 3, 4]


def test_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    def step(
        model: torch.nn.Module, optimiser: torch.optim.Optimizer, generator: torch.Generator
    ) -> None:
        optimiser.zero_grad()
        model(torch.randn(4, 3, generator=generator)).square().mean().backward()
        optimiser.step()

    def fresh() -> tuple[torch.nn.Module, torch.optim.Optimizer, torch.Generator]:
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 2)
        return model, torch.optim.AdamW(model.parameters(), 0.1), torch.Generator().manual_seed(1)

    model, optimiser, generator = fresh()
    for _ in range(3):
        step(model, optimiser, generator)
    state = {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "random": generator.get_state(),
    }
    save_checkpoint(tmp_path / "c", state)
    step(model, optimiser, generator)

    resumed, resumed_optimiser, resumed_generator = fresh()
    state = load_checkpoint(tmp_path / "c")
    resumed.load_state_dict(state["model"])
    resumed_optimiser.load_state_dict(state["optimiser"])
    resumed_generator.set_state(state["random"])
    step(resumed, resumed_optimiser, resumed_generator)
    assert torch.equal(resumed.weight, model.weight)


def test_saving_twice_gives_the_same_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    for _ in range(2):
        save_checkpoint(tmp_path / "one", {"b": torch.ones(2), "a": [1, 2.5]})
    save_checkpoint(tmp_path / "other", {"b": torch.ones(2), "a": [1, 2.5]})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other"]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            {"a": [np.zeros(2)]},
            r"checkpoint /a/0: expected a tensor, a mapping, a list or a plain value, got ndarray",
        ),
        (
            {"a": {(1, 2): 3}},
            r"checkpoint /a: expected keys that are text or whole numbers, got \(1, 2\)",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused_before_writing(
    tmp_path: Path, state: dict[str, object], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        save_checkpoint(tmp_path / "c", state)
    assert not list(tmp_path.iterdir())


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"c: expected a checkpoint, found no such file"):
        load_checkpoint(tmp_path / "c")


def test_a_truncated_checkpoint_is_named(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", {"a": torch.ones(1000)})
    (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:1000])
    with pytest.raises(
        UserError, match=r"c: expected a checkpoint, could not read it .* delete it to start over"
    ):
        load_checkpoint(tmp_path / "c")


def test_other_safetensors_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "c")
    with pytest.raises(
        UserError,
        match=(
            r"c: expected a checkpoint, got a safetensors file without a training state in its"
            r" header"
        ),
    ):
        load_checkpoint(tmp_path / "c")


def test_only_a_runs_own_checkpoint_is_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load_own_checkpoint(tmp_path / "c", "mine") is None
    assert capsys.readouterr().out == ""
    save_checkpoint(tmp_path / "c", {"identity": "mine", "step": 3})
    assert load_own_checkpoint(tmp_path / "c", "mine")["step"] == 3
    assert "resumed c at step 3" in capsys.readouterr().out
    assert load_own_checkpoint(tmp_path / "c", "another") is None
    assert "of other settings, seed or data: starting afresh" in capsys.readouterr().out


def test_a_fingerprint_is_of_types_shapes_and_bytes_alone() -> None:
    one = torch.arange(6.0).reshape(2, 3)
    others = [one.double(), one.reshape(3, 2), one.flatten(), one.flip(0), one.nextafter(one + 1)]
    assert len({fingerprint(tensor) for tensor in (one, *others)}) == 1 + len(others)
    assert fingerprint(one) == fingerprint(one.T.contiguous().T)
    assert fingerprint(one[0], one[1]) != fingerprint(one[1], one[0])
    assert fingerprint(torch.tensor(1.0, requires_grad=True)) == fingerprint(torch.tensor(1.0))
    assert fingerprint(torch.zeros(0)) != fingerprint(torch.zeros(0, 2))
    assert fingerprint(torch.ones(2).bfloat16()) != fingerprint(torch.ones(2).half())


def test_a_pace_is_that_of_the_steps_or_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: clock[0])
    pace = Pace(every=10)
    assert [step for step in range(1, 31) if pace.due(step)] == [10, 20, 30]
    clock[0] = checkpoint.PATIENCE + 1
    assert pace.due(3)
    with pace.writing():
        clock[0] += 30  # a large state, which is written no more often than it may
    clock[0] += checkpoint.PATIENCE + 1
    assert not pace.due(3)
    assert pace.due(10)
    clock[0] += 30 / checkpoint.SHARE
    assert pace.due(3)
