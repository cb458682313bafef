"""`train-encoder`: from a folder of pictures and a generator to a model bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Self

import torch
from torch import Tensor, nn

from stylize.curveplot import Panel
from stylize.errors import ConfigurationError
from stylize.images import encode
from stylize.models.bundle import (
    Bundle,
    best_device,
    load_bundle,
    load_generator,
    make_encoder,
    model_place,
    model_sha256,
)
from stylize.models.generator import Generator
from stylize.models.kinds import config_to_dict
from stylize.models.perceptual import FeatureDistance, LpipsDistance, cached_trunk, perceptual_distance
from stylize.models.protocol import GeneratorProtocol
from stylize.models.resize import resized
from stylize.storage import Storage
from stylize.training.config import EncoderTraining
from stylize.training.events import Say, note, silent
from stylize.training.grid import swap_grid
from stylize.training.inputs import Inputs, find_inputs, load_pictures, picture_folder
from stylize.training.job import Job, settled
from stylize.training.loop import TrainingLoop
from stylize.training.pictures import TrainingPictures
from stylize.training.record import TrainingRecord
from stylize.training.team import ALONE, Team
from stylize.training.trainer import EncoderTrainer, check_shares

HELD_OUT_BATCH = 16
GRID_PICTURES = 6
PANELS = (Panel(title="held-out PSNR, dB", figures=("heldout_psnr",)),)


@dataclass(frozen=True, kw_only=True)
class TrainingSummary:
    """What a finished run gives: where the bundle is, how good it is, and `(id, reason)` of unreadable pictures."""

    bundle: str
    images: int
    heldout_psnr: float | None
    unreadable: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class EncoderJob(Job[TrainingSummary]):
    """A training of the masked noise encoder; `pipelines.training.train_encoder` says what each argument means."""

    training: EncoderTraining
    generator: str | None = None
    init: str | None = None
    new_generator: Any | None = None
    size: tuple[int, int] | None = None
    tune_generator: bool = False
    extra: Sequence[str] = ()
    holdout: str | None = None
    lpips_trunk: Path | None = None

    def settled(self) -> Self:
        """Return the job with absolute paths, so that it may be done in another folder."""
        return replace(
            super().settled(),
            generator=self.generator and model_place(self.generator),
            init=self.init and model_place(self.init),
            extra=[self._absolute(each) for each in self.extra],
            lpips_trunk=settled(self.lpips_trunk),
        )

    def check_shares(self, team: Team) -> None:
        """Raise `ConfigurationError` when a batch does not divide among a team."""
        check_shares(self.training, team)

    def run(self, on_event: Say | None = None, team: Team = ALONE) -> TrainingSummary:
        """Train, from the last checkpoint if there is one; every process of a team calls this with an equal job.

        Raises:
            ConfigurationError: the arguments contradict each other or the run that `out` holds.
            FatalError: no readable pictures, no weights, or the losses are no longer finite.
        """
        say = on_event if on_event and team.leads else silent
        self._check_start()
        bundle = self._starting_bundle().to(best_device(self.device))
        training = self.training.with_(encoder=bundle.encoder.config)
        _check_generated(bundle.generator, training)
        inputs = self._inputs()
        perceptual = _perceptual(training, self.lpips_trunk, say)
        record = TrainingRecord(Storage(self.out, self.storage_options))
        configuration = self._configuration(training, bundle, inputs, perceptual.name if perceptual else None)
        team.together(lambda: record.begin(configuration, overwrite=self.overwrite))
        folder, size = picture_folder(record.storage, self.picture_cache), (bundle.height, bundle.width)
        pictures, unreadable = load_pictures(inputs.training, *size, folder, say, team=team)
        heldout = None
        if inputs.heldout:
            kept_apart = [(inputs.dataset, sample) for sample in inputs.heldout]
            heldout, worse = load_pictures(kept_apart, *size, folder, say, scale=1, team=team)
            unreadable += worse
        _channels_last(bundle, perceptual)
        trainer = EncoderTrainer(bundle, pictures, training, perceptual, tune_generator=self.tune_generator, team=team)
        figures = TrainingLoop(
            trainer,
            record,
            checkpoint_minutes=self.checkpoint_minutes,
            evaluate=Evaluation(trainer, record, heldout, PurePosixPath(inputs.dataset.storage.url).name),
            say=say,
            panels=PANELS,
            team=team,
        ).run()
        return TrainingSummary(
            bundle=record.storage.locate(record.weights),
            images=trainer.images,
            heldout_psnr=figures.get("heldout_psnr"),
            unreadable=unreadable,
        )

    def _inputs(self) -> Inputs:
        return find_inputs(
            self.dataset,
            layout=self.layout,
            split=self.split,
            limit=self.limit,
            holdout=self.holdout,
            extra=self.extra,
            storage_options=self.storage_options,
        )

    def _configuration(
        self, training: EncoderTraining, bundle: Bundle, inputs: Inputs, perceptual: str | None
    ) -> dict[str, Any]:
        """Return what run.json holds, and a resumed run must share."""
        start = {"generator": self.generator, "init": self.init}
        return {
            "kind": "train-encoder",
            "training": training.as_dict(),
            "generator": config_to_dict(bundle.generator_config),
            "tune_generator": self.tune_generator,
            "start": {
                name: model and model_sha256(model, storage_options=self.storage_options)
                for name, model in start.items()
            },
            "perceptual": perceptual,
            "holdout": self.holdout,
            "inputs": {"pictures": len(inputs.training), "sha256": inputs.sha256},
        }

    def _check_start(self) -> None:
        if sum(x is not None for x in (self.generator, self.init, self.new_generator)) != 1:
            raise ConfigurationError(
                "what shall the encoder invert? give one of a generator's file (--generator), a model bundle to "
                "continue from (--init) and the size of a new generator (--new-generator)"
            )
        if self.new_generator is not None and not self.tune_generator:
            raise ConfigurationError("a new generator knows no pictures yet: it needs --tune-generator")
        if self.size is not None and self.init is None:
            raise ConfigurationError("--size goes with --init; the size of a new generator stands in --new-generator")
        if self.size is not None and not self.tune_generator:
            raise ConfigurationError("a model of another size must learn its new pixels: --size needs --tune-generator")

    def _starting_bundle(self) -> Bundle:
        training, options = self.training, self.storage_options
        if self.init is not None:
            loaded_bundle = load_bundle(self.init, device="cpu", storage_options=options)
            return loaded_bundle if self.size is None else resized(loaded_bundle, self.size)
        if self.generator is not None:
            loaded = load_generator(self.generator, device="cpu", storage_options=options)
            return _with_encoder(_taking_noise_at(loaded, training.encoder.noise_downscale), training)
        return Bundle.create(self.new_generator, training.encoder, seed=training.seed)


class Evaluation:
    """Measures the averaged weights, draws what they do, and writes them as a bundle with what is known of them."""

    def __init__(
        self, trainer: EncoderTrainer, record: TrainingRecord, heldout: TrainingPictures | None, dataset: str
    ) -> None:
        self.trainer, self.record, self.heldout, self.dataset = trainer, record, heldout, dataset

    def __call__(self) -> dict[str, float]:
        """Return `heldout_psnr` in dB, or nothing when no picture is held out."""
        trainer, average = self.trainer, self.trainer.average
        psnr = heldout_psnr(average, self.heldout) if self.heldout else None
        shown = self.heldout if self.heldout and len(self.heldout) >= GRID_PICTURES else trainer.pictures
        count = min(len(shown), GRID_PICTURES)
        grid = swap_grid(average, shown.whole([i * len(shown) // count for i in range(count)]))
        self.record.save_grid(trainer.images, encode(grid, "png"))
        average.card = {
            "dataset": self.dataset,
            "images": trainer.images,
            "training": trainer.training.as_dict(),
            "tune_generator": trainer.tune_generator,
            "heldout_psnr": psnr,
        }
        self.record.save_weights(average.to_bytes())
        return {} if psnr is None else {"heldout_psnr": psnr}


@torch.no_grad()
def heldout_psnr(bundle: Bundle, pictures: TrainingPictures) -> float:
    """Return the mean PSNR in dB (peak 2) of the reconstructions of whole pictures."""
    values: list[Tensor] = []
    for start in range(0, len(pictures), HELD_OUT_BATCH):
        batch = pictures.whole(range(start, min(start + HELD_OUT_BATCH, len(pictures)))).to(bundle.device)
        codes = bundle.encoder(batch)
        made = bundle.generator.synthesis(codes.ws_BLD, codes.noise).clamp(-1, 1)
        values.append(10 * torch.log10(4 / (made - batch).square().mean(dim=(1, 2, 3))))
    return torch.cat(values).mean().item()


def _check_generated(generator: GeneratorProtocol, training: EncoderTraining) -> None:
    if training.generated and not hasattr(generator, "mapping"):
        raise ConfigurationError(
            "this kind of generator has no latent to draw pictures from: train on real ones alone, with `generated` 0 "
            "(--preset light)"
        )


def _taking_noise_at(generator: GeneratorProtocol, downscale: int) -> GeneratorProtocol:
    """Return a StyleGAN2 with its noise maps at another block; its weights are the same at every scale."""
    if not isinstance(generator, Generator) or generator.config.noise_downscale == downscale:
        return generator
    moved = Generator(replace(generator.config, noise_downscale=downscale))
    moved.load_state_dict(generator.state_dict())
    return moved


def _with_encoder(generator: GeneratorProtocol, training: EncoderTraining) -> Bundle:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        return Bundle(make_encoder(training.encoder, generator), generator)


def _perceptual(training: EncoderTraining, trunk: Path | None, say: Say) -> FeatureDistance | LpipsDistance | None:
    """Load the perceptual loss, and say in one line which one it is and why."""
    if not training.perceptual:
        return None
    cached = cached_trunk() if trunk is None else None
    distance = perceptual_distance(trunk)
    if isinstance(distance, LpipsDistance):
        say(note(f"perceptual loss: LPIPS with the VGG16 trunk {trunk or cached}"))
    else:
        say(note("perceptual loss: EfficientNet-Lite0 features, because no VGG16 trunk is given (--lpips-trunk)"))
    return distance


def _channels_last(bundle: Bundle, perceptual: nn.Module | None) -> None:
    for module in (bundle, perceptual):
        if module is not None:
            module.to(bundle.device).to(memory_format=torch.channels_last)
