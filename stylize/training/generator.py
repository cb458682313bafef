"""`train-generator`: from a folder of pictures to a StyleGAN2 generator of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch

from stylize.curveplot import Panel
from stylize.errors import ConfigurationError, FatalError
from stylize.images import encode
from stylize.models.bundle import best_device, generator_to_bytes, load_generator, model_place, model_sha256
from stylize.models.generator import Generator, GeneratorConfig
from stylize.storage import Storage
from stylize.training.events import Say, note, silent
from stylize.training.frechet import Features, FrechetMeter, load_extractor
from stylize.training.generator_config import GeneratorTraining
from stylize.training.generator_trainer import GeneratorTrainer, check_shares
from stylize.training.grid import tile
from stylize.training.inputs import Inputs, find_inputs, load_pictures, picture_folder
from stylize.training.job import Job, settled
from stylize.training.loop import TrainingLoop
from stylize.training.pictures import step_rng
from stylize.training.precision import check_precision
from stylize.training.record import TrainingRecord
from stylize.training.team import ALONE, Team

GRID = (4, 6)  # rows and columns
GRID_TRUNCATION = 0.7  # more typical pictures than the whole space


@dataclass(frozen=True, kw_only=True)
class GeneratorSummary:
    """What a finished run gives: where the generator is, and `(id, reason)` of unreadable pictures.

    `distance` is the last Frechet distance from the training pictures, `features` the network it is taken in.
    """

    generator: str
    images: int
    unreadable: tuple[tuple[str, str], ...]
    distance: float | None
    features: str | None


@dataclass(frozen=True, kw_only=True)
class GeneratorJob(Job[GeneratorSummary]):
    """A training of a StyleGAN2; `pipelines.training.train_generator` says what each argument means."""

    training: GeneratorTraining
    init: str | None = None
    inception: Path | None = None

    def settled(self) -> Self:
        """Return the job with absolute paths, so that it may be done in another folder."""
        return replace(super().settled(), init=self.init and model_place(self.init), inception=settled(self.inception))

    def check_shares(self, team: Team) -> None:
        """Raise `ConfigurationError` when a batch does not divide among a team."""
        check_shares(self.training, team)

    def run(self, on_event: Say | None = None, team: Team = ALONE) -> GeneratorSummary:
        """Train, from the last checkpoint if there is one; every process of a team calls this with an equal job.

        Raises:
            ConfigurationError: the arguments contradict each other or the run that `out` holds.
            FatalError: no readable pictures, or the losses are no longer finite.
        """
        say = on_event if on_event and team.leads else silent
        place = best_device(self.device)
        check_precision(self.training.precision, place)
        generator = self._starting_generator()
        training = self.training.with_(generator=generator.config)
        inputs = find_inputs(
            self.dataset, layout=self.layout, split=self.split, limit=self.limit, storage_options=self.storage_options
        )
        record = TrainingRecord(Storage(self.out, self.storage_options), weights="generator.safetensors")
        configuration = self._configuration(training, inputs)
        generator.to(place).to(memory_format=torch.channels_last)
        features = _features(training, self.inception, place, say) if team.leads else None
        team.together(lambda: record.begin(configuration, overwrite=self.overwrite))
        folder = picture_folder(record.storage, self.picture_cache)
        pictures, unreadable = load_pictures(inputs.training, *generator.image_size, folder, say, team=team)
        trainer = GeneratorTrainer(generator, pictures, training, team)
        meter = (
            FrechetMeter(pictures, features, count=training.frechet_pictures, seed=training.seed) if features else None
        )
        evaluation = Evaluation(trainer, record, meter)
        figures = TrainingLoop(
            trainer,
            record,
            checkpoint_minutes=self.checkpoint_minutes,
            evaluate=evaluation,
            say=say,
            panels=evaluation.panels,
            team=team,
        ).run()
        return GeneratorSummary(
            generator=record.storage.locate(record.weights),
            images=trainer.images,
            unreadable=unreadable,
            distance=figures.get(evaluation.figure),
            features=evaluation.features,
        )

    def _configuration(self, training: GeneratorTraining, inputs: Inputs) -> dict[str, Any]:
        """Return what run.json holds, and a resumed run must share."""
        return {
            "kind": "train-generator",
            "training": training.as_dict(),
            "start": {"init": self.init and model_sha256(self.init, storage_options=self.storage_options)},
            "inputs": {"pictures": len(inputs.training), "sha256": inputs.sha256},
        }

    def _starting_generator(self) -> Generator:
        if self.init is None:
            return _new_generator(self.training.generator, self.training.seed)
        generator = load_generator(self.init, device="cpu", storage_options=self.storage_options)
        if not isinstance(generator, Generator):
            raise ConfigurationError(
                f"{self.init} is no StyleGAN2, and only those are trained here: choose another file"
            )
        return generator


class Evaluation:
    """Draws and measures what the averaged weights make, and writes them."""

    def __init__(self, trainer: GeneratorTrainer, record: TrainingRecord, meter: FrechetMeter | None) -> None:
        self.trainer, self.record, self.meter = trainer, record, meter
        self.figure = meter.figure if meter else "frechet"
        self.features = meter.features.name if meter else None
        self.panels = (
            Panel(title=f"Frechet distance from the training pictures: {self.features}", figures=(self.figure,)),
            Panel(
                title="augmentation: probability, and mean sign of real logits", figures=("augmentation", "real_sign")
            ),
        )

    def __call__(self) -> dict[str, float]:
        """Return the Frechet distance, or nothing when none is measured."""
        trainer, average = self.trainer, self.trainer.average
        self.record.save_grid(trainer.images, encode(sample_grid(average, trainer.training.seed), "png"))
        self.record.save_weights(generator_to_bytes(average))
        if self.meter is None:
            return {}
        figures = {self.figure: self.meter.measure(average)}
        self._save_table(figures[self.figure])
        return figures

    def _save_table(self, distance: float) -> None:
        assert self.meter is not None
        before = {row["images"]: row[self.figure] for row in self.record.rows if self.figure in row}
        rows = [
            {"images": f"{images:.0f}", self.figure: f"{value:.6g}"}
            | {"pictures": str(self.meter.count), "features": self.meter.features.name}
            for images, value in (before | {float(self.trainer.images): distance}).items()
        ]
        self.record.save_table("frechet.csv", ["images", self.figure, "pictures", "features"], rows)


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


def _features(training: GeneratorTraining, inception: Path | None, device: torch.device, say: Say) -> Features | None:
    """Return what the Frechet distance is taken on; where there is nothing, say in one line why not."""
    if not training.frechet_pictures:
        return None
    try:
        return load_extractor(inception, device)
    except FatalError as error:
        if inception is not None:
            raise
        say(note(f"no Frechet distance: {error}"))
        return None
