"""The one training loop: what it minimises, how it goes on, and what it does not go on from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

from transporter.support import checkpoint
from transporter.support.checkpoint import load_checkpoint, save_checkpoint
from transporter.support.errors import UserError
from transporter.training import loop
from transporter.training.loop import CHECKPOINT, CURVE, Losses, train
from transporter.training.rates import Rate, WarmCosine, WarmThenDecay
from transporter.training.schedule import Schedule, Summary

Train = Callable[..., tuple[nn.Module, Summary]]


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("changes", [{"ema": 0.0}, {"ema": 0.9}, {"accumulate": 3}], ids=str)
def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    train_small: Train, tmp_path: Path, changes: dict[str, Any]
) -> None:
    straight, _ = train_small(tmp_path / "straight", **changes)
    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path / "broken", stop_after=27, **changes)
    assert load_checkpoint(tmp_path / "broken" / CHECKPOINT)["step"] == 20
    resumed, summary = train_small(tmp_path / "broken", **changes)
    assert same_weights(straight, resumed)
    assert summary.steps == 40
    curves = [(tmp_path / name / CURVE).read_bytes() for name in ("straight", "broken")]
    assert curves[0] == curves[1]


def test_until_stops_with_a_checkpoint_where_a_later_call_goes_on(
    train_small: Train, tmp_path: Path
) -> None:
    train_small(tmp_path / "parts", until=13)
    assert load_checkpoint(tmp_path / "parts" / CHECKPOINT)["step"] == 13
    with pytest.raises(KeyboardInterrupt):  # and it does begin there
        train_small(tmp_path / "parts", stop_after=13)
    resumed, _ = train_small(tmp_path / "parts")
    assert same_weights(resumed, train_small(tmp_path / "straight")[0])


def test_a_finished_run_is_read_and_not_trained(train_small: Train, tmp_path: Path) -> None:
    trained, _ = train_small(tmp_path)
    again, _ = train_small(tmp_path, stop_after=0)
    assert same_weights(trained, again)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"start": 1},
        {"identity": ["other", "data"]},
        {"ema": 0.5},
        {"accumulate": 2},
        {"max_norm": 0.5},
        {"rate": WarmThenDecay(warm=3)},
        {"rate": WarmCosine(1.0, 100)},
        {"steps": 41},
    ],
    ids=str,
)
def test_a_checkpoint_of_another_run_is_not_resumed(
    train_small: Train,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
) -> None:
    train_small(tmp_path / "shared")
    fresh, _ = train_small(tmp_path / "fresh", **changes)
    again, _ = train_small(tmp_path / "shared", **changes)
    assert "starting afresh" in capsys.readouterr().out
    assert same_weights(fresh, again)


@pytest.mark.parametrize("changes", [{"log_every": 7}, {"save_every": 3}, {"fresh": 1.0}], ids=str)
def test_how_often_is_written_is_no_other_run(
    train_small: Train, tmp_path: Path, changes: dict[str, Any]
) -> None:
    train_small(tmp_path, until=20)
    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path, stop_after=20, **changes)


def test_other_files_are_no_checkpoint_to_go_on_from(train_small: Train, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / CHECKPOINT, {"weights": torch.ones(3)})
    fresh, _ = train_small(tmp_path)
    assert same_weights(fresh, train_small(tmp_path / "fresh")[0])
    (tmp_path / CHECKPOINT).write_bytes(b"damaged")
    with pytest.raises(UserError, match="delete it to start over"):
        train_small(tmp_path)


@pytest.mark.parametrize(
    ("steps", "save_every", "expected"),
    [(400, 500, 100), (400, 60, 60), (4000, 250, 250), (10, 500, 2), (1, 500, 1)],
)
def test_a_run_has_at_least_four_checkpoints(steps: int, save_every: int, expected: int) -> None:
    assert Schedule(steps, save_every=save_every).checkpoint_every == expected


def test_a_run_that_is_shorter_than_save_every_is_resumed(
    train_small: Train, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path, stop_after=15, save_every=1000)
    assert load_checkpoint(tmp_path / CHECKPOINT)["step"] == 10


class Halving(Rate):
    def __call__(self, step: int, steps: int) -> float:
        return 0.5**step

    def __repr__(self) -> str:
        return "Halving()"


def _descend(folder: Path, **schedule: Any) -> list[float]:
    """The places of gradient descent on `10 x` from 0 at a learning rate of 2."""
    place, places = nn.Module(), []
    place.x = nn.Parameter(torch.zeros(()))

    def loss(step: int, generator: torch.Generator) -> Losses:
        places.append(place.x.item())
        return {"loss": 10 * place.x}

    optimiser = torch.optim.SGD(place.parameters(), lr=2.0)
    train(place, [optimiser], loss, Schedule(steps=3, **schedule), folder)
    return [*places, place.x.item()]


def test_a_step_has_the_schedules_rate_and_norm(tmp_path: Path) -> None:
    free = _descend(tmp_path / "free", rate=Halving(), max_norm=None)
    assert free == [0, -20, -30, -35]
    clipped = _descend(tmp_path / "clipped", rate=Halving(), max_norm=1.0)
    assert clipped == pytest.approx([0, -2, -3, -3.5], rel=1e-4)


def test_accumulated_losses_are_one_mean(tmp_path: Path) -> None:
    places = _descend(tmp_path, rate=Halving(), max_norm=None, accumulate=4)
    assert places[::4] == pytest.approx([0, -20, -30, -35])


def test_the_average_of_the_weights_is_its_definition(tmp_path: Path) -> None:
    """avg = m avg + (1 - m) x with m = min(ema, (1 + t) / (10 + t)), from the first weights on."""
    place = nn.Module()
    place.x = nn.Parameter(torch.ones((), dtype=torch.double))

    def loss(step: int, generator: torch.Generator) -> Losses:
        return {"loss": place.x}

    optimiser, average, x = torch.optim.SGD(place.parameters(), lr=1.0), 1.0, 1.0
    rate = WarmThenDecay(warm=1, floor=1.0)
    schedule = Schedule(steps=30, rate=rate, max_norm=None, ema=0.6)
    averaged, _ = train(place, [optimiser], loss, schedule, tmp_path)
    for step in range(30):
        x -= 1
        memory = min(0.6, (1 + step) / (10 + step))
        average = memory * average + (1 - memory) * x
    assert averaged.x.item() == pytest.approx(average, rel=1e-12)
    assert place.x.item() == pytest.approx(x)
    assert not averaged.x.requires_grad


def test_training_leaves_the_global_generator_alone(train_small: Train, tmp_path: Path) -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    train_small(tmp_path, start=0)
    torch.manual_seed(0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_dropout_does_not_depend_on_what_was_drawn_before(
    train_small: Train, tmp_path: Path
) -> None:
    one, _ = train_small(tmp_path / "one", until=1)
    other, _ = train_small(tmp_path / "other", until=1)
    torch.rand(7)
    assert same_weights(one, other)


def test_what_is_measured_stands_beside_the_losses(tmp_path: Path) -> None:
    model = nn.Linear(1, 1)
    optimisers = [torch.optim.SGD(model.parameters())]

    def loss(step: int, generator: torch.Generator) -> Losses:
        return {"loss": model(torch.ones(1)).square().sum()}

    schedule = Schedule(steps=5, log_every=2)
    train(model, optimisers, loss, schedule, tmp_path, measure=lambda: {"held_out": 0.25})
    curve = pd.read_csv(tmp_path / CURVE, sep="\t")
    assert list(curve.columns) == ["step", "loss", "held_out"]
    assert list(curve["step"]) == [2, 4, 5]
    assert set(curve["held_out"]) == {0.25}


def test_the_loss_falls(train_small: Train, tmp_path: Path) -> None:
    train_small(tmp_path, steps=200)
    curve = pd.read_csv(tmp_path / CURVE, sep="\t")["loss"]
    assert curve.iloc[-1] < 0.6 * curve.iloc[0]


def test_a_summary_names_all_devices_of_a_run(
    train_small: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path, stop_after=25)
    monkeypatch.setattr(loop, "_name", lambda device: "another")
    for _ in range(2):  # the second time there is nothing left to do on any device
        assert train_small(tmp_path)[1].device == "cpu, another"
    monkeypatch.setattr(loop, "_name", lambda device: "a third")
    assert train_small(tmp_path)[1].device == "cpu, another"


def test_two_trainings_of_a_model_add_up() -> None:
    both = Summary(10, 3, 1.25, "cpu, gpu").and_then(Summary(5, 4, 0.5, "gpu, npu"))
    assert both == Summary(15, 3, 1.8, "cpu, gpu, npu")


def test_slow_steps_are_kept_by_the_clock(
    train_small: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, _ = train_small(tmp_path / "straight")
    monkeypatch.setattr(checkpoint, "PATIENCE", -1.0)
    monkeypatch.setattr(checkpoint, "SHARE", float("inf"))
    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path / "slow", stop_after=7)
    assert load_checkpoint(tmp_path / "slow" / CHECKPOINT)["step"] == 7
    assert same_weights(straight, train_small(tmp_path / "slow")[0])
