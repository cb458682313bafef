from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stylize.errors import FatalError
from stylize.storage import Storage
from stylize.training import loop as module
from stylize.training.events import TrainingEvent
from stylize.training.loop import TrainingLoop
from stylize.training.record import TrainingRecord


class Counter:
    """A trainer whose weights are a number."""

    total = 400
    lr = 0.5

    def __init__(self, broken_at: int | None = None) -> None:
        self.step = 0
        self.weight = 1
        self.broken_at = broken_at

    @property
    def images(self) -> int:
        return self.step * 4

    def train_step(self) -> dict[str, float]:
        self.step += 1
        self.weight = self.weight * 31 % 1009
        return {"loss": float("nan") if self.step == self.broken_at else float(self.weight)}

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "weight": self.weight}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step, self.weight = state["step"], state["weight"]


class Stopped(Exception):
    pass


def run(folder: Path, *, stop_at: int | None = None, minutes: float = 0.0, trainer: Counter | None = None) -> Any:
    trainer = trainer or Counter()
    record = TrainingRecord(Storage(folder))
    events: list[TrainingEvent] = []

    def say(event: TrainingEvent) -> None:
        events.append(event)
        if stop_at is not None and event.images >= stop_at:
            raise Stopped

    def evaluate() -> dict[str, float]:
        record.save_weights(str(trainer.weight).encode())
        return {"quality": trainer.weight / 7}

    loop = TrainingLoop(trainer, record, checkpoint_minutes=minutes, evaluate=evaluate, say=say)
    try:
        figures = loop.run()
    except Stopped:
        figures = {}
    return events, figures


@pytest.mark.parametrize("minutes", [0.0, 60.0])
@pytest.mark.parametrize("stop_at", [80, 160, 240, 400])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path: Path, stop_at: int, minutes: float) -> None:
    _, whole = run(tmp_path / "whole", minutes=60)
    run(tmp_path / "parts", stop_at=stop_at, minutes=minutes)
    events, parts = run(tmp_path / "parts", minutes=minutes)
    assert parts == whole
    for name in ("losses.csv", "bundle.safetensors"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    if minutes == 0 and stop_at > 80:
        assert events[0].message.startswith("continuing after ")


def test_rows_and_evaluations_follow_from_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVALUATIONS", 2)
    run(tmp_path)
    rows = TrainingRecord(Storage(tmp_path))
    rows.load_checkpoint()
    assert [row["images"] for row in rows.rows] == [80, 160, 240, 320, 400]
    assert ["quality" in row for row in rows.rows] == [False, False, True, False, True]


def test_a_long_run_is_evaluated_more_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVALUATIONS", 1)
    monkeypatch.setattr(module, "LONGEST_WAIT", 100)
    run(tmp_path)
    record = TrainingRecord(Storage(tmp_path))
    record.load_checkpoint()
    assert [row["images"] for row in record.rows if "quality" in row] == [160, 240, 320, 400]


def test_a_finished_run_trains_no_more(tmp_path: Path) -> None:
    _, first = run(tmp_path)
    table = (tmp_path / "losses.csv").read_bytes()
    events, second = run(tmp_path)
    assert second == first
    assert [event.message for event in events] == ["continuing after 400 of 400 images"]
    assert (tmp_path / "losses.csv").read_bytes() == table


def test_progress_is_told(tmp_path: Path) -> None:
    events, _ = run(tmp_path)
    told = [event for event in events if not event.message]
    assert [event.images for event in told] == [80, 160, 240, 320, 400]
    assert all(event.total == 400 and event.images_per_second > 0 and event.figures["loss"] > 0 for event in told)
    assert events[-1].message.startswith("400 images: quality ")


def test_a_loss_that_is_not_finite_stops_the_run_before_anything_is_saved(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=r"after 160 images the loss 'loss' is no longer finite: .*--lr"):
        run(tmp_path, trainer=Counter(broken_at=33))
    record = TrainingRecord(Storage(tmp_path))
    state = record.load_checkpoint()
    assert state is not None
    assert state["step"] == 20
