"""Training by Ray Train for real: two workers against one process, a worker that dies, and errors."""

from __future__ import annotations

import csv
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch
from ray import cloudpickle

from pipelines.training import train_encoder, train_generator
from pipelines.training_ray import RayTraining
from stylize.errors import ConfigurationError, FatalError
from stylize.images import encode
from stylize.models.bundle import load_bundle, load_generator
from stylize.models.encoder import EncoderConfig
from stylize.models.generator import GeneratorConfig
from stylize.training import loop
from stylize.training.config import EncoderTraining
from stylize.training.encoder import EncoderJob, TrainingSummary
from stylize.training.events import Say, TrainingEvent
from stylize.training.generator_config import GeneratorTraining
from stylize.training.team import ALONE, Team
from stylize.training.trainer import EncoderTrainer

GENERATOR = GeneratorConfig(const_size=(2, 2), channels=(8, 8, 8, 8), z_dim=8, w_dim=8)
ENCODER = EncoderConfig(stem=8, widths=(8, 8, 8, 8), pyramid=8, head=8)
GENERATOR_TRAINING = GeneratorTraining(
    generator=GENERATOR, images=160, batch=8, ema_images=50, path_length=2.0, ada_target=0.3, ada_images=200
)
ENCODER_TRAINING = EncoderTraining(encoder=ENCODER, images=96, batch=4, perceptual=0)
TWO = {"engine": "ray", "workers": 2}
pytestmark = [
    pytest.mark.timeout(900),  # a group of workers starts in seconds, and in minutes on a busy machine
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Ray has some about itself,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # and its processes outlive the objects that stand for them
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """A cluster of two CPUs, which the engine finds this process connected to."""
    if ray.is_initialized():  # by another file's tests in the same process
        yield
        return
    os.environ |= {"RAY_worker_niceness": "0"}  # else whatever runs beside the tests goes first
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=80 << 20,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data")
    for index in range(8):
        y, x = np.mgrid[0:24, 0:32]
        rgb = np.stack([x * 5 + index * 20, y * 7 + index * 9, (x + y) * 3], axis=2) % 256
        (folder / f"frame{index:03d}.png").write_bytes(encode(rgb.astype(np.uint8), "png"))
    return str(folder)


def rows(folder: Path) -> list[dict[str, float]]:
    table = csv.DictReader((folder / "losses.csv").read_text().splitlines())
    return [{name: float(value) for name, value in row.items() if value} for row in table]


def test_two_workers_train_the_generator_that_one_trains(data: str, tmp_path: Path) -> None:
    events: list[TrainingEvent] = []
    options: dict[str, Any] = {"training": GENERATOR_TRAINING, "device": "cpu"}
    one = train_generator(data, str(tmp_path / "one"), **options)
    two = train_generator(data, str(tmp_path / "two"), **options, **TWO, on_event=events.append)
    assert two.images == one.images == 160
    alone, shared = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert alone[-1]["augmentation"] > 0
    assert len(shared) == len(alone)
    for mine, theirs in zip(shared, alone, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-3, abs=1e-4)
    drawn = [load_generator(s.generator, device="cpu")(torch.ones(1, 8)) for s in (one, two)]
    assert torch.allclose(*drawn, atol=1e-3)
    assert sorted(p.name for p in (tmp_path / "two").iterdir()) == sorted(p.name for p in (tmp_path / "one").iterdir())
    assert (tmp_path / "two" / "run.json").read_bytes() == (tmp_path / "one" / "run.json").read_bytes()
    assert [event.images for event in events if not event.message] == [160]
    assert [event.message for event in events].count("read 8 of 8 pictures") == 1, "one worker tells"


@dataclass(frozen=True, kw_only=True)
class DyingJob(EncoderJob):
    """Trains an encoder in steps of which the sixth kills the second worker, once: when there is no `marker` yet."""

    marker: Path

    def run(self, on_event: Say | None = None, team: Team = ALONE) -> TrainingSummary:
        loop.LOG_EVERY = 2
        marker, take_step = self.marker, EncoderTrainer.train_step

        def step(self: EncoderTrainer) -> dict[str, float]:
            if self.step == 5 and self.team.rank == 1 and not marker.exists():
                marker.touch()
                os._exit(1)
            return take_step(self)

        EncoderTrainer.train_step = step  # type: ignore[method-assign]
        return EncoderJob.run(self, on_event, team)


def test_a_dead_worker_costs_the_steps_since_the_last_checkpoint(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    options: dict[str, Any] = {"training": ENCODER_TRAINING, "new_generator": GENERATOR, "tune_generator": True}
    options |= {"holdout": "*frame000", "checkpoint_minutes": 1e-9, "device": "cpu"}
    alone = train_encoder(data, str(tmp_path / "one"), **options)
    job = DyingJob(dataset=data, out=str(tmp_path / "two"), marker=tmp_path / "died", overwrite=True, **options)
    messages: list[str] = []
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import the tests
    together = RayTraining(workers=2, gpus_per_worker=0.0).run(job, lambda event: messages.append(event.message))
    assert (tmp_path / "died").exists()
    assert "a worker was lost: starting again from the last checkpoint" in messages
    assert "continuing after 16 of 96 images" in messages, "overwriting is for the first attempt"
    assert together.images == 96
    assert together.heldout_psnr == pytest.approx(alone.heldout_psnr, abs=0.02)
    assert [row["images"] for row in rows(tmp_path / "two")] == [row["images"] for row in rows(tmp_path / "one")]
    for mine, theirs in zip(rows(tmp_path / "two"), rows(tmp_path / "one"), strict=True):
        # A death between a row and its evaluation leaves that row without one; the last row's is compared above.
        losses = theirs.keys() - {"heldout_psnr"}
        assert {name: mine[name] for name in losses} == pytest.approx(
            {n: theirs[n] for n in losses}, rel=1e-2, abs=1e-3
        )
    assert load_bundle(together.bundle, device="cpu").card["images"] == 96


def test_a_refusal_in_the_workers_is_the_callers(data: str, tmp_path: Path) -> None:
    train_generator(data, str(tmp_path), training=GENERATOR_TRAINING.with_(images=8), device="cpu")
    with pytest.raises(ConfigurationError, match=r"another configuration .training.images: 8 there, 160 now"):
        train_generator(data, str(tmp_path), training=GENERATOR_TRAINING, device="cpu", **TWO)


def test_a_cluster_without_room_is_told_at_once(data: str, tmp_path: Path) -> None:
    training = GENERATOR_TRAINING.with_(batch=12)
    with pytest.raises(FatalError, match=r"no room for 3 workers of 1 CPU each on 1 node .*lower --workers"):
        train_generator(data, str(tmp_path), training=training, device="cpu", engine="ray", workers=3)
    with pytest.raises(FatalError, match=r"no room for 1 workers of 1 CPU and 1 GPU each"):
        train_generator(data, str(tmp_path), training=GENERATOR_TRAINING, engine="ray", gpus_per_worker=1.0)
