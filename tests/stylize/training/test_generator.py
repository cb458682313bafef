from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from stylize.errors import ConfigurationError, FatalError
from stylize.models.bundle import load_generator
from stylize.training import generator as module
from stylize.training import loop
from stylize.training.events import TrainingEvent
from stylize.training.generator import GeneratorJob
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
        say = changes.pop("on_event", None)
        return GeneratorJob(dataset=str(data), out=str(tmp_path / out), **options | changes).run(say)

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


class Means:
    """The mean colour: a network for Frechet distances that costs nothing."""

    name = "mean colour"

    def __call__(self, images_BCHW: Tensor) -> Any:
        return images_BCHW.mean(dim=(2, 3)).numpy()


def test_the_distance_is_followed_in_a_table_a_plot_and_the_summary(
    train: Train, generator_training: GeneratorTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "load_extractor", lambda *_: Means())
    configured = generator_training.with_(images=24, frechet_pictures=10, ada_target=0.1, ada_images=50)

    def kill(event: TrainingEvent) -> None:
        if event.images >= 20:
            raise KeyboardInterrupt

    summary = train("whole", training=configured)
    with pytest.raises(KeyboardInterrupt):
        train("parts", training=configured, on_event=kill)
    train("parts", training=configured)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    table = (tmp_path / "whole" / "frechet.csv").read_text().splitlines()
    assert table[0] == "images,frechet,pictures,features"
    assert [row.split(",")[0] for row in table[1:]] == ["16", "24"]
    assert float(table[2].split(",")[1]) == pytest.approx(summary.distance, rel=1e-4)
    assert table[2].endswith(",10,mean colour")
    assert summary.features == "mean colour"
    plot = (tmp_path / "whole" / "curves.svg").read_text()
    assert "Frechet distance from the training pictures: mean colour" in plot
    assert "probability" in plot


def test_without_the_network_there_is_no_distance_and_a_word_why(
    train: Train, generator_training: GeneratorTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any) -> None:
        raise FatalError('pip install "stylize[train]"')

    monkeypatch.setattr(module, "load_extractor", missing)
    messages: list[str] = []
    configured = generator_training.with_(images=8, frechet_pictures=10)
    summary = train(training=configured, on_event=lambda event: messages.append(event.message))
    assert summary.distance is None
    assert 'no Frechet distance: pip install "stylize[train]"' in messages
    with pytest.raises(FatalError):
        train("asked", training=configured, inception=tmp_path / "inception.pt")


def test_half_precision_on_a_cpu_is_refused(train: Train, generator_training: GeneratorTraining) -> None:
    with pytest.raises(ConfigurationError, match="bf16 is for GPUs"):
        train(training=generator_training.with_(images=8, precision="bf16"))


def test_decoded_pictures_are_kept_where_asked_and_beside_the_run(train: Train, tmp_path: Path) -> None:
    train()
    assert len(list((tmp_path / "run" / "pictures").glob("*.pixels"))) == 1
    train("second", picture_cache=tmp_path / "kept")
    assert len(list((tmp_path / "kept").glob("*.pixels"))) == 1
    assert not (tmp_path / "second" / "pictures").exists()
    messages: list[str] = []
    train("third", picture_cache=tmp_path / "kept", on_event=lambda event: messages.append(event.message))
    assert not any(message.startswith("read ") for message in messages), "decoded once"
    (tmp_path / "run" / "pictures" / "notes.txt").write_text("mine")
    train(overwrite=True)
    assert (tmp_path / "run" / "pictures" / "notes.txt").exists()


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
