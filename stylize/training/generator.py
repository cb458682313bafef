"""`train-generator`: from a folder of pictures to a StyleGAN2 generator of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from stylize.errors import ConfigurationError
from stylize.images import encode
from stylize.models.bundle import best_device, generator_to_bytes, load_generator, model_sha256
from stylize.models.generator import Generator, GeneratorConfig
from stylize.storage import Storage
from stylize.training.events import Say
from stylize.training.generator_config import GeneratorTraining
from stylize.training.generator_trainer import GeneratorTrainer
from stylize.training.grid import tile
from stylize.training.inputs import find_inputs, load_pictures
from stylize.training.loop import TrainingLoop
from stylize.training.pictures import step_rng
from stylize.training.record import TrainingRecord

GRID = (4, 6)  # rows and columns
GRID_TRUNCATION = 0.7  # more typical pictures than the whole space


@dataclass(frozen=True, kw_only=True)
class GeneratorSummary:
    """What a finished run gives: where the generator is, and `(id, reason)` of unreadable pictures."""

    generator: str
    images: int
    unreadable: tuple[tuple[str, str], ...]


def train_generator(
    dataset: str,
    out: str,
    *,
    training: GeneratorTraining,
    init: str | None = None,
    layout: str = "auto",
    split: str | None = None,
    limit: int | None = None,
    checkpoint_minutes: float = 3.0,
    device: str | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    on_event: Say | None = None,
) -> GeneratorSummary:
    """Train a StyleGAN2 generator on pictures; a second call with the same arguments continues the run.

    Args:
        dataset: folder or URL of pictures; labels are not looked at.
        out: folder or URL of the run, see `stylize.training.record`.
        training: shape of the generator, losses, schedules.
        init: file of a generator to continue from, whose shape is kept instead; its discriminator starts anew.
        checkpoint_minutes: how often to save what a resumed run goes on from.

    Raises:
        ConfigurationError: the arguments contradict each other or the run that `out` holds.
        FatalError: no readable pictures, or the losses are no longer finite.
    """
    say = on_event or (lambda _: None)
    if init is None:
        generator = _new_generator(training.generator, training.seed)
    else:
        generator = load_generator(init, device="cpu", storage_options=storage_options)
        if not isinstance(generator, Generator):
            raise ConfigurationError(f"{init} is no StyleGAN2, and only those are trained here: choose another file")
    training = training.with_(generator=generator.config)
    inputs = find_inputs(dataset, layout=layout, split=split, limit=limit, storage_options=storage_options)
    record = TrainingRecord(Storage(out, storage_options), weights="generator.safetensors")
    configuration = {
        "kind": "train-generator",
        "training": training.as_dict(),
        "start": {"init": None if init is None else model_sha256(init, storage_options=storage_options)},
        "inputs": {"pictures": len(inputs.train), "sha256": inputs.sha256},
    }
    generator.to(best_device(device)).to(memory_format=torch.channels_last)
    record.begin(configuration, overwrite=overwrite)
    pictures, unreadable = load_pictures(inputs.training, *generator.image_size, say)
    trainer = GeneratorTrainer(generator, pictures, training)

    def evaluate() -> dict[str, float]:
        record.save_grid(trainer.images, encode(sample_grid(trainer.average, training.seed), "png"))
        record.save_weights(generator_to_bytes(trainer.average))
        return {}

    TrainingLoop(trainer, record, checkpoint_minutes=checkpoint_minutes, evaluate=evaluate, say=say).run()
    return GeneratorSummary(
        generator=record.storage.locate(record.weights), images=trainer.images, unreadable=unreadable
    )


@torch.no_grad()
def sample_grid(generator: Generator, seed: int) -> Any:
    """Draw the same random pictures at every call: `[H, W, 3]` uint8."""
    rows, columns = GRID
    z_BD = torch.randn(rows * columns, generator.z_dim, generator=step_rng(seed, 0, "grid"))
    ws_BLD = generator.mapping(z_BD.to(generator.mapping.w_avg.device), truncation_psi=GRID_TRUNCATION)
    drawn = [generator.synthesis(row).cpu() for row in ws_BLD.split(columns)]
    return tile([list(row) for row in drawn])


def _new_generator(config: GeneratorConfig, seed: int) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Generator(config)
