from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stylize.errors import ConfigurationError
from stylize.models.bundle import load_generator
from stylize.training import generator as module
from stylize.training import loop
from stylize.training.events import TrainingEvent
from stylize.training.generator import train_generator
from stylize.training.generator_config import GeneratorTraining

Train = Callable[..., Any]


@pytest.fixture
def train(
    tmp_path: Path,
    write_pictures: Callable[..., Path],
    generator_training: GeneratorTraining,
    monkeypatch: pytest.MonkeyPatch,
) -> Train:
    """Train into `tmp_path / out`: 6 steps, a row every second, a checkpoint after each row."""
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    monkeypatch.setattr(loop, "EVALUATIONS", 2)
    monkeypatch.setattr(module, "GRID", (2, 3))
    data = write_pictures(tmp_path / "data")

    def run(out: str = "run", **changes: Any) -> Any:
        options = {"training": generator_training.with_(images=24), "checkpoint_minutes": 0.0, "device": "cpu"}
        return train_generator(str(data), str(tmp_path / out), **options | changes)

    return run


def contents(folder: Path) -> dict[str, bytes]:
    """Return what follows from the configuration alone: not the time of the last checkpoint, not the input."""
    files = [f for f in folder.rglob("*") if f.is_file() and f.name != "checkpoint.pt" and f.parent.name != "pictures"]
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in files}


def test_a_run_leaves_a_generator_a_table_and_grids(train: Train, tmp_path: Path) -> None:
    summary = train()
    generator = load_generator(summary.generator, device="cpu")
    assert generator.image_size == (16, 16)
    assert generator.mapping.w_avg.abs().sum() > 0
    assert summary.images == 24
    assert sorted(contents(tmp_path / "run")) == [
        "curves.svg", "generator.safetensors", "grids/00000016.png", "grids/00000024.png", "losses.csv", "run.json"
    ]  # fmt: skip
    table = (tmp_path / "run" / "losses.csv").read_text().splitlines()
    assert table[0] == "step,images,lr,discriminator,generator,r1,real_logit"
    assert len(table) == 4


def test_a_killed_run_ends_bit_for_bit_like_an_uninterrupted_one(train: Train, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(event: TrainingEvent) -> None:
        if event.images >= 16:
            raise Killed

    train("whole", checkpoint_minutes=60.0)
    with pytest.raises(Killed):
        train("parts", on_event=kill)
    train("parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_another_configuration_is_refused(train: Train, generator_training: GeneratorTraining) -> None:
    train()
    with pytest.raises(ConfigurationError, match=r"\(training.r1: 0.5 there, 1.0 now\)"):
        train(training=generator_training.with_(images=24, r1=1.0))


def test_training_goes_on_from_a_generator(train: Train, generator_training: GeneratorTraining) -> None:
    first = train()
    second = train("second", init=first.generator, training=GeneratorTraining(images=4, batch=4, lr=1e-9))
    one, two = load_generator(first.generator, device="cpu"), load_generator(second.generator, device="cpu")
    assert two.config == generator_training.generator, "the shape is that of the given one"
    for name, tensor in one.named_parameters():
        assert (two.get_parameter(name) - tensor).abs().max() < 1e-3, name
